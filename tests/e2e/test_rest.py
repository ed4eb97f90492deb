"""The REST side of the rooms contract, sections 2.2 to 2.6 and 3.1 to 3.9, straight paths and errors."""

import datetime
import json
import re
import uuid

import pytest

import server as servers
import ws
from rest import Refused

pytestmark = pytest.mark.over_tls_too
MISSING = "01a1f924-9471-7391-8886-641884dcdd56"  # a well-formed id of nothing
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")


def refused(status, error, call, *args, **kwargs):
    with pytest.raises(Refused) as caught:
        call(*args, **kwargs)
    assert (caught.value.status, caught.value.error) == (status, error)
    assert caught.value.headers["Content-Type"].startswith("application/json")
    return caught.value


def is_id(text):
    return str(uuid.UUID(text)) == text


# ---- accounts


def test_register_login_me_logout(store_kind, server):
    client = server.client()
    made = client.register("ann", "password123", "ann@test.com")
    assert is_id(made["id"]) and made["username"] == "ann" and made["email"] == "ann@test.com"
    assert TIME.fullmatch(made["created_at"])
    answer = client.login("ann")
    assert answer["success"] is True and answer["user"]["id"] == made["id"]
    me = client.call("GET", "/auth/me")
    assert (me["id"], me["username"], me["email"]) == (made["id"], "ann", "ann@test.com")
    assert client.call("POST", "/auth/logout") == {"success": True}
    refused(401, "Invalid or expired session", client.call, "GET", "/auth/me")


def test_the_session_cookie_is_the_token_and_is_taken_back(store_kind, server, transport):
    client = server.client()
    client.register("ann")
    secure = "Secure; " if transport == "tls" else ""
    body = json.dumps({"username": "ann", "password": "password123"})
    status, headers, answer = client.raw("POST", "/api/v1/auth/login", body)
    token = json.loads(answer)["session_token"]
    assert status == 200
    assert headers["Set-Cookie"] == f"session_id={token}; Path=/; Max-Age=86400; HttpOnly; {secure}SameSite=Lax"
    assert re.fullmatch(r"[A-Za-z0-9_.~-]{22,255}", token)
    status, headers, _ = client.raw("POST", "/api/v1/auth/logout", headers={"Cookie": f"session_id={token}"})
    assert status == 200
    assert headers["Set-Cookie"] == f"session_id=; Path=/; Max-Age=0; HttpOnly; {secure}SameSite=Lax"


def test_cookie_then_bearer_the_first_valid_one_counts(store_kind, server):
    ann = server.user("ann")
    for headers in ({"Authorization": f"Bearer {ann.token}"},
                    {"Cookie": "session_id=stale", "Authorization": f"Bearer {ann.token}"},
                    {"Cookie": f"session_id={ann.token}", "Authorization": "Bearer stale"},
                    {"Cookie": f"other=1; session_id={ann.token}; third=2"}):
        assert server.client().call("GET", "/auth/me", headers=headers)["username"] == "ann"
    refused(401, "Not authenticated", server.client().call, "GET", "/auth/me")
    for headers in ({"Cookie": "session_id=stale"}, {"Cookie": "session_id="}, {"Authorization": "Bearer x"}):
        refused(401, "Invalid or expired session", server.client().call, "GET", "/auth/me", headers=headers)


def test_logout_ends_only_its_own_session(store_kind, server):
    ann, other = server.user("ann"), server.client()
    other.login("ann")
    ann.call("POST", "/auth/logout")
    assert other.call("GET", "/auth/me")["username"] == "ann"


def test_a_session_survives_a_restart(store_kind, server):
    ann = server.user("ann")
    server.kill()
    server.start()
    assert server.client(token=ann.token).call("GET", "/auth/me")["username"] == "ann"


@pytest.mark.server_env(CONFAB_AUTH_SESSION_TTL="1s")
def test_a_session_ends_with_its_time(store_kind, server):
    ann = server.user("ann")

    def is_over():
        try:
            ann.call("GET", "/auth/me")
        except Refused as answer:
            return answer.status == 401
        return False
    servers.until(is_over, "the session to end")


@pytest.mark.parametrize("field, value", [
    ("username", "ab"), ("username", "a" * 51), ("username", "with blank"), ("username", "ünï"), ("username", ""),
    ("email", "no-at.test.com"), ("email", "a@b"), ("email", "a@b.c"), ("email", "a" * 251 + "@b.cc"),
    ("email", "a b@test.com"), ("password", "a" * 7), ("password", "a" * 101), ("password", None)])
def test_register_refuses_a_broken_rule(server, store_kind, field, value):
    body = {"username": "ann", "email": "ann@test.com", "password": "password123", field: value}
    if value is None:
        del body[field]
    refused(400, "Invalid input", server.client().call, "POST", "/auth/register", body)


