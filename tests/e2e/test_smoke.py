"""`confab smoke`: what it takes for a chat, and what not."""

import base64
import hashlib
import http.server
import json
import struct
import threading

import pytest

import server as servers
import tls
from nodes import LINKS, await_metric, keys, settings  # noqa: F401 (fixture)

QUICK = {"CONFAB_NODE_HEARTBEAT": "100ms", "CONFAB_NODE_GONE_AFTER": "1s", "CONFAB_MESH_LISTEN": "127.0.0.1:0"}
IN_MAX = 1 << 20  # CF_SMOKE_ANSWER_MAX and CF_WEBSOCKET_CLIENT_IN_MAX


def is_ok(done):
    assert done.returncode == 0, done.stderr
    return done.stdout.startswith("ok: two users have logged in") and done.stderr == ""


def why_not(done):
    assert done.returncode == 1 and done.stdout == "", done.stdout
    assert done.stderr.startswith("confab smoke: ") and done.stderr.count("\n") == 1, done.stderr
    return done.stderr.removeprefix("confab smoke: ").strip()


def test_a_server_is_a_chat_again_and_again(server):
    for _ in range(2):
        assert is_ok(server.command("smoke", server.url))
    servers.until(lambda: server.metrics()["websocket_connections_active"] == 0, "the end of its sockets")


@pytest.mark.only_store("postgres")
def test_two_nodes_are_a_chat(store_kind, make_server, keys):  # noqa: F811
    nodes = [make_server({**QUICK, **settings(keys, number, range(2))}).start() for number in range(2)]
    for node in nodes:
        await_metric(node, LINKS, 1)
    done = nodes[0].command("smoke", *(node.url for node in nodes))
    assert is_ok(done) and all(node.url in done.stdout for node in nodes)
    for node in nodes:
        servers.until(lambda one=node: sum(value for name, value in one.metrics().items() if name.startswith("http_requests_total{")
                                           and 'status="101"' in name) == 1, "one of them at each")


@pytest.mark.only_store("sqlite")
def test_a_name_is_looked_up_and_told(server):
    assert is_ok(server.command("smoke", f"http://localhost:{server.port}"))


@pytest.mark.only_store("sqlite")
def test_two_servers_that_know_nothing_of_each_other_are_none(server, make_server, tmp_path):
    stranger = make_server({"CONFAB_STORE_URL": f"sqlite:{tmp_path}/other.db"}).start()
    why = why_not(server.command("smoke", server.url, stranger.url))
    assert why.startswith(f"{stranger.url}: POST /api/v1/chatrooms/") and why.endswith("/join is answered 404")


@pytest.mark.only_store("sqlite")
def test_a_server_that_is_away_is_none(server):
    why = why_not(server.command("smoke", server.url, "http://127.0.0.1:9"))
    assert why.startswith("http://127.0.0.1:9: POST /api/v1/auth/register: ") and "connect" in why
    assert "resolve" in why_not(server.command("smoke", "http://nowhere.invalid:80"))


@pytest.mark.only_store("sqlite")
def test_a_server_that_hangs_is_none_in_time(server):
    server.freeze()
    done = server.command("smoke", "--seconds", "1", server.url)
    server.thaw()
    assert why_not(done).endswith("timed out")


@pytest.mark.only_store("sqlite")
def test_over_tls_somebody_known_has_to_vouch_for_it(store_kind, make_server, tmp_path):
    server = make_server()
    server.certificate = tls.Certificate(tmp_path)
    server.env.update(server.certificate.settings())
    server.start()
    for url in (server.url, f"https://localhost:{server.port}"):
        assert "certificate" in why_not(server.command("smoke", url))
        assert is_ok(server.command("smoke", "--any-certificate", url))
        assert is_ok(server.command("smoke", "--ca", str(server.certificate.cert), url))
    other = f"https://localhost.localdomain:{server.port}"
    assert server.command("smoke", "--ca", str(server.certificate.cert), other).returncode == 1
    assert server.command("smoke", "--ca", "/nowhere", server.url).returncode == 1


