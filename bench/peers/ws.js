// Node with ws: who is connected to /rooms/NAME gets what anyone there sends, as it came.
//     node ws.js PORT
import http from "node:http";
import { WebSocketServer } from "ws";

const rooms = new Map();
const server = http.createServer();
const sockets = new WebSocketServer({
  server,
  clientTracking: false,
  perMessageDeflate: false,
  skipUTF8Validation: true,
});

sockets.on("connection", (socket, request) => {
  const name = request.url;
  const room = rooms.get(name) ?? new Set();
  rooms.set(name, room.add(socket));
  socket.on("message", (data) => {
    for (const member of room) member.send(data, { binary: false });
  });
  socket.on("close", () => {
    room.delete(socket);
    if (room.size === 0) rooms.delete(name);
  });
  socket.on("error", () => socket.terminate());
});

process.on("SIGTERM", () => process.exit(0));
server.listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 4096 });
