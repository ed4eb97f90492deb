"""Answers at the edges of the rooms contract: methods, bodies, cursors, request ids, headers, an absent store."""

import concurrent.futures
import json
import re
import uuid

import pytest

import server as servers
import ws
from rest import Refused
from test_rest import MISSING, refused

POST_ONLY = ["/api/v1/auth/register", "/api/v1/auth/login", "/api/v1/auth/logout",
             f"/api/v1/chatrooms/{MISSING}/join"]
GET_ONLY = ["/api/v1/auth/me", f"/api/v1/chatrooms/{MISSING}/messages", f"/ws/chat/{MISSING}", "/health",
            "/health/ready", "/livez", "/readyz", "/metrics", "/openapi.json"]
ALLOWED = {**{path: ["POST"] for path in POST_ONLY}, **{path: ["GET"] for path in GET_ONLY},
           "/api/v1/chatrooms": ["GET", "POST"]}


# ---- 2.3 routing


@pytest.mark.only_store("sqlite")
def test_every_method_a_path_does_not_have_is_405_with_one_allow_for_each_it_has(store_kind, server):
    client = server.client(keep=True)
    for path, allowed in ALLOWED.items():
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "get"):
            if method in allowed or method == "HEAD" and "GET" in allowed:
                continue
            status, headers, body = client.raw(method, path)
            assert (status, headers.get_all("Allow"), body) == (405, allowed, b""), (method, path)
            assert headers["Content-Length"] == "0" and "Content-Type" not in headers


@pytest.mark.only_store("sqlite")
def test_head_is_get_without_its_body(store_kind, server):
    ann = server.user("ann")
    cookie = {"Cookie": f"session_id={ann.token}"}
    vary = {"Date", "X-Request-Id", "Content-Length"}
    for path in ["/", "/health", "/health/ready", "/openapi.json", "/nothing", "/api/v1/auth/me", "/api/v1/chatrooms",
                 f"/api/v1/chatrooms/{MISSING}/messages"]:
        get, head = (ann.raw(method, path, headers=cookie) for method in ("GET", "HEAD"))
        assert head[0] == get[0] and head[2] == b"" and get[2] != b""
        assert {k: v for k, v in head[1].items() if k not in vary} == {k: v for k, v in get[1].items() if k not in vary}
        assert abs(int(head[1]["Content-Length"]) - len(get[2])) < 10  # times in bodies differ in length


@pytest.mark.parametrize("path", ["/", "/health", "/nothing", "/api/v1/auth/login", "/api/v1/chatrooms//join", "/ws/chat/x"])
def test_options_is_200_and_empty_anywhere(store_kind, server, path):
    for headers in ({}, {"Origin": "https://evil.test"}, {"Origin": "http://localhost:3000"}):
        status, got, body = server.client().raw("OPTIONS", path, headers=headers)
        assert (status, body, got["Content-Length"]) == (200, b"", "0")
        assert ("Access-Control-Allow-Origin" in got) == (headers.get("Origin") == "http://localhost:3000")


@pytest.mark.only_store("sqlite")
def test_paths_that_are_none(store_kind, server):
    client = server.client(keep=True)
    for path in ("/api", "/api/v1", "/api/v1/", "/api/v1/chatroom", "/api/v1/chatrooms/x", "/api/v1//auth/me", "//", "/%2e%2e",
                 f"/api/v1/chatrooms/{MISSING}/join/more", f"/api/v1/chatrooms/{MISSING}", "/API/V1/AUTH/ME",
                 f"/ws/chat/{MISSING}/x", "/ws/chat", "/api/v1/auth/%6de", "/health;x"):
        for method in ("GET", "POST"):
            status, headers, body = client.raw(method, path)
            assert (status, headers["Content-Type"], body) == (404, "text/plain; charset=utf-8", b"Not Found\n"), path


@pytest.mark.only_store("sqlite")
def test_an_empty_room_id_reaches_the_handler(store_kind, server):
    ann = server.user("ann")
    refused(400, "Chatroom ID required", ann.call, "POST", "/chatrooms//join")
    refused(400, "Chatroom ID required", ann.call, "GET", "/chatrooms//messages")
    refused(401, "Not authenticated", server.client().call, "POST", "/chatrooms//join")
    with pytest.raises(ws.NotUpgraded) as caught:
        ws.WebSocket(server.port, "/ws/chat/", ann.token)
    assert caught.value.status == 400 and json.loads(caught.value.body) == {"error": "Chatroom ID required"}


