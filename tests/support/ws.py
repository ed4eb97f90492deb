"""A WebSocket client on a bare socket: it can send any bytes, and sees every frame as it came."""

import base64
import hashlib
import json
import os
import socket
import struct
import time

import openapi
import planted
import ports

LIMIT_S = float(os.environ.get("CONFAB_TEST_LIMIT", "60"))
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class Closed(Exception):
    """The connection ended; code is that of the Close frame, 1006 without one, 1005 if it had none."""

    def __init__(self, code, reason=""):
        super().__init__(f"{code} {reason}")
        self.code, self.reason = code, reason


class NotUpgraded(Exception):
    def __init__(self, status, headers, body):
        super().__init__(f"{status} {body!r}")
        self.status, self.headers, self.body = status, headers, body


class Socket:
    """TCP, or TLS where the port says so, with a limit on every wait."""

    def __init__(self, port, receive_buffer=None):
        self.tcp = socket.socket()
        if receive_buffer:
            self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.tcp.settimeout(LIMIT_S)
        self.tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tcp.connect((ports.host(port), port))
        if getattr(port, "tls", None):
            self.tcp = port.tls.wrap_socket(self.tcp, server_hostname=ports.host(port))
        self.buffer = b""

    def send(self, data):
        self.tcp.sendall(data)

    def fill(self, limit=LIMIT_S):
        """Receives something more; False at the end of the stream."""
        self.tcp.settimeout(limit)
        try:
            data = self.tcp.recv(65536)
        except ConnectionError:
            data = b""
        self.buffer += data
        return bool(data)

    def take(self, size, limit=LIMIT_S):
        while len(self.buffer) < size:
            if not self.fill(limit):
                raise Closed(1006, "end of stream")
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def read_head(self, limit=LIMIT_S):
        """(status, headers with lower-case names) of an HTTP answer."""
        while b"\r\n\r\n" not in self.buffer:
            if not self.fill(limit):
                raise Closed(1006, "no answer")
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, value = line.split(":", 1)
            headers[name.strip().lower()] = value.strip()
        return int(first.split()[1]), headers

    def read_rest(self, limit=LIMIT_S):
        """Everything until the other side closes."""
        while self.fill(limit):
            pass
        data, self.buffer = self.buffer, b""
        return data

    def reset(self):
        """Ends the connection with RST, as a machine that lost its power and came back."""
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.tcp.close()

    def close(self):
        self.tcp.close()


def request(path, headers):
    lines = [f"GET {path} HTTP/1.1"] + [f"{name}: {value}" for name, value in headers.items() if value is not None]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class WebSocket(Socket):
    def __init__(self, port, path, token=None, headers=None, receive_buffer=None):
        """Upgrades; headers replace or (None) leave out what is sent by default. NotUpgraded if the
        answer is no 101."""
        super().__init__(port, receive_buffer)
        key = base64.b64encode(os.urandom(16)).decode()
        sent = {"Host": f"{ports.host(port)}:{port}", "Connection": "Upgrade", "Upgrade": "websocket",
                "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key,
                "Cookie": f"session_id={token}" if token else None, **(headers or {})}
        self.send(request(path, sent))
        try:
            status, self.headers = self.read_head()
        except Closed:
            self.close()
            raise
        if status == 101:
            openapi.check("GET", path, status, self.headers, b"")
        else:
            length = self.headers.get("content-length")
            body = self.take(int(length)) if length else self.read_rest()
            self.close()
            openapi.check("GET", path, status, self.headers, body)
            raise NotUpgraded(status, self.headers, body)
        accept = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        assert self.headers["sec-websocket-accept"] == base64.b64encode(accept).decode()

    def send_frame(self, opcode, payload=b"", fin=True, mask=True, rsv=0):
        key = os.urandom(4) if mask else b""
        size = len(payload)
        head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
        marked = 0x80 if mask else 0
        if size < 126:
            head += bytes([marked | size])
        elif size < 65536:
            head += bytes([marked | 126]) + struct.pack("!H", size)
        else:
            head += bytes([marked | 127]) + struct.pack("!Q", size)
        if mask:
            stream = int.from_bytes(key * (size // 4 + 1), "big") >> 8 * (4 - size % 4)
            payload = (int.from_bytes(payload, "big") ^ stream).to_bytes(size, "big")
        self.send(head + key + payload)

    def send_text(self, text):
        self.send_frame(TEXT, text.encode())

    def recv_frame(self, limit=LIMIT_S):
        """(opcode, payload); a Close is answered and raised as Closed."""
        first, second = self.take(2, limit)
        assert first & 0x70 == 0, "reserved bits from the server"
        assert first & 0x80, "the server never fragments"
        assert second & 0x80 == 0, "a server's frame is never masked"
        size = second & 0x7f
        if size == 126:
            (size,) = struct.unpack("!H", self.take(2, limit))
        elif size == 127:
            (size,) = struct.unpack("!Q", self.take(8, limit))
        opcode, payload = first & 0x0f, self.take(size, limit)
        if opcode == CLOSE:
            try:
                self.send_frame(CLOSE, payload[:2])
            except OSError:
                pass
            code = struct.unpack("!H", payload[:2])[0] if payload else 1005
            raise Closed(code, payload[2:].decode())
        return opcode, payload

    def wait_closed(self, limit=LIMIT_S):
        """Reads until the connection ends; the code."""
        deadline = time.monotonic() + limit
        while True:
            try:
                self.recv_frame(max(0.001, deadline - time.monotonic()))
            except Closed as closed:
                return closed.code


class Chat(WebSocket):
    """One member in one room. JSON frames by type; server pings are answered on the way."""

    def __init__(self, client, room, wait=True, path="/ws/chat/", query="", **kwargs):
        super().__init__(client.port, path + room + query, client.token, **kwargs)
        self.room, self.client = room, client
        self.kept = []  # frames passed over while waiting for another
        self.pings = 0  # of the server, so far: its own clock, as seen in order with everything else
        if wait:
            self.until("user_joined")

    def post(self, content, key=None, **more):
        frame = {"type": "chat_message", "content": planted.plant(content), **more}
        if key is not None:
            frame["client_key"] = key
        self.send_text(json.dumps(frame))

    def recv(self, limit=LIMIT_S):
        """The next frame as a dict; pings do not extend the limit."""
        deadline = time.monotonic() + limit
        while True:
            opcode, payload = self.recv_frame(max(0.001, deadline - time.monotonic()))
            if opcode == PING:
                self.pings += 1
                self.send_frame(PONG, payload)
            elif opcode == TEXT:
                frame = json.loads(payload)
                openapi.check_frame(frame)
                return frame

    def until(self, kind, limit=LIMIT_S, **members):
        """The next frame of this type with these members; others are kept for later calls."""
        def fits(frame):
            return frame["type"] == kind and all(frame.get(name) == value for name, value in members.items())
        for i, frame in enumerate(self.kept):
            if fits(frame):
                del self.kept[:i + 1]
                return frame
        self.kept.clear()
        deadline = time.monotonic() + limit
        while True:
            frame = self.recv(max(0.001, deadline - time.monotonic()))
            if fits(frame):
                return frame

    def say(self, content, key=None):
        """Posts, and waits for the ack; the post's id."""
        self.post(content, key)
        while True:
            frame = self.recv()
            if frame["type"] == "message_ack" and frame.get("client_key") == key:
                return frame["id"]
            assert frame["type"] != "error", frame
            self.kept.append(frame)

    def leave(self):
        self.send_frame(CLOSE, struct.pack("!H", 1000))
        code = self.wait_closed()
        self.close()
        return code
