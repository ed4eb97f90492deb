"""The socket side of the rooms contract, sections 4, 5 and 6, and client keys."""

import json
import struct
import threading

import pytest

import server as servers
import ws
from ws import Chat, Closed, NotUpgraded

pytestmark = pytest.mark.over_tls_too
MISSING = "01a1f924-9471-7391-8886-641884dcdd56"
MEMBERS = {"type", "id", "user_id", "username", "content", "is_bot", "created_at", "chatroom_id", "seq"}


@pytest.fixture
def ann(server):
    return server.user("ann")


@pytest.fixture
def bob(server):
    return server.user("bob")


@pytest.fixture
def room(ann, bob):
    made = ann.create_room("General")
    bob.join(made)
    return made


def upgrade(server, path, token=None, **headers):
    """Status and body of an upgrade that is refused."""
    with pytest.raises(NotUpgraded) as caught:
        ws.WebSocket(server.port, path, token, {name.replace("_", "-"): value for name, value in headers.items()})
    return caught.value.status, caught.value.body.decode().strip(), caught.value.headers


def error(text):
    return json.dumps({"error": text}, separators=(",", ":"))


# ---- 4.1 checks, in this order


def test_credentials_of_three_kinds_the_first_valid_one_counts(store_kind, server, ann, room):
    path = f"/ws/chat/{room}"
    for token, query, headers in ((ann.token, "", {}),
                                  (None, f"?token={ann.token}", {}),
                                  (None, "", {"Authorization": f"Bearer {ann.token}"}),
                                  ("stale", f"?token={ann.token}", {}),
                                  ("stale", "?token=stale", {"Authorization": f"Bearer {ann.token}"})):
        ws.WebSocket(server.port, path + query, token, headers).close()
    ws.WebSocket(server.port, "/api/v1" + path, ann.token).close()


def test_who_is_not_let_in(store_kind, server, ann, room):
    path = f"/ws/chat/{room}"
    status, body, headers = upgrade(server, path)
    assert (status, body) == (401, error("No session token provided"))
    assert headers["content-type"].startswith("application/json")
    assert upgrade(server, path, "stale")[:2] == (401, error("Invalid or expired session"))
    assert upgrade(server, path + "?token=stale")[:2] == (401, error("Invalid or expired session"))
    assert upgrade(server, f"/ws/chat/{MISSING}", ann.token)[:2] == (404, error("chatroom not found"))
    assert upgrade(server, "/ws/chat/xyz", ann.token)[:2] == (404, error("chatroom not found"))
    assert upgrade(server, f"/ws/chat/{room.upper()}", ann.token)[:2] == (404, error("chatroom not found"))
    stranger = server.user("eve")
    assert upgrade(server, path, stranger.token)[:2] == (403, error("Not a member of this chatroom"))


@pytest.mark.parametrize("headers", [
    {"Connection": None}, {"Connection": "keep-alive"}, {"Upgrade": None}, {"Upgrade": "h2c"},
    {"Sec_WebSocket_Version": "8"}, {"Sec_WebSocket_Version": None}, {"Sec_WebSocket_Key": None},
    {"Sec_WebSocket_Key": "abc"}, {"Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ"},
    {"Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZTEyMw=="}])
def test_a_bad_handshake_is_400(store_kind, server, ann, room, headers):
    status, body, answer = upgrade(server, f"/ws/chat/{room}", ann.token, **headers)
    assert (status, body) == (400, "Bad Request")
    assert answer["sec-websocket-version"] == "13"


@pytest.mark.only_store("sqlite")
def test_who_you_are_comes_before_how_you_ask(store_kind, server, ann, room):
    """The order of 4.1: a bad handshake without a session is 401, of a stranger 403."""
    assert upgrade(server, f"/ws/chat/{room}", None, Sec_WebSocket_Key="abc")[0] == 401
    assert upgrade(server, f"/ws/chat/{room}", server.user("eve").token, Upgrade="x")[0] == 403
    assert upgrade(server, f"/ws/chat/{room}", ann.token, Sec_WebSocket_Key="abc", Origin="https://evil.test")[0] == 403