@pytest.mark.only_store("sqlite")
@pytest.mark.parametrize("username, password", [
    ("abc", "a" * 8), ("a" * 50, "a" * 100), ("A_9", "strange!"), ("ann", "pässwörd"), ("eve", "\" \\ ' <&>")])
def test_bounds_of_names_and_passwords_are_accepted(server, store_kind, username, password):
    client = server.client()
    client.register(username, password)
    assert client.login(username, password)["user"]["username"] == username


def test_user_names_are_case_sensitive_and_taken_once(store_kind, server):
    client = server.client()
    client.register("ann", email="ann@test.com")
    refused(409, "User already exists", client.register, "ann", email="other@test.com")
    refused(409, "User already exists", client.register, "bob", email="ann@test.com")
    client.register("Ann", email="Ann@test.com")
    refused(401, "Invalid credentials", client.login, "ANN")


@pytest.mark.only_store("sqlite")
@pytest.mark.parametrize("name", ["StockBot", "stockbot", "STOCKBOT"])
def test_the_bots_name_is_reserved(store_kind, server, name):
    refused(409, "User already exists", server.client().register, name)


def test_unknown_user_and_wrong_password_are_alike(store_kind, server):
    client = server.client()
    client.register("ann")
    wrong = refused(401, "Invalid credentials", client.login, "ann", "password124")
    unknown = refused(401, "Invalid credentials", client.login, "nobody", "password124")
    assert wrong.body == unknown.body
    drop = {"date", "x-request-id"}
    assert ([(k, v) for k, v in wrong.headers.items() if k.lower() not in drop]
            == [(k, v) for k, v in unknown.headers.items() if k.lower() not in drop])


@pytest.mark.only_store("sqlite")
@pytest.mark.parametrize("path", ["/auth/register", "/auth/login", "/chatrooms"])
@pytest.mark.parametrize("body", ["", "{", "[]", "1", "null", '{"username":1,"name":1}', "\x00", '"text"'])
def test_a_body_that_is_no_such_object_is_400(store_kind, server, path, body):
    client = server.user("ann")
    refused(400, "Invalid request body", client.call, "POST", path, body)


@pytest.mark.only_store("sqlite")
def test_lax_json_input_is_read_as_the_contract_says(store_kind, server):
    client = server.client()
    client.call("POST", "/auth/register",
                '{"USERNAME":"no","Username":"ann","eMail":"ann@test.com","password":"password123","more":[1]} trailing',
                lax=True)
    client.call("POST", "/auth/login", b'{"username":"ann","password":"password123"}',
                {"Content-Type": "application/x-www-form-urlencoded"})


# ---- rooms


def test_create_list_join(store_kind, server):
    ann, bob = server.user("ann"), server.user("bob")
    made = ann.call("POST", "/chatrooms", {"name": "General"})
    assert is_id(made["id"]) and made["name"] == "General" and made["created_by"] == ann.id
    assert TIME.fullmatch(made["created_at"])
    (entry,) = bob.call("GET", "/chatrooms")["chatrooms"]
    assert (entry["id"], entry["name"], entry["created_by"], entry["user_count"]) == (
        made["id"], "General", ann.id, 0)
    assert entry["created_at"] == made["created_at"][:19] + "Z", "whole seconds"
    for _ in range(2):
        assert bob.join(made["id"]) == {"success": True}
    assert bob.messages(made["id"]) == []


@pytest.mark.parametrize("name", ["x", " ", "n" * 100, "\U0001f600" * 100, "<b>\"quoted\" & 'more'</b>", "line\u2028sep"])
def test_a_room_name_comes_back_as_it_was(store_kind, server, name):
    ann = server.user("ann")
    assert ann.call("POST", "/chatrooms", {"name": name})["name"] == name
    assert ann.call("GET", "/chatrooms")["chatrooms"][0]["name"] == name


@pytest.mark.only_store("sqlite")
@pytest.mark.parametrize("name", ["", "n" * 101, "\U0001f600" * 101, "a\u0000b", "a\nb", "\u007f", "\u0085"])
def test_a_room_name_beyond_the_rules_is_refused(store_kind, server, name):
    ann = server.user("ann")
    refused(400, "invalid input", ann.call, "POST", "/chatrooms", {"name": name})
    assert ann.call("GET", "/chatrooms")["chatrooms"] == []


def test_markup_is_escaped_on_the_wire(store_kind, server):
    ann = server.user("ann")
    _, _, body = ann.raw("POST", "/api/v1/chatrooms", json.dumps({"name": "<&>\u2028"}, ensure_ascii=False).encode(),
                         {"Cookie": f"session_id={ann.token}"})
    assert b"\\u003c\\u0026\\u003e\\u2028" in body.lower()
    assert body.endswith(b"}\n")