@pytest.mark.only_store("sqlite")
@pytest.mark.parametrize("words", [
    (), ("--seconds", "1"), ("http://a", "http://b", "http://c"), ("--second", "http://a"), ("--seconds", "0", "http://a"),
    ("--seconds", "3601", "http://a"), ("--seconds", "1x", "http://a"), ("ftp://a",), ("a",), ("http://a", "--seconds"), ("http://a", "--ca"),
    ("http://",), ("http://a/",), ("http://a/b",), ("http://a?b",), ("http://b@a",), ("http://a:",), ("http://a:0",), ("http://a:65536",),
    ("http://a:1x",), ("http://[::1]:x",), ("http://" + 250 * "a",),
], ids=lambda words: " ".join(words)[:40])
def test_wrong_usage(store_kind, make_server, words):
    done = make_server().command("smoke", *words)
    assert done.returncode == 2 and "usage: confab smoke" in done.stderr


# --- a server that is none -----------------------------------------------------------------------------


def frame(payload, first=0x81, size=None):
    size = len(payload) if size is None else size
    head = bytes([size]) if size < 126 else b"\x7e" + struct.pack("!H", size) if size < 65536 else b"\x7f" + struct.pack("!Q", size)
    return bytes([first]) + head + payload


def joined(name, padding=0):
    return json.dumps({"type": "user_joined", "username": name, "more": padding * "x"}).encode()


class Played(http.server.BaseHTTPRequestHandler):
    """Answers calls as a server does, or as the test says; `talk` is what it does with a WebSocket."""

    protocol_version = "HTTP/1.1"
    answers = {"register": {}, "login": {"session_token": "token"}, "chatrooms": {"id": "6e0ba2a2-6d13-4f0c-a4a8-3a9d2b5d2b39"}, "join": {}}

    def do_POST(self):
        self.name = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}").get("username", "")
        answer = self.server.answers[self.path.rsplit("/", 1)[1]]
        if callable(answer):
            answer(self)
            return
        if self.name:
            self.server.names.append(self.name)
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        assert self.headers["Authorization"] == "Bearer token"
        self.close_connection = True
        self.server.talk(self)

    def accept(self, key=None):
        """The answer of RFC 6455, 4.2.2."""
        digest = hashlib.sha1(((key or self.headers["Sec-WebSocket-Key"]) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
                         + base64.b64encode(digest) + b"\r\n\r\n")

    def says(self, *frames):
        self.accept()
        for one in frames:
            self.wfile.write(one)
        self.connection.settimeout(servers.LIMIT_S)
        try:
            while self.rfile.read(1):
                pass
        except ConnectionError:
            pass

    def log_message(self, *_):
        pass


@pytest.fixture
def played(store_kind, make_server):
    """played(answers, talk): what `confab smoke` says of such a server."""
    def play(answers=None, talk=None, seconds=30):
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Played) as other:
            other.daemon_threads, other.block_on_close = True, False
            other.handle_error = lambda *_: None  # whom it hung up on
            other.answers, other.talk, other.names = {**Played.answers, **(answers or {})}, talk, []
            other.talked = False
            threading.Thread(target=other.serve_forever, daemon=True).start()
            try:
                url = f"http://127.0.0.1:{other.server_port}"
                return why_not(make_server().command("smoke", "--seconds", str(seconds), url)).removeprefix(f"{url}: ")
            finally:
                other.shutdown()
    return play


def says(bytes_of):
    return lambda handler: (handler.wfile.write(bytes_of), setattr(handler, "close_connection", True))