def test_origins(store_kind, make_server):
    server = make_server({"CONFAB_HTTP_ALLOWED_ORIGINS": "https://app.test"}).start()
    ann = server.user("ann")
    room = ann.create_room()
    path = f"/ws/chat/{room}"
    for origin in ("https://evil.test", "https://app.test.evil.test", "http://app.test", "null",
                   f"http://127.0.0.1:{server.port + 1}", f"https://127.0.0.1:{server.port + 1}"):
        assert upgrade(server, path, ann.token, Origin=origin)[:2] == (403, "Forbidden")
    for origin in (None, "https://app.test", server.url):
        ws.WebSocket(server.port, path, ann.token, {"Origin": origin}).close()


def test_the_101_names_no_protocol_and_no_extension(store_kind, server, ann, room):
    one = ws.WebSocket(server.port, f"/ws/chat/{room}", ann.token,
                       {"Sec-WebSocket-Extensions": "permessage-deflate", "Sec-WebSocket-Protocol": "chat"})
    assert "sec-websocket-extensions" not in one.headers and "sec-websocket-protocol" not in one.headers
    one.close()


# ---- 5 and 6: posts


def test_ack_first_then_the_same_message_to_all(store_kind, ann, bob, room):
    first, second = Chat(ann, room), Chat(bob, room)
    first.until("user_joined", username="bob")
    first.post("hello", key="k1")
    frames = []
    while not frames or frames[-1]["type"] != "chat_message":
        frame = first.recv()
        if frame["type"] in ("message_ack", "chat_message"):
            frames.append(frame)
    ack, own = frames
    assert ack["type"] == "message_ack" and ack["client_key"] == "k1" and "content" not in ack
    assert set(own) == MEMBERS
    assert own["id"] == ack["id"] and own["seq"] == ack["seq"] == 1 and own["is_bot"] is False
    assert (own["user_id"], own["username"], own["content"], own["chatroom_id"]) == (ann.id, "ann", "hello", room)
    assert second.until("chat_message") == own
    (stored,) = ann.messages(room)
    assert stored.items() >= {key: own[key] for key in MEMBERS - {"type"}}.items()


@pytest.mark.parametrize("content", [
    "x", " ", "x" * 1000, "\U0001f600" * 1000, "<script>\"'&</script>", "tab\there\r\nline", " padded ",
    "\u2028\u00a0", "/stock=", "/STOCK=x", "/stock=A B", "/help", "/hello bob", "a\\u0041"])
def test_content_comes_back_byte_for_byte(store_kind, ann, room, content):
    chat = Chat(ann, room)
    chat.post(content)
    assert chat.until("chat_message")["content"] == content
    assert ann.messages(room)[0]["content"] == content


@pytest.mark.parametrize("frame", [
    {"content": "x"}, {"type": "message", "content": "x", "timestamp": 1}, {"type": 7, "content": "x"},
    {"type": "chat_message", "content": "x", "timestamp": "2026-01-28T10:30:00Z", "more": {"deep": [1]}}])
def test_type_and_timestamp_are_ignored(store_kind, ann, room, frame):
    chat = Chat(ann, room)
    chat.send_text(json.dumps(frame))
    assert chat.until("chat_message")["content"] == "x"


def test_binary_and_fragments_are_a_message_like_any(store_kind, ann, room):
    chat = Chat(ann, room)
    chat.send_frame(ws.BINARY, b'{"content":"binary"}')
    assert chat.until("chat_message")["content"] == "binary"
    text = '{"content":"frägments"}'.encode()
    for i in range(len(text)):  # also through the middle of a character
        chat.send_frame(ws.TEXT if i == 0 else ws.CONTINUATION, text[i:i + 1], fin=i == len(text) - 1)
        if i == 5:
            chat.send_frame(ws.PING, b"between")
    assert chat.until("chat_message")["content"] == "frägments"


