"""A chat server that breaks one promise on purpose: what a load generator has to notice."""

import asyncio
import json
import struct
import threading
import uuid

ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # to the key of RFC 6455, 1.3, which bench/load always sends


def frame(value):
    return frame_of(json.dumps(value, separators=(",", ":")).encode())


def frame_of(payload):
    head = bytes([0x81, len(payload)]) if len(payload) < 126 else b"\x81\x7e" + struct.pack("!H", len(payload))
    return head + payload


class Liar:
    """One room on a port of its own. lie: a method of Lies, applied to the seventh post."""

    def __init__(self, lie):
        self.lie = lie
        self.members, self.seq, self.held = [], 0, []
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0), self.loop).result()
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)

    async def _serve(self, reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.room = head.split(b" ")[1].decode().rsplit("/", 1)[1]
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         b"Sec-WebSocket-Accept: " + ACCEPT.encode() + b"\r\n\r\n")
            self.members.append(writer)
            self._welcome(writer)
            while True:
                self._on_frame(writer, *await self._read_frame(reader))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _welcome(self, writer):
        writer.write(frame({"type": "user_joined", "username": "load"}))

    @staticmethod
    async def _read_frame(reader):
        first, second = await reader.readexactly(2)
        size = second & 0x7f
        if size == 126:
            (size,) = struct.unpack("!H", await reader.readexactly(2))
        mask = await reader.readexactly(4)
        payload = await reader.readexactly(size)
        return first & 0x0f, bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))

    def _on_frame(self, writer, opcode, payload):
        if opcode != 1:
            return
        post = json.loads(payload)
        self.seq += 1
        post_id = str(uuid.uuid4())
        ack = {"type": "message_ack", "id": post_id, "seq": self.seq, "client_key": post["client_key"]}
        event = {"type": "chat_message", "id": post_id, "content": post["content"], "chatroom_id": self.room,
                 "seq": self.seq}
        steps = [(writer, ack)] + [(member, event) for member in self.members]
        if self.seq == 7 and self.lie:
            steps = getattr(self, self.lie)(steps, ack, event)
        for to, value in steps + self.held if self.seq == 8 else steps:
            to.write(frame(value))

    # -- lies

    def drop_one_copy(self, steps, _ack, _event):
        return steps[:-1]

    def double_one_copy(self, steps, _ack, _event):
        return steps + steps[-1:]

    def swap_with_the_next(self, steps, _ack, _event):
        self.held = steps[-1:]
        return steps[:-1]

    def change_one_copy(self, steps, _ack, event):
        return steps[:-1] + [(steps[-1][0], {**event, "content": event["content"][:-1] + "?"})]

    def change_every_copy(self, steps, _ack, event):
        return steps[:1] + [(to, {**event, "content": event["content"][:-1] + "?"}) for to, _ in steps[1:]]

    def show_before_the_ack(self, steps, _ack, _event):
        return steps[1:] + steps[:1]

    def never_ack(self, steps, _ack, _event):
        return steps[1:]

    def ack_another_id(self, steps, ack, _event):
        return [(steps[0][0], {**ack, "id": str(uuid.uuid4())})] + steps[1:]

    def ack_without_a_number(self, steps, ack, _event):
        return [(steps[0][0], {key: value for key, value in ack.items() if key != "seq"})] + steps[1:]

    def post_it_twice(self, steps, _ack, event):
        self.seq += 1
        return steps + [(to, {**event, "seq": self.seq, "id": str(uuid.uuid4())}) for to in self.members]

    def another_room(self, steps, _ack, event):
        return steps[:-1] + [(steps[-1][0], {**event, "chatroom_id": str(uuid.uuid4())})]

    def show_what_nobody_said(self, steps, _ack, event):
        run, writer, n, rest = event["content"][2:].split("|", 3)
        self.seq += 1
        return steps + [(to, {**event, "seq": self.seq, "content": f"L|{run}|{writer}|{int(n) + 1000}|{rest}"})
                        for to in self.members]


class PlainLiar(Liar):
    """The same for servers that only hand on what they get: no numbers, no acks."""

    def _welcome(self, writer):
        pass

    def _on_frame(self, writer, opcode, payload):
        if opcode != 1:
            return
        self.seq += 1
        steps = [(member, payload) for member in self.members]
        if self.seq == 7 and self.lie:
            steps = getattr(self, self.lie)(steps, writer, payload)
        for to, text in steps + self.held if self.seq >= 8 else steps:
            to.write(frame_of(text))
        if self.seq >= 8:
            self.held = []

    def drop_one_copy(self, steps, _writer, _payload):
        return steps[:-1]

    def double_one_copy(self, steps, _writer, _payload):
        return steps + steps[-1:]

    def double_an_older_copy(self, steps, _writer, _payload):
        self.held = steps[-1:]
        return steps

    def hold_one_copy_back(self, steps, _writer, _payload):
        """One member sees it behind the next, which is another writer's: no fault where nothing but each writer's
        order is promised."""
        self.held = steps[-1:]
        return steps[:-1]

    def change_one_copy(self, steps, _writer, payload):
        return steps[:-1] + [(steps[-1][0], payload[:-1] + b"?")]

    def show_what_nobody_said(self, steps, _writer, payload):
        run, writer, n, rest = payload.decode()[2:].split("|", 3)
        return steps + [(to, f"L|{run}|{writer}|{int(n) + 1000}|{rest}".encode()) for to, _ in steps]