# ---- 2.1 bodies


def room_name(client, body):
    """The name of a room made with this body, as bytes."""
    status, _, answer = client.raw("POST", "/api/v1/chatrooms", body, {"Cookie": f"session_id={client.token}"}, lax=True)
    assert status == 201, answer
    return json.loads(answer)["name"]


@pytest.mark.only_store("sqlite")
def test_json_input_is_read_laxly(store_kind, server):
    ann = server.user("ann")
    for body, name in ((b'{"NAME":"a"}', "a"), (b'{"nAmE":"a","more":{"name":"x"}}', "a"),
                       (b'{"name":"a","name":"b"}', "b"), (b'{"name":"a","Name":"b"}', "b"),
                       (b'{"Name":"a","name":"b","NAME":"c"}', "c"), (b' \r\n\t{"name":"a"}garbage', "a"),
                       (b'{"name":"a"}{"name":"b"}', "a"), (b'{"name":"a"}\x00', "a"),
                       (b'{"name":"a\xffb"}', "a\ufffdb"), (b'{"name":"\xed\xa0\x80"}', "\ufffd\ufffd\ufffd"),
                       (b'{"name":"\xc3"}', "\ufffd"), (b'{"name":"\\u00e4\\ud83d\\ude00"}', "\u00e4\U0001f600"),
                       ('{"name":"\U0001f600"}'.encode(), "\U0001f600"), (b'{"name":"a","ephemeral":null}', "a")):
        assert room_name(ann, body) == name, body


@pytest.mark.only_store("sqlite")
@pytest.mark.parametrize("body", [b'{"name":1}', b'{"name":["a"]}', b'{"name":{}}', b'{"name":true}', b'{"name":"a"', b"{name:1}",
                                  b"[" * 60000, b'{"a":' * 10000, b"\xef\xbb\xbf{}", b'{"name":"a","ephemeral":1}'],
                         ids=lambda body: repr(body[:20]))
def test_what_is_no_such_object_is_400(store_kind, server, body):
    ann = server.user("ann")
    refused(400, "Invalid request body", ann.call, "POST", "/chatrooms", body)


@pytest.mark.only_store("sqlite")
def test_a_body_of_64_kib_and_one_byte_more(store_kind, server):
    ann = server.user("ann")

    def body(size):
        head = b'{"name":"x","pad":"'
        return head + b"p" * (size - len(head) - 2) + b'"}'
    ann.call("POST", "/chatrooms", body(65536))
    status, headers, answer = ann.raw("POST", "/api/v1/chatrooms", body(65537))
    assert status == 413 and headers["Content-Type"] == "application/json"
    assert json.loads(answer) == {"error": "Content Too Large"}


@pytest.mark.only_store("sqlite")
def test_a_chunked_body_is_a_body(store_kind, server):
    """As clients send that do not know its length beforehand; and cookies in two lines."""
    ann = server.user("ann")
    head = (f"POST /api/v1/chatrooms HTTP/1.1\r\nHost: x\r\nCookie: theme=dark\r\nCookie: session_id={ann.token}\r\n"
            "Transfer-Encoding: chunked\r\n\r\n").encode()
    raw = ws.Socket(server.port)
    for end in (b"0\r\n\r\n", b"0;last\r\nDigest: x\r\n\r\n"):  # one behind the other on one connection
        body = b'{"name":"in chunks"}'
        raw.send(head + b"".join(b"%x;n=%d\r\n%s\r\n" % (len(part), i, part) for i, part in
                                 enumerate((body[:1], body[1:13], body[13:]))) + end)
        status, headers = raw.read_head()
        assert status == 201
        assert json.loads(raw.take(int(headers["content-length"])))["name"] == "in chunks"
    raw.send(head + b"10001\r\n")
    assert raw.read_head()[0] == 413
    raw.close()