@pytest.mark.parametrize("text, message", [
    ("{", "Invalid message format"), ("[]", "Invalid message format"), ("{}", "Invalid message format"),
    ('{"content":1}', "Invalid message format"), ('{"content":null}', "Invalid message format"),
    ("", "Invalid message format"), ('"content"', "Invalid message format"),
    ("[" * 5000, "Invalid message format"),
    ('{"content":"x","client_key":""}', "Invalid message format"),
    ('{"content":"x","client_key":1}', "Invalid message format"),
    ('{"content":"x","client_key":"' + "k" * 65 + '"}', "Invalid message format"),
    ('{"content":""}', "Message must be between 1 and 1000 characters"),
    (json.dumps({"content": "x" * 1001}), "Message must be between 1 and 1000 characters"),
    (json.dumps({"content": "\U0001f600" * 1001}, ensure_ascii=False), "Message must be between 1 and 1000 characters"),
    ('{"content":"a\\u0000b"}', None), ('{"content":"a\\u0007b"}', None)])
def test_a_bad_message_gets_an_error_and_the_socket_stays(store_kind, ann, room, text, message):
    chat = Chat(ann, room)
    chat.send_text(text)
    frame = chat.until("error")
    assert message is None or frame["message"] == message
    assert frame["code"] == frame["code"].upper() and "content" not in frame
    chat.say("still here")
    assert [m["content"] for m in ann.messages(room)] == ["still here"]


def test_an_error_names_the_client_key(store_kind, ann, room):
    chat = Chat(ann, room)
    chat.post("", key="mine")
    assert chat.until("error")["client_key"] == "mine"


def test_a_frame_of_16_kib_is_taken_and_one_byte_more_is_1009(store_kind, ann, room):
    def frame(size):
        head = b'{"content":"x","pad":"'
        return head + b"p" * (size - len(head) - 2) + b'"}'
    chat = Chat(ann, room)
    chat.send_frame(ws.TEXT, frame(16384))
    assert chat.until("chat_message")["content"] == "x"
    chat.send_frame(ws.TEXT, frame(16385))
    assert chat.wait_closed() == 1009
    chat = Chat(ann, room)
    for part in (frame(16385)[:9000], frame(16385)[9000:]):
        chat.send_frame(ws.TEXT if part.startswith(b"{") else ws.CONTINUATION, part, fin=not part.startswith(b"{"))
    assert chat.wait_closed() == 1009


@pytest.mark.only_store("sqlite")
@pytest.mark.parametrize("opcode, payload, options, code", [
    (ws.TEXT, b'{"content":"\xff"}', {}, 1007),
    (ws.TEXT, b'{"content":"\xed\xa0\x80"}', {}, 1007),
    (ws.TEXT, b'{"content":"x"}', {"rsv": 4}, 1002),
    (3, b"x", {}, 1002), (11, b"", {}, 1002),
    (ws.CONTINUATION, b"x", {}, 1002),
    (ws.PING, b"x", {"fin": False}, 1002)])
def test_a_broken_frame_closes_with_its_code(store_kind, ann, bob, room, opcode, payload, options, code):
    other = Chat(bob, room)
    chat = Chat(ann, room)
    chat.send_frame(opcode, payload, **options)
    assert chat.wait_closed() == code
    other.until("user_left", username="ann")
    other.say("still here")


def test_ping_is_answered_and_close_is_echoed(store_kind, ann, room):
    chat = Chat(ann, room)
    chat.send_frame(ws.PING, b"12345")
    while (frame := chat.recv_frame())[0] != ws.PONG:
        pass
    assert frame[1] == b"12345"
    for code in (1000, 1001, 3000, 4999):
        chat = Chat(ann, room)
        chat.send_frame(ws.CLOSE, struct.pack("!H", code) + b"bye")
        assert chat.wait_closed() == code
        assert not chat.fill(), "the server closes the connection"


