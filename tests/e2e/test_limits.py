"""P8, P9, P14: every bound at the bound and beyond; floods, slow heads and half-open sockets. The
server stays up, says what the contract says, and counts."""

import os
import pathlib
import random
import socket
import struct
import threading

import pytest

import server as servers
import ws

pytestmark = pytest.mark.only_store("sqlite")


def raw(server, data, limit=servers.LIMIT_S):
    """Sends bytes; status and headers of the answer."""
    one = ws.Socket(server.port)
    try:
        one.send(data)
        return one.read_head(limit)
    finally:
        one.close()


def get(server, path="/health", headers=b"", method=b"GET"):
    return raw(server, method + b" " + path.encode() + b" HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n")


def padded(size, method=b"GET", path=b"/health"):
    """A head of exactly `size` bytes with its empty line."""
    head = method + b" " + path + b" HTTP/1.1\r\nHost: x\r\nPad: "
    return head + b"p" * (size - len(head) - 4) + b"\r\n\r\n"


def still_serves(server):
    assert get(server)[0] == 200


# ---- heads and bodies


def test_a_head_of_16_kib_is_taken_and_more_is_431(store_kind, server):
    assert raw(server, padded(16384))[0] == 200
    assert raw(server, padded(16385))[0] == 431
    assert raw(server, padded(1 << 20))[0] == 431
    still_serves(server)


def test_a_target_of_8_kib_is_taken_and_more_is_414(store_kind, server):
    assert get(server, "/health?" + "q" * (8192 - 8))[0] == 200
    assert get(server, "/health?" + "q" * (8193 - 8))[0] == 414


def test_a_hundred_fields_are_taken_and_more_are_431(store_kind, server):
    assert get(server, headers=b"".join(b"F%d: x\r\n" % i for i in range(99)))[0] == 200
    assert get(server, headers=b"".join(b"F%d: x\r\n" % i for i in range(100)))[0] == 431


def register(size):
    body = b'{"username":"","pad":"' + b"p" * (size - 24) + b'"}'
    assert len(body) == size
    return b"POST /api/v1/auth/register HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size + body


def test_a_body_of_64_kib_is_taken_and_more_is_413(store_kind, server):
    assert raw(server, register(65536))[0] == 400  # read in full: the user name is what is wrong
    assert raw(server, register(65537))[0] == 413
    huge = b"POST /api/v1/auth/register HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
    assert raw(server, huge % (1 << 40))[0] == 413
    assert raw(server, huge % (1 << 80))[0] in (400, 413)
    still_serves(server)