def test_fifty_rooms_on_one_connection_then_pages_without_gaps(store_kind, server):
    ann = server.user("ann")
    keep = server.client(keep=True, token=ann.token)
    made = [keep.create_room("same name") for _ in range(50)]
    assert len(set(made)) == 50
    seen, cursor = [], None
    while True:
        page = ann.call("GET", "/chatrooms?limit=7" + (f"&cursor={cursor}" if cursor else ""))
        seen += page["chatrooms"]
        cursor = page.get("next_cursor")
        if not cursor:
            break
        assert len(page["chatrooms"]) == 7
    assert sorted(entry["id"] for entry in seen) == sorted(made), "each room once"
    key = [(entry["created_at"], entry["id"]) for entry in seen]
    assert [k[0] for k in key] == sorted((k[0] for k in key), reverse=True)


@pytest.mark.parametrize("limit, count", [("1", 1), ("100", 60), ("0", 50), ("101", 50), ("-1", 50), ("x", 50), ("", 50)])
@pytest.mark.only_store("sqlite")
def test_the_list_limit_falls_back_to_50(store_kind, server, limit, count):
    ann = server.user("ann")
    for _ in range(60):
        ann.create_room()
    page = ann.call("GET", f"/chatrooms?limit={limit}")
    assert len(page["chatrooms"]) == count
    assert ("next_cursor" in page) == (count < 60)


def test_a_cursor_is_known_or_refused(store_kind, server):
    ann = server.user("ann")
    ann.create_room()
    assert ann.call("GET", f"/chatrooms?cursor={MISSING}")["chatrooms"] == []
    refused(400, "Invalid cursor", ann.call, "GET", "/chatrooms?cursor=xyz")


@pytest.mark.parametrize("room", [MISSING, "xyz", "..", "%00"])
def test_a_room_that_is_not_there_is_404(store_kind, server, room):
    ann = server.user("ann")
    refused(404, "chatroom not found", ann.join, room)
    refused(404, "chatroom not found", ann.messages, room)


def test_an_upper_case_id_is_no_second_room(store_kind, server):
    ann = server.user("ann")
    room = ann.create_room()
    refused(404, "chatroom not found", ann.join, room.upper())
    refused(404, "chatroom not found", ann.join, room.replace("-", ""))


def test_an_empty_room_id_is_400(store_kind, server):
    ann = server.user("ann")
    refused(400, "Chatroom ID required", ann.call, "POST", "/chatrooms//join")


def test_history_is_for_members(store_kind, server):
    ann, bob = server.user("ann"), server.user("bob")
    room = ann.create_room()
    refused(403, "Not a member of this chatroom", bob.messages, room)
    bob.join(room)
    assert bob.messages(room) == []
    refused(401, "Not authenticated", server.client().messages, room)


def test_an_ephemeral_room_says_so(store_kind, server):
    ann = server.user("ann")
    assert ann.call("POST", "/chatrooms", {"name": "x", "ephemeral": True})["ephemeral"] is True
    assert ann.call("POST", "/chatrooms", {"name": "x"})["ephemeral"] is False


# ---- history


@pytest.fixture
def written(store_kind, server):
    """A room with 120 posts, and its owner."""
    ann = server.user("ann")
    room = ann.create_room()
    chat = ws.Chat(ann, room)
    for n in range(120):
        chat.say(f"post {n}")
    chat.close()
    return ann, room


@pytest.mark.on_partitions_too
def test_history_pages(written):
    ann, room = written
    whole = ann.history(room)
    assert [message["content"] for message in whole] == [f"post {n}" for n in range(120)]
    assert [message["seq"] for message in whole] == list(range(1, 121))
    for message in whole:
        assert set(message) >= {"id", "chatroom_id", "user_id", "username", "content", "is_bot", "created_at"}
        assert is_id(message["id"]) and TIME.fullmatch(message["created_at"])
        assert (message["chatroom_id"], message["user_id"], message["username"], message["is_bot"]) == (
            room, ann.id, "ann", False)
        assert not re.search(r"\.\d*0Z", message["created_at"]), "trailing zeros are removed"
    times = [datetime.datetime.fromisoformat(message["created_at"].replace("Z", "+00:00")) for message in whole]
    assert all(a < b for a, b in zip(times, times[1:])), "strictly increasing"
    for limit, count in [("1", 1), ("0", 1), ("-5", 1), ("100", 100), ("101", 100), ("x", 50), ("", 50)]:
        page = ann.call("GET", f"/chatrooms/{room}/messages?limit={limit}")["messages"]
        assert [m["id"] for m in page] == [m["id"] for m in whole[-count:]], limit
    assert len(ann.call("GET", f"/chatrooms/{room}/messages")["messages"]) == 50