SAYS = b"Host: x\r\nOrigin: http://localhost:3000\r\nX-Request-Id: me1\r\n"
SHARED = {"Access-Control-Allow-Origin": "http://localhost:3000", "Access-Control-Allow-Credentials": "true",
          "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE, OPTIONS",
          "Access-Control-Allow-Headers": "Content-Type, Authorization"}


@pytest.mark.only_store("sqlite")
@pytest.mark.server_env(CONFAB_HTTP_HEAD_TIMEOUT="1s", CONFAB_HTTP_BODY_TIMEOUT="1s")
@pytest.mark.parametrize("request_, status, is_read", [
    (b"POST /api/v1/auth/login HTTP/1.1\r\n" + SAYS + b"Content-Length: 65537\r\n\r\n", 413, True),
    (b"POST /api/v1/auth/login HTTP/1.1\r\n" + SAYS + b"Content-Length: 2\r\n\r\n{", 408, True),
    (b"POST /api/v1/auth/login HTTP/1.1\r\n" + SAYS + b"Expect: more\r\n\r\n", 417, True),
    (b"GET / HTTP/1.1\r\n" + SAYS + b"Host: y\r\n\r\n", 400, False),
    (b"GET / HTTP/1.1\r\n" + SAYS + b"\x01\r\n\r\n", 400, False),
    (b"GET / HTTP/1.1\r\n" + SAYS + b"Pad: " + b"p" * 20000 + b"\r\n\r\n", 431, False),
    (b"GET / HTTP/1.1\r\n" + SAYS, 408, False)])
def test_what_never_became_a_request_is_answered_like_the_rest(store_kind, server, request_, status, is_read):
    """Origin and request id count as soon as a head was read; before that there is an id of our own."""
    raw = ws.Socket(server.port)
    raw.send(request_)
    got, headers = raw.read_head()
    raw.close()
    assert got == status and headers["vary"] == "Origin"
    assert {name: headers.get(name.lower()) for name in SHARED} == (SHARED if is_read else dict.fromkeys(SHARED))
    assert re.fullmatch("me1" if is_read else "[0-9a-f]{32}", headers["x-request-id"])


def test_no_body_and_no_content_type_where_none_is_needed(store_kind, server):
    ann = server.user("ann")
    room = ann.create_room()
    for path in (f"/chatrooms/{room}/join", "/auth/logout"):
        raw = ws.Socket(server.port)
        raw.send(f"POST /api/v1{path} HTTP/1.1\r\nHost: x\r\nCookie: session_id={ann.token}\r\n\r\n".encode())
        assert raw.read_head()[0] == 200
        raw.close()


@pytest.mark.only_store("sqlite")
@pytest.mark.parametrize("name", ["a\tb", "a\nb", "a\rb", "\x00", "\x1b[31m", "a\x7f", "\x80", "\x9f", "x\u0085"])
def test_control_characters_in_a_room_name_are_400(store_kind, server, name):
    refused(400, "invalid input", server.user("ann").call, "POST", "/chatrooms", {"name": name})


# ---- 3.8 cursors


@pytest.mark.only_store("sqlite")
def test_times_in_every_form_of_rfc_3339(store_kind, server):
    ann = server.user("ann")
    room = ann.create_room()
    chat = ws.Chat(ann, room)
    chat.say("one")
    chat.say("two")
    first, second = ann.messages(room)
    at = second["created_at"]
    day, clock = at[:10], at[11:-1]
    hour, rest = clock[:2], clock[2:]
    for form in (at, at.lower(), f"{day}t{clock}z", f"{day} {clock}Z", f"{day}T{clock}+00:00", f"{day}T{clock}-00:00",
                 f"{day}T{clock.ljust(15, '0')}999Z" if "." in clock else at):
        assert ann.messages(room, before=form) == [first], form
    if int(hour) < 22:
        assert ann.messages(room, before=f"{day}T{int(hour) + 1:02}{rest}+01:00") == [first]
        assert ann.messages(room, before=f"{day}T{int(hour) + 1:02}{rest}+00:00") == [first, second]
    for bad in (day, f"{day}T{clock}", f"{day}T{clock}+0100", f"{day}T24:00:00Z", f"{day}T10:60:00Z", "2026-02-30T10:00:00Z",
                f"{day}T10:00:00.Z", f"{day}T10:00Z", f"{at}x", f" {at}", "1700000000", "now", second["id"].upper()):
        refused(400, "Invalid cursor", ann.messages, room, before=bad)