# ---- 6.4: joins, leaves, counts


def test_joined_left_and_counts(store_kind, server, ann, bob, room):
    first = Chat(ann, room, wait=False)
    assert first.until("user_joined") == {"type": "user_joined", "username": "ann"}
    second = Chat(bob, room, wait=False)
    assert first.until("user_joined")["username"] == "bob"
    assert second.until("user_joined")["username"] == "bob", "the new one sees itself, and only itself"
    tab = Chat(bob, room)
    assert first.until("user_joined")["username"] == "bob", "a second tab joins again"
    while first.until("user_count_update")["user_counts"].get(room) != 3:
        pass
    (entry,) = ann.call("GET", "/chatrooms")["chatrooms"]
    assert entry["user_count"] == 3
    assert tab.leave() == 1000
    assert first.until("user_left") == {"type": "user_left", "username": "bob"}
    second.reset()
    first.until("user_left", username="bob")
    while first.until("user_count_update")["user_counts"].get(room) != 1:
        pass
    first.leave()


def test_counts_go_to_sockets_of_every_room(store_kind, ann, bob, room):
    other = ann.create_room("other")
    watcher = Chat(ann, other)
    chat = Chat(bob, room)
    while watcher.until("user_count_update")["user_counts"].get(room) != 1:
        pass
    chat.leave()
    while room in watcher.until("user_count_update")["user_counts"]:
        pass


def test_history_is_not_sent_over_the_socket(store_kind, ann, bob, room):
    Chat(ann, room).say("before")
    late = Chat(bob, room)
    late.say("after")
    assert late.until("chat_message")["content"] == "after"


def test_logout_closes_the_sockets_of_that_session(store_kind, server, ann, room):
    other = server.client()
    other.login("ann")
    chat, stays = Chat(ann, room), Chat(other, room)
    ann.call("POST", "/auth/logout")
    assert chat.wait_closed() == 1008
    stays.say("still here")


# ---- client keys


def count(client, room):
    return len(client.history(room))


def test_a_repeated_key_gives_the_same_post(store_kind, server, ann, bob, room):
    chat, other = Chat(ann, room), Chat(bob, room)
    first = chat.say("once", key="k")
    for again in (chat, Chat(ann, room)):
        assert again.say("once", key="k") == first
    assert other.until("chat_message")["id"] == first
    other.say("next")
    assert other.until("chat_message")["content"] == "next", "the repeat was not shown again"
    server.kill()
    server.start()
    again = Chat(server.client(token=ann.token), room)
    assert again.say("once", key="k") == first
    assert count(server.client(token=ann.token), room) == 2


def test_keys_are_each_users_and_each_rooms_own(store_kind, ann, bob, room):
    other_room = ann.create_room()
    ids = {Chat(ann, room).say("mine", key="k"), Chat(bob, room).say("mine", key="k"),
           Chat(ann, other_room).say("mine", key="k")}
    assert len(ids) == 3


def test_a_key_with_another_body_is_refused(store_kind, server, ann, room):
    chat = Chat(ann, room)
    chat.say("one", key="k")
    for _ in range(2):
        chat.post("two", key="k")
        frame = chat.until("error")
        assert frame["client_key"] == "k" and frame["code"]
        server.kill()
        server.start()
        chat = Chat(server.client(token=ann.token), room)
    assert count(server.client(token=ann.token), room) == 1


def test_sixteen_repeats_at_once_wait_for_one_verdict(store_kind, ann, room):
    chats = [Chat(ann, room) for _ in range(16)]
    ids = []
    threads = [threading.Thread(target=lambda chat=chat: ids.append(chat.say("once", key="k"))) for chat in chats]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 16 and len(set(ids)) == 1
    assert count(ann, room) == 1