@pytest.mark.on_partitions_too
def test_history_before_an_id_and_before_a_time(written):
    ann, room = written
    whole = ann.history(room)
    assert ann.messages(room, limit=5, before=whole[50]["id"]) == whole[45:50]
    assert ann.messages(room, limit=5, before=whole[0]["id"]) == []
    raw = whole[50]["created_at"]
    assert ann.call("GET", f"/chatrooms/{room}/messages?limit=5&before={raw}")["messages"] == whole[45:50]
    offset = raw.replace("Z", "+00:00")
    assert ann.messages(room, limit=5, before=offset) == whole[45:50]
    assert ann.call("GET", f"/chatrooms/{room}/messages?limit=5&before={offset}")["messages"] == whole[45:50], (
        "an unescaped + arrives as a blank")
    assert ann.messages(room, limit=100, before="2100-01-01T00:00:00Z") == whole[20:]
    assert ann.messages(room, before="2000-01-01T00:00:00Z") == []
    for bad in ["xyz", "2026-01-28", "2026-13-28T10:30:00Z", MISSING]:
        refused(400, "Invalid cursor", ann.messages, room, before=bad)


def test_history_is_the_same_after_a_restart(written, server):
    ann, room = written
    whole = ann.history(room)
    server.kill()
    server.start()
    assert server.client(token=ann.token).history(room) == whole


# ---- routing, health, cross-site


def test_unknown_paths_wrong_methods_head_and_options(store_kind, server):
    client = server.client()
    for path in ("/nothing", "/api/v1/nothing", "/../../etc/passwd", "/index.html/x"):
        status, headers, body = client.raw("GET", path)
        assert (status, headers["Content-Type"].split(";")[0], body) == (404, "text/plain", b"Not Found\n")
    status, headers, body = client.raw("GET", "/api/v1/auth/login")
    assert (status, headers.get_all("Allow"), body) == (405, ["POST"], b"")
    status, _, body = client.raw("DELETE", "/api/v1/chatrooms")
    assert status == 405 and body == b""
    status, headers, body = client.raw("HEAD", "/health")
    assert status == 200 and body == b"" and int(headers["Content-Length"]) > 0
    for path in ("/health", "/nothing", "/api/v1/chatrooms"):
        status, _, body = client.raw("OPTIONS", path)
        assert (status, body) == (200, b"")


def test_health(store_kind, server):
    client = server.client()
    for path in ("/health", "/api/v1/health"):
        status, headers, body = client.raw("GET", path)
        assert status == 200 and json.loads(body)["status"] == "ok"
        assert headers["Content-Type"].startswith("application/json")
    for path in ("/health/ready", "/api/v1/health/ready"):
        status, _, body = client.raw("GET", path)
        ready = json.loads(body)
        assert status == 200 and ready["status"] == "ready"
        assert ready["checks"]["database"]["metadata"]["max_open"] == 25  # as store.connections_max says, not in use
        assert ready["checks"]["database"]["status"] == "up" and ready["database"] == "connected"
        assert ready["checks"]["rabbitmq"]["status"] == "up" and ready["rabbitmq"] == "connected"
        assert TIME.fullmatch(ready["timestamp"])
    assert client.raw("GET", "/livez")[0] == client.raw("GET", "/readyz")[0] == 200


@pytest.mark.server_env(CONFAB_HTTP_HEALTH_STATUS="healthy")
@pytest.mark.only_store("sqlite")
def test_the_word_for_healthy_can_be_chosen(store_kind, server):
    assert json.loads(server.client().raw("GET", "/health")[2])["status"] == "healthy"


def test_cors_only_for_listed_origins(store_kind, make_server):
    server = make_server({"CONFAB_HTTP_ALLOWED_ORIGINS": "https://app.test"}).start()
    _, headers, _ = server.client().raw("GET", "/health", headers={"Origin": "https://app.test"})
    assert headers["Access-Control-Allow-Origin"] == "https://app.test"
    assert headers["Access-Control-Allow-Credentials"] == "true"
    assert "Origin" in headers["Vary"]
    for origin in ("https://evil.test", "https://app.test.evil.test", "http://app.test", "null"):
        _, headers, _ = server.client().raw("GET", "/health", headers={"Origin": origin})
        assert "Access-Control-Allow-Origin" not in headers


def test_a_cross_site_post_with_a_cookie_is_forbidden(store_kind, server):
    ann = server.user("ann")
    for headers in ({"Origin": "https://evil.test"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        refused(403, "Forbidden", ann.call, "POST", "/chatrooms", {"name": "x"}, headers)
    own = {"Origin": server.url}
    for headers in ({}, own, {"Sec-Fetch-Site": "same-origin", **own}, {"Sec-Fetch-Site": "none"}):
        ann.call("POST", "/chatrooms", {"name": "x"}, headers)
