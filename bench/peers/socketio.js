// Socket.IO over WebSocket alone: a client names its room when it connects and gets what anyone there says.
//     node socketio.js PORT
import http from "node:http";
import { Server } from "socket.io";

const server = http.createServer();
const io = new Server(server, {
  transports: ["websocket"],
  serveClient: false,
  perMessageDeflate: false,
  httpCompression: false,
});

io.on("connection", (socket) => {
  const room = socket.handshake.query.room;
  socket.conn.request = null; // kept for plugins; the manual's page on memory says to let go of it
  socket.join(room);
  socket.on("m", (text) => io.to(room).emit("m", text));
});

process.on("SIGTERM", () => process.exit(0));
server.listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 4096 });
