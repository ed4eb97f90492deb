"""P23: no password, token, key or message text in logs, metrics, command lines or error bodies. Every other test is
checked the same way for what it planted (support/planted.py, conftest.py); here the log is at its loudest, and
secrets stand wherever a client can put them."""

import json
import secrets

import pytest

import planted
import server as servers
import ws
from rest import Refused
from ws import Chat, Closed, NotUpgraded

LOUD = {"CONFAB_LOG_LEVEL": "debug", "CONFAB_LOG_MESSAGES": "true"}
# What would end a line, a string or a header, or steer a terminal.
HOSTILE = ["\r\nSet-Cookie: a=b", "\n{\"level\":\"error\",\"msg\":\"forged\"}", "\x1b[2J\x1b]0;t\x07", "\"}\n", "\\", "\u2028\x85",
           "%0d%0aX: y", "{{{{", "\x00after"]


def secret(kind):
    return planted.plant(f"{kind}-{secrets.token_hex(12)}")


def try_(call, *args, **kwargs):
    """Carries out what may be refused."""
    try:
        return call(*args, **kwargs)
    except (Refused, NotUpgraded, Closed):
        return None


def use_everything(server):
    """Each operation, right and wrong, with planted values in every place a client has."""
    ann, bob = server.client(), server.client()
    password = secret("password")
    for client, name in ((ann, "ann"), (bob, "bob")):
        client.register(name, password)
        try_(client.login, name, secret("wrong-password"))
        client.login(name, password)
    try_(ann.register, "ann", secret("password"))
    for body in ('{"username":"ann","password":"%s"' % secret("cut-body"), '{"password":%s}' % json.dumps(secret("no-name")),
                 '["%s"]' % secret("list-body"), json.dumps({"username": secret("long") * 60, "password": secret("x")})):
        for path in ("/auth/login", "/auth/register", "/chatrooms"):
            try_(ann.call, "POST", path, body)
    room = ann.create_room("a room")
    bob.join(room)
    for token in (secret("token"), planted.plant(ann.token + "x"), planted.plant("x" * 300)):
        try_(server.client(token=token).call, "GET", "/auth/me")
        try_(server.client().call, "GET", "/auth/me", headers={"Authorization": f"Bearer {token}"})
        try_(ws.WebSocket, server.port, f"/ws/chat/{room}?token={token}")
        server.client().raw("GET", f"/nothing?token={token}")
        server.client().raw("GET", f"/?token={token}")
    ws.WebSocket(server.port, f"/ws/chat/{room}?token={ann.token}").close()
    ws.WebSocket(server.port, f"/ws/chat/{room}", None, {"Authorization": f"Bearer {ann.token}"}).close()
    chat, other = Chat(ann, room), Chat(bob, room)
    text = secret("message")
    chat.say(text, key=secret("client-key"))
    other.until("chat_message", content=text)
    for content in (secret("message") + "\x07", "", secret("message") * 60, "/stock=" + secret("CODE"), "/hello " + secret("name")):
        chat.post(content)
    chat.send_text('{"content":"%s"' % secret("cut-message"))
    chat.send_text(json.dumps({"content": secret("message"), "client_key": secret("key") * 5}))
    chat.until("error", code="INVALID_FORMAT")
    ann.messages(room)
    try_(ann.call, "GET", f"/chatrooms/{room}/messages?before={secret('cursor')}")
    broken = Chat(bob, room)
    broken.send_frame(ws.TEXT, b'{"content":"%s\xff"}' % secret("ill-formed").encode())
    broken.wait_closed()
    raw = ws.Socket(server.port)
    raw.send(f"GET /{secret('path')} HTTP/1.1\nCookie: session_id={secret('cookie')}\n\n".encode())
    raw.read_rest()
    ann.call("POST", "/auth/logout")
    try_(ann.call, "GET", "/auth/me")


def test_nothing_that_is_told_in_confidence_is_told_on(store_kind, make_server):
    server = make_server(LOUD).start()
    use_everything(server)
    servers.until(lambda: server.metrics()["confab_logins_failed_total"] >= 2, "the counters")
    assert planted.found_in(server.scrape()) == []
    assert planted.found_in(server.command_line()) == []
    assert server.wait_log(lambda line: line["msg"] == "answered"), "the log is as loud as it gets"
    assert any(line["level"] == "debug" and "type" in line for line in server.lines), "messages are logged"
    server.terminate()
    # what it has logged is judged by the fixture


def test_the_checks_find_what_is_planted():
    planted.forget_all()
    text = secret("found")
    assert planted.found_in(f"a line with {text} in it") == [text]
    assert planted.found_in(planted.all_text({"a": [{"b": f"x{text}"}]})) == [text]
    assert planted.found_in(planted.all_text({text: 1})) == [text]
    assert planted.found_in("another line") == []
    assert planted.plant("short") == "short" and planted.found_in("short") == []
    planted.forget_all()


@pytest.mark.only_store("postgres")
@pytest.mark.own_cluster
def test_an_absent_store_is_not_named_with_its_password(store_kind, make_server):
    server = make_server(LOUD)
    server.allow_errors("store|postgres|cannot start")
    server.store.cluster.stop_fast()
    server.launch(CONFAB_STORE_START_WAIT="1s")
    assert server.wait_exit() == 69
    server.launch(CONFAB_STORE_URL="postgres://u:" + secret("other-password") + "@127.0.0.1:1/d?bad-option=" + secret("opt"),
                  CONFAB_STORE_START_WAIT="1s")
    assert server.wait_exit() in (69, 78)


# ---- one record stays one record


@pytest.mark.only_store("sqlite")
@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_what_a_client_sends_forges_no_log_line_and_no_header(store_kind, make_server, text):
    server = make_server(LOUD).start()
    ann = server.user("ann")
    room = ann.create_room("a room")
    for name, value in (("X-Request-Id", text), ("Origin", text), ("User-Agent", text), ("Sec-Fetch-Site", text),
                        ("Authorization", f"Bearer {text}"), ("Cookie", f"session_id={text}"), ("X-Forwarded-For", text)):
        raw = ws.Socket(server.port)
        raw.send(b"GET /api/v1/auth/me HTTP/1.1\r\nHost: a\r\n" + f"{name}: {text}\r\n".encode() + b"Connection: close\r\n\r\n")
        answer = raw.read_rest()
        head, _, body = answer.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        assert lines[0].split()[1] in (b"400", b"401"), (name, lines[0])
        assert all(b": " in line for line in lines[1:]) and b"a=b" not in head and b"X: y" not in head
        assert json.loads(body)["error"]
        raw.close()
    for body in ({"username": text, "password": text}, {"username": "ann", "password": text}):
        try_(ann.call, "POST", "/auth/login", body)
    try_(ann.create_room, text)
    chat = Chat(ann, room)
    chat.post(text)
    chat.post("x", key=text)
    chat.post("still here")
    chat.until("chat_message", content="still here")
    server.terminate()
    assert server.not_json == []
    assert not any(line["msg"] == "forged" for line in server.lines)