def endless(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        handler.wfile.write(4096 * b" ")


@pytest.mark.only_store("sqlite")
@pytest.mark.parametrize("step, answer, why", [
    ("login", {}, "a login without a token"), ("login", {"session_token": 300 * "t"}, "a login without a token"),
    ("login", {"session_token": 7}, "a login without a token"), ("login", b"[]", "a login without a token"),
    ("login", b"\x00\xff", "a login without a token"), ("chatrooms", {"id": 40 * "a"}, "a room without an id"),
    ("register", endless, "POST /api/v1/auth/register: the answer is too big"),
    ("register", says(b"HTTP/1.1 200 OK\r\n" + b"".join(b"A: %d\r\n" % n for n in range(3000))), "POST /api/v1/auth/register: the answer is too big"),
    ("register", says(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"), "POST /api/v1/auth/register is answered 302"),
    ("register", says(b"HTTP/1.1 429 Many\r\nContent-Length: 0\r\n\r\n"), "POST /api/v1/auth/register is answered 429"),
], ids=["no token", "a long one", "a number", "an array", "no text", "a long id", "no end", "a long head", "elsewhere", "refused"])
def test_answers_that_no_server_gives(played, step, answer, why):
    assert played({step: answer}) == why


@pytest.mark.only_store("sqlite")
@pytest.mark.parametrize("talk, why", [
    (lambda on: on.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), "no WebSocket: HS: ws upgrade response not 101"),
    (lambda on: on.wfile.write(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"), "no WebSocket: HS: ws upgrade unauthorized"),
    (lambda on: on.wfile.write(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n"),
     "no WebSocket: HS: ws upgrade response not 101"),
    (lambda on: on.accept("another"), "no WebSocket: HS: Accept hash wrong"),
    (lambda on: on.wfile.write(b"\x01\x02\x03\r\n\r\n"), "no WebSocket: "),
    (lambda on: on.wfile.write(b"HTTP/1.1 101 Yes\r\n" + 70000 * b"a"), "no WebSocket: "),
    (lambda on: None, "no WebSocket: "),
    (lambda on: on.accept(), "no user_joined: the WebSocket has broken off"),
    (lambda on: on.says(frame(b"\x03\xf0why", 0x88)), "no user_joined: the server has closed the WebSocket with 1008"),
    (lambda on: on.says(frame(b"", 0x88)), "no user_joined: the server has closed the WebSocket"),
    (lambda on: on.says(frame(b"{}", 0x83)), "no user_joined: the WebSocket has broken off"),
    (lambda on: on.says(frame(b"{}", 0xf1)), "no user_joined: the WebSocket has broken off"),
    (lambda on: on.says(frame(b"\xff\xff")), "no user_joined: a frame that no server sends"),
    (lambda on: on.says(frame(b"nonsense")), "a message that is none"),
    (lambda on: on.says(frame(b'{"type":"error"}')), "no user_joined: an error was told"),
    (lambda on: on.says(frame(joined("x", IN_MAX))), "no user_joined: too long a message"),
    (lambda on: on.says(*(frame(4096 * b" ", 0x00 if n else 0x01) for n in range(300))), "no user_joined: too long a message"),
    (lambda on: on.says(frame(4096 * b" ", size=1 << 40)), "no user_joined: took too long"),
], ids=["200", "401", "redirected", "another key", "no HTTP", "a long head", "nothing", "gone", "closed", "closed without a code", "an opcode",
        "bits", "no UTF-8", "no JSON", "an error", "too long", "too long in pieces", "never whole"])
def test_websockets_that_no_server_has(played, talk, why):
    said = played(talk=talk, seconds=2 if "took" in why else 30)
    assert said == why or (why == "no WebSocket: " and said.startswith(why))


@pytest.mark.only_store("sqlite")
@pytest.mark.parametrize("told, why", [(0, "no user_joined: took too long"), (1, "no user_joined: took too long"), (2, "no message_ack: took too long")],
                         ids=["nobody is told", "one is told", "a post is not answered"])
def test_a_websocket_that_falls_silent(played, told, why):
    left = list(range(told))

    def talk(on):
        mine = on.server.names[0 if len(left) == told else 2]  # each has registered and logged in
        on.says(frame(b"here?", 0x89), *([frame(joined(mine))] if left and left.pop() is not None else []))

    assert played(talk=talk, seconds=1) == why


@pytest.mark.only_store("sqlite")
def test_a_handshake_that_is_not_answered(played):
    assert played(talk=lambda on: on.rfile.read(1), seconds=1) == "took too long"


@pytest.mark.only_store("sqlite")
@pytest.mark.parametrize("more, why", [(0, "the server has closed the WebSocket with 1001"), (1, "no user_joined: too long a message")])
def test_a_message_as_long_as_may_be_in_pieces_between_pings(played, more, why):
    """Its size is written before it, in four bytes."""
    def talk(on):
        whole = joined(on.server.names[0])
        whole = joined(on.server.names[0], IN_MAX - 4 - len(whole) + more)
        pieces = [whole[at:at + 65535] for at in range(0, len(whole), 65535)]
        frames = [frame(one, (0x80 if n == len(pieces) - 1 else 0) | (0 if n else 1)) for n, one in enumerate(pieces)]
        if on.server.talked:
            frames = [frame(b"\x03\xe9", 0x88)]
        on.server.talked = True
        on.says(*(each for one in frames for each in (frame(b"here?", 0x89), one)))

    assert played(talk=talk).endswith(why)