@pytest.mark.parametrize("head, status", [
    (b"GET /health HTTP/1.1\r\n\r\n", 400),                                       # no Host
    (b"GET /health HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
    (b"GET /health HTTP/1.1\nHost: x\n\n", 400),                                   # bare LF
    (b"GET /health HTTP/1.1\r\nHost : x\r\n\r\n", 400),
    (b"GET /health HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", 400),
    (b"GET /health HTTP/1.1\r\nHost: x\r\nA: \x00\r\n\r\n", 400),
    (b"GET  /health HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET /health\r\nHost: x\r\n\r\n", 400),
    (b"GET /health HTTP/2.0\r\nHost: x\r\n\r\n", 505),
    (b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400),
    (b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", 400),
    (b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
    (b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2 \r\n{}\r\n0\r\n\r\n", 400),
    (b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n", 400),
    (b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
    (b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: +2\r\n\r\n{}", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 50 + b"\r\n\r\n", 400)])
def test_a_head_that_two_could_read_differently_is_refused(store_kind, server, head, status):
    assert raw(server, head)[0] == status
    still_serves(server)


@pytest.mark.server_env(CONFAB_HTTP_HEAD_TIMEOUT="1s", CONFAB_HTTP_BODY_TIMEOUT="1s", CONFAB_HTTP_KEEPALIVE="1s")
def test_slow_heads_slow_bodies_and_idle_connections_end(store_kind, server):
    silent, half, slow_body, idle = (ws.Socket(server.port) for _ in range(4))
    half.send(b"GET /health HT")
    slow_body.send(b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    idle.send(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    assert idle.read_head()[0] == 200
    for one in (silent, half, slow_body, idle):
        one.read_rest()  # ends when the server closes
        one.close()
    still_serves(server)


@pytest.mark.server_env(CONFAB_HTTP_HEAD_TIMEOUT="2s")
def test_a_head_that_drips_ends_too(store_kind, server):
    """Each byte in time does not make a head in time."""
    one = ws.Socket(server.port)
    head = iter(b"GET /health HTTP/1.1\r\nHost: x\r\nPad: " + b"p" * 10_000)
    gone = threading.Event()
    pause = threading.Event()

    def drip():
        try:
            while not gone.is_set():
                one.send(bytes([next(head)]))
                pause.wait(0.05)
        except OSError:
            pass
    thread = threading.Thread(target=drip)
    thread.start()
    one.read_rest()
    gone.set()
    thread.join()
    one.close()


def hold(server, count):
    """So many connections that stay open behind an answer."""
    held = []
    for _ in range(count):
        one = ws.Socket(server.port)
        one.send(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert one.read_head()[0] == 200
        held.append(one)
    return held


@pytest.mark.server_env(CONFAB_HTTP_CONNECTIONS_MAX="20")
def test_connections_up_to_the_cap_then_503_then_room_again(store_kind, server):
    held = hold(server, 20)
    assert get(server)[0] == 503
    for one in held:
        one.close()
    servers.until(lambda: get(server)[0] == 200, "room for new connections")


@pytest.mark.server_env(CONFAB_LIMITS_CONNECTIONS_PER_IP="5")
def test_connections_of_one_address_up_to_its_cap(store_kind, server):
    held = hold(server, 5)
    extra = ws.Socket(server.port)
    try:
        extra.send(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert extra.read_head()[0] in (429, 503)
    except (ws.Closed, OSError):
        pass  # closed without a word is a refusal too
    held.pop().close()
    servers.until(lambda: get_or_none(server) == 200, "room for one more")


def get_or_none(server):
    try:
        return get(server)[0]
    except (ws.Closed, OSError):
        return None


def test_a_thousand_half_open_connections_stop_nobody(store_kind, server):
    held = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(1000)]
    for one in held[::2]:
        one.send(b"GET /ws/chat/")
    still_serves(server)
    for i, one in enumerate(held):
        if i % 2:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.close()
    servers.until(lambda: open_files(server) < 20, "descriptors to be given back")
    still_serves(server)


def open_files(server):
    """Sockets alone: what links two actors is opened at its first use and stays."""
    count = 0
    for link in pathlib.Path(f"/proc/{server.pid}/fd").iterdir():
        try:
            count += os.readlink(link).startswith("socket:")
        except FileNotFoundError:
            pass  # closed meanwhile
    return count


# ---- sockets


@pytest.fixture
def room(server):
    ann = server.user("ann")
    return ann, ann.create_room()


@pytest.mark.only_store("sqlite", "postgres")
@pytest.mark.server_env(CONFAB_WS_PING="1s", CONFAB_WS_IDLE="4s")
def test_a_peer_that_vanished_is_dropped_and_one_that_answers_pings_stays(store_kind, server, room):
    ann, room_id = room
    lives, dead = ws.Chat(ann, room_id), ws.Chat(ann, room_id)
    lives.until("user_joined")
    before = lives.pings
    # `dead` reads nothing and answers nothing, as a machine without power; `lives` answers pings.
    assert lives.until("user_left") == {"type": "user_left", "username": "ann"}
    # A ping a second at most, by the timers that end who is idle: see test_acceptance.py, point 17.
    assert lives.pings - before <= 4 + 1 + 3, "it was let stay"
    lives.say("still here")
    dead.close()


def test_a_flood_of_posts_gets_an_answer_each(store_kind, server, room):
    """More than the credits of a connection: it is read slower, nothing is lost."""
    ann, room_id = room
    chat = ws.Chat(ann, room_id)
    count = 2000
    sender = threading.Thread(target=lambda: [chat.post(f"flood {i}", key=str(i)) for i in range(count)])
    sender.start()
    answers = {}
    while len(answers) < count:
        frame = chat.recv()
        if frame["type"] in ("message_ack", "error"):
            assert frame["client_key"] not in answers
            answers[frame["client_key"]] = frame
    sender.join()
    acked = [frame["id"] for frame in answers.values() if frame["type"] == "message_ack"]
    for frame in answers.values():
        assert frame["type"] == "message_ack" or frame["message"] == "Rate limit exceeded", frame
    assert sorted(acked) == sorted(message["id"] for message in ann.history(room_id))


def test_a_flood_of_pings_and_of_bad_frames_stops_nobody(store_kind, server, room):
    ann, room_id = room
    flood, other = ws.Chat(ann, room_id), ws.Chat(ann, room_id)
    for _ in range(5000):
        flood.send_frame(ws.PING, b"x" * 125)
    for _ in range(1000):
        flood.send_text("{")
    other.say("unimpressed")
    flood.reset()
    other.until("user_left")
    other.say("still here")


def test_a_message_that_never_ends_is_cut_at_its_cap(store_kind, server, room):
    ann, room_id = room
    chat = ws.Chat(ann, room_id)

    def pour():
        try:
            chat.send_frame(ws.TEXT, b'{"content":"', fin=False)
            for _ in range(10_000):
                chat.send_frame(ws.CONTINUATION, b"x" * 1000, fin=False)
        except OSError:
            pass  # the server has had enough
    sender = threading.Thread(target=pour)
    sender.start()
    assert chat.wait_closed() == 1009
    chat.close()
    sender.join()
    still_serves(server)


def test_a_frame_that_claims_2_to_the_63_bytes_is_refused(store_kind, server, room):
    ann, room_id = room
    for size in (1 << 62, (1 << 63) - 1, 16385, 65536):
        chat = ws.Chat(ann, room_id)
        chat.send(b"\x81\xff" + struct.pack("!Q", size) + b"mask" + b"x" * 16400)
        assert chat.wait_closed() in (1009, 1002)
        chat.close()
    still_serves(server)


# AddressSanitizer keeps what was freed for a while, to see a late use of it: that would be growth here
@pytest.mark.over_tls_too
@pytest.mark.server_env(CONFAB_LIMITS_SOCKETS_PER_USER="0",
                        **servers.sanitizer("quarantine_size_mb=0:thread_local_quarantine_size_kb=0"))
def test_memory_is_flat_over_a_thousand_connections(store_kind, server, room):
    """P24: after all peers left descriptors are back; memory does not grow from round to round."""
    ann, room_id = room
    sizes = []
    before = open_files(server)
    for _ in range(4):
        chats = [ws.WebSocket(server.port, f"/ws/chat/{room_id}", ann.token) for _ in range(250)]
        for chat in chats:
            chat.reset()
        servers.until(lambda: open_files(server) <= before, "descriptors to be given back")
        with open(f"/proc/{server.pid}/statm", encoding="ascii") as file:
            sizes.append(int(file.read().split()[1]) * 4)
    # ThreadSanitizer's own records of every address and thread grow, as it likes: 1 to 5 MiB here
    if not servers.built_with("libtsan"):
        assert sizes[-1] - sizes[1] <= 2048, f"RSS in KiB after each round: {sizes}"


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.over_tls_too
def test_random_bytes_on_every_layer_end_nothing(store_kind, server, room, seed):
    noise = random.Random(seed)
    ann, room_id = room
    for _ in range(60):
        layer = noise.randrange(3)
        data = noise.randbytes(noise.randrange(1, 2000))
        one = ws.Socket(server.port) if layer < 2 else ws.Chat(ann, room_id, wait=False)
        try:
            one.send((b"GET /ws/chat/" if layer == 1 else b"") + data)
        except OSError:
            pass
        one.reset()
    still_serves(server)
    ws.Chat(ann, room_id).say("still here")