# ---- X-Request-Id


@pytest.mark.only_store("sqlite")
@pytest.mark.server_env(CONFAB_LOG_LEVEL="debug")
def test_a_request_is_known_by_the_id_it_came_with(store_kind, server):
    client = server.client()
    for sent in ("a", "x" * 79, "7f1c-22:/+=", "!~"):
        _, headers, _ = client.raw("GET", "/health", headers={"X-Request-Id": sent})
        assert headers.get_all("X-Request-Id") == [sent]
        assert server.wait_log(lambda line, sent=sent: line["msg"] == "answered" and line["request_id"] == sent)
    for sent in ("", "x" * 80, "a b", "a\"b", "\u00e4", "a\tb"):
        _, headers, _ = client.raw("GET", "/health", headers={"X-Request-Id": sent.encode("latin-1")})
        assert re.fullmatch("[0-9a-f]{32}", headers["X-Request-Id"])


# ---- a store that is away: an outage is no verdict about anybody


@pytest.fixture
def take_store_away(store, request):
    """PostgreSQL is stopped; SQLite, which cannot be, fails every call (see store/faulty.h)."""
    if store.name == "postgres":
        return store.cluster.stop_fast
    faults = request.getfixturevalue("faults")
    return lambda: faults.write_text("write fail\nread fail\nping fail\nsettle fail\n")


@pytest.mark.own_cluster
def test_without_its_store_the_server_says_503_and_nothing_else(store_kind, take_store_away, server):
    ann, bob = server.user("ann"), server.user("bob")
    room = ann.create_room()
    server.allow_errors("store")
    take_store_away()
    said = []

    def outage(call, *args, **kwargs):
        with pytest.raises(Refused) as caught:
            call(*args, **kwargs)
        assert caught.value.status == 503 and int(caught.value.headers["Retry-After"]) >= 1
        said.append(caught.value.error)
    outage(server.client().login, "ann")
    outage(server.client().register, "carl")
    outage(server.client(token="x" * 43).call, "GET", "/auth/me")
    outage(ann.call, "GET", "/chatrooms")
    outage(ann.create_room)
    outage(bob.join, room)
    outage(bob.messages, room)
    outage(ann.call, "POST", "/auth/logout")
    with pytest.raises(ws.NotUpgraded) as caught:
        ws.WebSocket(server.port, f"/ws/chat/{room}", bob.token)
    assert caught.value.status == 503
    assert set(said) == {"Service unavailable", "Failed to retrieve chatrooms", "Failed to retrieve messages",
                         "Failed to logout"}
    ready = json.loads(server.client().raw("GET", "/health/ready")[2])
    assert ready["status"] == "not_ready" and ready["database"] == "disconnected" and ready["waits_for"] == "the store"
    assert ready["checks"]["database"].keys() <= {"status", "latency_ms"}, "and no text of an error"
    assert ready["checks"]["database"]["status"] == "down"


# ---- rooms that cannot be loaded

ONE_THREAD = {"CONFAB_ROOMS_THREADS_MAX": "1"}
OPENED = "confab_rooms_opened_total"


def activations(server, since, at_least):
    """How often rooms were activated, once that is `at_least`: the last of them is one that the caller knows of,
    and the counter of one thread has all that was before it."""
    return servers.until(lambda: (n := server.metrics()[OPENED] - since) >= at_least and n, "the last activation")


def status_of(call, *args):
    try:
        call(*args)
    except Refused as refused:
        return refused.status
    return 200


def test_a_room_that_does_not_exist_is_activated_once_for_each_who_asks(store_kind, make_server):
    server = make_server(ONE_THREAD).start()
    ann = server.user("ann")
    rooms = [ann.create_room() for _ in range(2)]
    ann.messages(rooms[0])
    before = activations(server, 0, 1)
    unknown = [str(uuid.uuid4()) for _ in range(10)]
    assert {status_of(call, room) for room in unknown for call in (ann.join, ann.messages)} == {404}
    with pytest.raises(ws.NotUpgraded) as caught:
        ws.WebSocket(server.port, f"/ws/chat/{unknown[0]}", ann.token)
    assert caught.value.status == 404
    ann.messages(rooms[1])
    assert activations(server, before, 22) == 22


