"""helm test: two users log in, each on its own node, and each reads what the other writes, from the socket and from
the history. Needs Python 3.9 and nothing else.

    chat.py [--timeout=SECONDS] URL URL

Names and password are made anew each time; the users and their room stay. Ends with 0 or with a line that says why not."""

import base64
import http.client
import json
import os
import secrets
import socket
import ssl
import struct
import sys
import time
import urllib.parse

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
FRAME_MAX = 1 << 20  # bytes of one frame that are read


class Failed(Exception):
    pass


class Deadline:
    def __init__(self, seconds):
        self.end = time.monotonic() + seconds

    def left(self):
        left = self.end - time.monotonic()
        if left <= 0:
            raise Failed("took too long")
        return left


class Node:
    """Where one of them is. Its certificate is for the names of clients, not for that of a pod: it is not looked at."""

    def __init__(self, url, deadline):
        parts = urllib.parse.urlsplit(url)
        self.url, self.host, self.deadline = url, parts.hostname, deadline
        self.is_tls = parts.scheme == "https"
        self.port = parts.port or (443 if self.is_tls else 80)
        self.authority = parts.netloc

    def connect(self):
        bare = socket.create_connection((self.host, self.port), timeout=self.deadline.left())
        if not self.is_tls:
            return bare
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context.wrap_socket(bare, server_hostname=self.host)

    def call(self, method, path, body=None, token=None):
        connection = http.client.HTTPConnection(self.host, self.port)
        connection.sock = self.connect()
        try:
            headers = {"Content-Type": "application/json"} if body is not None else {}
            if token:
                headers["Authorization"] = f"Bearer {token}"
            connection.request(method, f"/api/v1{path}", None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            read = answer.read()
        finally:
            connection.close()
        if not 200 <= answer.status < 300:
            raise Failed(f"{self.url}: {method} {path} is answered {answer.status}")
        return json.loads(read)


class User:
    def __init__(self, node, name):
        self.node, self.name = node, name
        password = secrets.token_urlsafe(24)
        node.call("POST", "/auth/register", {"username": name, "email": f"{name}@example.com", "password": password})
        self.token = node.call("POST", "/auth/login", {"username": name, "password": password})["session_token"]

    def call(self, method, path, body=None):
        return self.node.call(method, path, body, self.token)


class Chat:
    """A user's socket in a room."""

    def __init__(self, user, room):
        self.user, self.deadline = user, user.node.deadline
        self.socket = user.node.connect()
        self.buffer = b""
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f"GET /ws/chat/{room} HTTP/1.1\r\nHost: {user.node.authority}\r\nConnection: Upgrade\r\n"
                             f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
                             f"Authorization: Bearer {user.token}\r\n\r\n").encode())
        while b"\r\n\r\n" not in self.buffer:
            self.fill()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        if head.split(b" ", 2)[1] != b"101":
            raise Failed(f"{user.node.url}: no socket: {head.split(bytes([13, 10]), 1)[0].decode('latin-1')}")

    def fill(self):
        self.socket.settimeout(self.deadline.left())
        read = self.socket.recv(65536)
        if not read:
            raise Failed(f"{self.user.node.url} has ended the connection")
        self.buffer += read

    def take(self, size):
        while len(self.buffer) < size:
            self.fill()
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def send(self, opcode, payload):
        mask = os.urandom(4)
        size = len(payload)
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | size) if size < 126 else struct.pack("!BBH", 0x80 | opcode, 0xfe, size)
        self.socket.sendall(head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload)))

    def receive(self):
        """The next message."""
        while True:
            first, size = self.take(2)
            if size == 126:
                (size,) = struct.unpack("!H", self.take(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", self.take(8))
            if size > FRAME_MAX:
                raise Failed(f"{self.user.node.url} sends a frame of {size} bytes")
            payload = self.take(size)
            if first & 0x0f == CLOSE:
                raise Failed(f"{self.user.node.url} closes the socket with {struct.unpack('!H', payload[:2])[0] if payload else 1005}")
            if first & 0x0f == PING:
                self.send(PONG, payload)
            if first & 0x0f == TEXT:
                return json.loads(payload)

    def until(self, kind, **members):
        while True:
            message = self.receive()
            if message.get("type") == "error":
                raise Failed(f"{self.user.node.url}: {message}")
            if message.get("type") == kind and all(message.get(name) == value for name, value in members.items()):
                return message

    def post(self, content):
        self.send(TEXT, json.dumps({"type": "chat_message", "content": content}).encode())


def chat(urls, deadline):
    nodes = [Node(url, deadline) for url in urls]
    run = secrets.token_hex(6)
    ann, bob = User(nodes[0], f"helm_test_{run}_a"), User(nodes[1], f"helm_test_{run}_b")
    room = ann.call("POST", "/chatrooms", {"name": f"helm test {run}"})["id"]
    bob.call("POST", f"/chatrooms/{room}/join")
    chats = [Chat(ann, room), Chat(bob, room)]
    for one in chats:
        one.until("user_joined", username=one.user.name)
    said = []
    for sender, other in (chats, chats[::-1]):
        said.append(f"{sender.user.name} on {sender.user.node.url}")
        sender.post(said[-1])
        number = sender.until("message_ack")["id"]
        other.until("chat_message", id=number, content=said[-1], username=sender.user.name)
    for user in (ann, bob):
        history = user.call("GET", f"/chatrooms/{room}/messages?limit=10")["messages"]
        if [message["content"] for message in history] != said:
            raise Failed(f"{user.node.url}: the history is another one: {history}")
        user.call("POST", "/auth/logout")


def main(arguments):
    seconds = 60.0
    if arguments and arguments[0].startswith("--timeout="):
        seconds = float(arguments.pop(0).removeprefix("--timeout="))
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        chat(arguments, Deadline(seconds))
    except (Failed, OSError, http.client.HTTPException, ValueError, KeyError) as fault:
        print(f"failed: {fault!r}", file=sys.stderr)
        return 1
    print(f"ok: two users have logged in, on {arguments[0]} and {arguments[1]}, and have read what the other wrote")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