@pytest.mark.parametrize("key", ["k", "k" * 64, "ключ", "\U0001f511" * 16, "\"quotes\"&<b>"])
def test_keys_of_any_text_up_to_64_bytes(store_kind, ann, room, key):
    chat = Chat(ann, room)
    assert chat.say("x", key=key) == chat.say("x", key=key)


def test_without_a_key_equal_posts_are_two(store_kind, ann, room):
    chat = Chat(ann, room)
    assert chat.say("same") != chat.say("same")
    assert count(ann, room) == 2


# ---- rooms that were put away


@pytest.mark.server_env(CONFAB_ROOMS_IDLE="100ms")
def test_a_room_that_was_put_away_comes_back(store_kind, server, ann, room):
    """Posts and joins race the retirement of their idle room; none is met with silence."""
    last = 0
    for turn in range(60):
        chat = Chat(ann, room)
        chat.post(f"post {turn}")
        ack = chat.until("message_ack")
        assert ack["seq"] == last + 1
        last = ack["seq"]
        chat.leave()
        # From a moment before the room may retire to a moment after.
        threading.Event().wait(0.08 + turn % 30 * 0.005)
    assert count(ann, room) == 60


# ---- what the server may not do


def test_commands_are_not_stored(store_kind, ann, room):
    chat = Chat(ann, room)
    for command in ("/stock=aapl.us", "/hello", "  /hello \t"):
        chat.post(command)
        chat.until("chat_message", is_bot=True)
    chat.say("an ordinary post")
    assert [message["content"] for message in ann.messages(room)] == ["an ordinary post"]


def test_data_sent_with_the_upgrade_gets_no_service(store_kind, server, ann, room):
    """Nothing may be sent before the 101: such a connection ends, or what came early is a frame."""
    raw = ws.Socket(server.port)
    head = ws.request(f"/ws/chat/{room}", {
        "Host": f"127.0.0.1:{server.port}", "Connection": "Upgrade", "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Cookie": f"session_id={ann.token}"})
    raw.send(head + b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = raw.read_rest()
    assert answer.count(b"HTTP/1.1") <= 1
    raw.close()
    Chat(ann, room).say("still here")


def test_closed_is_an_end(store_kind, ann, room):
    chat = Chat(ann, room)
    chat.send_frame(ws.CLOSE, struct.pack("!H", 1000))
    chat.send_text('{"content":"after the close"}')
    with pytest.raises(Closed):
        while True:
            chat.recv_frame()
    assert ann.messages(room) == []


@pytest.mark.server_env(CONFAB_WS_CLOSE_TIMEOUT="1m")
@pytest.mark.parametrize("how", ["logout", "a frame too big", "a frame that is not UTF-8"])
def test_who_is_closed_has_left_whether_the_close_is_answered_or_not(store_kind, server, how):
    """The others are told when the server has decided, and not when the client agrees or its time is over."""
    ann, bob = server.user("ann"), server.user("bob")
    room = ann.create_room()
    bob.join(room)
    chat, silent = Chat(ann, room), Chat(bob, room)
    chat.until("user_joined", username="bob")
    if how == "logout":
        bob.call("POST", "/auth/logout")
    else:
        silent.send_frame(1, b"\xff" if "UTF-8" in how else b"x" * 20_000)
    silent.post("behind the end")
    assert chat.until("user_left", limit=40)["username"] == "bob"
    servers.until(lambda: ann.call("GET", "/chatrooms")["chatrooms"][0]["user_count"] == 1, "the count")
    servers.until(lambda: server.metrics()["websocket_connections_active"] == 1, "the gauge")
    chat.say("only this")
    assert [message["content"] for message in ann.history(room)] == ["only this"]
    assert silent.wait_closed() in (1008, 1009, 1007)
    silent.close()
    again = server.client()
    again.login("bob")
    Chat(again, room).say("back")