@pytest.mark.parametrize("gateways", ["1", "3"])
def test_many_who_ask_for_a_room_that_does_not_exist_cost_no_more(store_kind, make_server, gateways):
    server = make_server({**ONE_THREAD, "CONFAB_GATEWAY_COUNT": gateways}).start()
    ann = server.user("ann")
    rooms = [ann.create_room() for _ in range(2)]
    ann.messages(rooms[0])
    before = activations(server, 0, 1)
    unknown = str(uuid.uuid4())
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        said = list(pool.map(lambda _: status_of(server.client(token=ann.token).join, unknown), range(200)))
    assert set(said) == {404}
    ann.messages(rooms[1])
    assert activations(server, before, 2) <= 201


@pytest.mark.only_store("sqlite")
def test_a_room_whose_store_fails_is_activated_once_for_each_who_asks(store_kind, make_server, faults):
    server = make_server(ONE_THREAD).start()
    server.allow_errors("store")
    ann = server.user("ann")
    rooms = [ann.create_room() for _ in range(2)]
    ann.messages(rooms[0])
    before = activations(server, 0, 1)
    faults.write_text("write fail\n")
    assert {status_of(ann.messages, rooms[1]) for _ in range(40)} == {503}
    faults.write_text("")
    servers.until(lambda: status_of(ann.create_room) == 200, "the store")
    assert status_of(ann.messages, rooms[1]) == 200
    assert activations(server, before, 41) == 41


# ---- who may log in from where


def login_from(server, **headers):
    status, got, body = server.client().raw("POST", "/api/v1/auth/login", '{"username":"ann","password":"password123"}',
                                            {name.replace("_", "-"): value for name, value in headers.items()})
    return status, "Set-Cookie" in got, json.loads(body).get("session_token")


def test_a_foreign_page_cannot_log_its_visitor_in_as_somebody(store_kind, make_server):
    server = make_server({"CONFAB_HTTP_ALLOWED_ORIGINS": "https://app.test"}).start()
    server.client().register("ann")
    own = f"http://127.0.0.1:{server.port}"
    for headers in ({"Origin": "https://evil.test"}, {"Origin": "null"}, {"Sec_Fetch_Site": "cross-site"},
                    {"Origin": "https://evil.test", "Sec_Fetch_Site": "cross-site"},
                    {"Origin": "null", "Sec_Fetch_Site": "cross-site"}):
        assert login_from(server, **headers) == (403, False, None), headers
        refused(403, "Forbidden", server.client().call, "POST", "/auth/register",
                {"username": "eve", "email": "e@b.cc", "password": "password123"},
                {name.replace("_", "-"): value for name, value in headers.items()})
    for headers in ({}, {"Origin": own}, {"Origin": own, "Sec_Fetch_Site": "same-origin"}, {"Origin": "https://app.test"},
                    {"Origin": "null", "Sec_Fetch_Site": "same-origin"}, {"Sec_Fetch_Site": "none"},
                    {"Origin": "https://app.test", "Sec_Fetch_Site": "cross-site"}):
        status, has_cookie, token = login_from(server, **headers)
        assert (status, has_cookie) == (200, True) and token, headers


@pytest.mark.only_store("sqlite")
def test_where_every_page_may_ask_foreign_ones_get_no_cookie(store_kind, make_server):
    server = make_server({"CONFAB_HTTP_ALLOWED_ORIGINS": "*"}).start()
    server.client().register("ann")
    for headers in ({"Origin": "https://evil.test"}, {"Origin": "null", "Sec_Fetch_Site": "cross-site"}):
        status, has_cookie, token = login_from(server, **headers)
        assert (status, has_cookie) == (200, False) and token
    assert login_from(server, Sec_Fetch_Site="cross-site")[0] == 403
    assert login_from(server)[:2] == (200, True)
