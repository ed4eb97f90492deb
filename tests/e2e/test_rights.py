"""Who may do what: every operation of docs/openapi.json (which a C test holds to the route table) and every kind
of message, for everybody who could ask. An operation or a message without an expectation fails here."""

import json
import secrets

import pytest

import openapi
import server as servers
import ws
from rest import Refused

ROLES = ["owner", "member", "stranger", "anonymous", "ended", "forged"]
WITH_SESSION = {"owner", "member", "stranger"}


def everybody(status):
    return {role: status for role in ROLES}


def sessions(status, stranger=None):
    """Status for those with a session; 401 for all others. A stranger is no member of the room asked about."""
    return {role: 401 if role not in WITH_SESSION else stranger if role == "stranger" and stranger else status
            for role in ROLES}


# Requests are right but for who makes them; a body that changes something is wrong where it would change it for all.
EXPECTED = {
    ("post", "/api/v1/auth/register"): everybody(400),  # an empty object
    ("post", "/api/v1/auth/login"): everybody(401),
    ("get", "/api/v1/auth/me"): sessions(200),
    ("post", "/api/v1/auth/logout"): sessions(200),
    ("get", "/api/v1/chatrooms"): sessions(200),
    ("post", "/api/v1/chatrooms"): sessions(201),
    ("post", "/api/v1/chatrooms/{id}/join"): sessions(200),  # every room is open to every user (contract, 3.7)
    ("get", "/api/v1/chatrooms/{id}/messages"): sessions(200, stranger=403),
    ("get", "/ws/chat/{id}"): sessions(101, stranger=403),
    ("get", "/api/v1/ws/chat/{id}"): sessions(101, stranger=403),
    ("get", "/health"): everybody(200),
    ("get", "/api/v1/health"): everybody(200),
    ("get", "/health/ready"): everybody(200),
    ("get", "/api/v1/health/ready"): everybody(200),
    ("get", "/readyz"): everybody(200),
    ("get", "/livez"): everybody(200),
    ("get", "/metrics"): everybody(200),  # from loopback; see test_metrics.py
    ("get", "/openapi.json"): everybody(200),
}
BODIES = {"/api/v1/auth/register": {}, "/api/v1/auth/login": {"password": "x"},
          "/api/v1/chatrooms": {"name": "another"}}
SHOWS_ROOMS = {"/api/v1/chatrooms"}  # to everybody with a session, by the contract: names and counts, no more
SHOWS_CONTENT = {"/api/v1/chatrooms/{id}/messages"}


def operations():
    return {(method, path) for path, item in openapi.DOCUMENT["paths"].items() for method in item}


def test_every_operation_has_an_expectation():
    assert operations() == set(EXPECTED)


class Scene:
    """A room with a secret name and a secret message; who could ask for it."""

    def __init__(self, server, ephemeral=False):
        self.server = server
        mark = secrets.token_hex(6)
        self.name, self.text, self.email = f"room-{mark}", f"text-{mark}", f"mail-{mark}@loadtest.local"
        self.people = {}
        for role in ("owner", "member", "stranger"):
            client = server.client()
            client.register(f"{role}_{mark}", email=self.email if role == "owner" else None)
            client.login(f"{role}_{mark}")
            self.people[role] = client
        owner = self.people["owner"]
        self.room = owner.create_room(self.name, ephemeral=ephemeral)
        self.people["member"].join(self.room)
        self.elsewhere = self.people["stranger"].create_room("elsewhere")
        chat = ws.Chat(owner, self.room)
        self.post_id = chat.say(self.text)
        chat.leave()
        self.people["anonymous"] = server.client()
        self.people["forged"] = server.client(token=secrets.token_urlsafe(32))
        gone = server.client()
        gone.login(f"member_{mark}")
        gone.call("POST", "/auth/logout")
        self.people["ended"] = gone  # of one who was a member

    def credentials(self, role, how):
        token = self.people[role].token
        if token is None:
            return {}, ""
        return {"cookie": ({"Cookie": f"session_id={token}"}, ""), "bearer": ({"Authorization": f"Bearer {token}"}, ""),
                "query": ({}, f"?token={token}")}[how]

    def ask(self, role, method, path, how):
        """(status, all of the answer's text)."""
        headers, query = self.credentials(role, how)
        target = path.replace("{id}", self.room) + query
        if "/ws/" in path:
            try:
                one = ws.WebSocket(self.server.port, target, None, headers)
                one.close()
                return 101, str(one.headers)
            except ws.NotUpgraded as refusal:
                return refusal.status, str(refusal.headers) + refusal.body.decode()
        body = BODIES.get(path) if method == "post" else None
        if path.endswith("/login"):  # many wrong ones for one name are another matter
            body = {**body, "username": f"nobody_{secrets.token_hex(6)}"}
        status, got, answer = self.server.client().raw(method.upper(), target,
                                                       json.dumps(body) if body is not None else None, headers)
        return status, str(got.items()) + answer.decode()


@pytest.mark.parametrize("ephemeral", [False, True])
def test_every_operation_for_everybody(store_kind, server, ephemeral):
    scene = Scene(server, ephemeral)
    for method, path in sorted(operations(), key=lambda one: (one[1].endswith("/logout"), one[1].endswith("/join"), one)):
        for role in ROLES:
            ways = ["cookie", "bearer"] + (["query"] if "/ws/" in path else [])
            if path.endswith("/logout"):
                ways = ways[:1]  # afterwards there is no session
            for how in ways:
                status, text = scene.ask(role, method, path, how)
                assert status == EXPECTED[method, path][role], (method, path, role, how)
                may_see_room = status < 300 and path in SHOWS_ROOMS
                may_see_text = status < 300 and path in SHOWS_CONTENT
                is_own = role == "owner" and path.endswith("/me")
                assert may_see_room or scene.name not in text, (path, role)
                assert may_see_text or scene.text not in text and scene.post_id not in text, (path, role)
                assert is_own or scene.email not in text, (path, role)


@pytest.mark.only_store("sqlite")
def test_head_tells_nobody_more_than_get(store_kind, server):
    scene = Scene(server)
    for method, path in operations():
        if method != "get" or "/ws/" in path:
            continue
        for role in ROLES:
            assert scene.ask(role, "head", path, "cookie")[0] == EXPECTED[method, path][role], (path, role)


def test_a_token_in_the_query_opens_sockets_only(store_kind, server):
    scene = Scene(server)
    for method, path in operations():
        if openapi.DOCUMENT["paths"][path][method]["security"] and "/ws/" not in path:
            target = path.replace("{id}", scene.room) + f"?token={scene.people['owner'].token}"
            assert server.client().raw(method.upper(), target)[0] == 401, path


def test_a_session_ends_no_other_and_shows_no_other(store_kind, server):
    ann, bob = server.user("ann"), server.user("bob")
    ann.call("POST", "/auth/logout", headers={"Cookie": f"session_id={ann.token}", "Authorization": f"Bearer {bob.token}"})
    assert bob.call("GET", "/auth/me")["username"] == "bob"
    with pytest.raises(Refused):
        ann.call("GET", "/auth/me")


def test_a_message_of_another_room_is_no_cursor(store_kind, server):
    scene = Scene(server)
    stranger = scene.people["stranger"]
    for before in (scene.post_id, secrets.token_hex(16)):
        with pytest.raises(Refused) as caught:
            stranger.messages(scene.elsewhere, before=before)
        assert (caught.value.status, caught.value.error) == (400, "Invalid cursor")


# ---- messages on sockets

# Who gets a message of each type when somebody in a room does something: the one who did it, another member of that
# room, a socket of another room.
RECIPIENTS = {
    "chat_message": {"sender", "member"},
    "message_ack": {"sender"},
    "user_joined": {"sender", "member"},
    "user_left": {"member"},
    "user_count_update": {"sender", "member", "outsider"},  # of all rooms to all sockets (contract, 6.1)
    "room_roster": {"sender", "member"},  # to who asks
    "error": {"sender"},
}
FRAMES = {  # each kind of client message, and what its sender gets
    "post": ({"content": "a post of mine"}, "message_ack"),
    "keyed post": ({"content": "a keyed post of mine", "client_key": "k"}, "message_ack"),
    "stock command": ({"content": "/stock=secret.us"}, "chat_message"),
    "hello command": ({"content": "/hello"}, "chat_message"),
    "empty": ({"content": ""}, "error"),
    "malformed": ({}, "error"),
}


def test_every_type_of_message_has_its_recipients():
    described = {openapi.resolve(part)["properties"]["type"]["const"]
                 for part in openapi.DOCUMENT["components"]["schemas"]["ServerFrame"]["oneOf"]}
    assert described == set(RECIPIENTS)


def drain(chat, mark):
    """All frames up to one's own post of this text."""
    frames = list(chat.kept)
    chat.kept.clear()
    chat.post(mark)
    while True:
        frame = chat.recv()
        if frame.get("content") == mark:
            return frames
        if frame["type"] != "message_ack":
            frames.append(frame)


def test_messages_reach_those_whom_they_are_for_and_nobody_else(store_kind, make_server, quotes_down):
    server = make_server(quotes_down).start()
    scene = Scene(server)
    sender = ws.Chat(scene.people["owner"], scene.room, query="?roster=1")
    member = ws.Chat(scene.people["member"], scene.room, query="?roster=1")
    outsider = ws.Chat(scene.people["stranger"], scene.elsewhere, query="?roster=1")
    sender.until("user_joined", username=scene.people["member"].name)
    got = {"sender": [], "member": [], "outsider": []}
    for body, answer in FRAMES.values():
        sender.send_text(json.dumps(body))
        while True:
            frame = sender.recv()
            got["sender"].append(frame)
            is_echo = frame["type"] == "chat_message" and frame["content"] == body.get("content") and answer != "message_ack"
            if frame["type"] == answer and not is_echo and (answer != "chat_message" or frame["is_bot"]):
                break
    visitor = ws.Chat(scene.people["owner"], scene.room)
    visitor.leave()
    member.until("user_left")
    for name, chat in (("member", member), ("outsider", outsider)):
        got[name] += drain(chat, "the end")
    got["sender"] += drain(sender, "the end too")
    for name, frames in got.items():
        for frame in frames:
            who = RECIPIENTS[frame["type"]] | ({"sender"} if frame["type"] == "user_left" else set())
            own = frame.get("content") in ("the end", "the end too") or frame["type"] == "message_ack" and name == "sender"
            if name == "outsider" and frame["type"] in ("user_joined", "user_left"):
                assert frame["username"] == scene.people["stranger"].name
                continue
            if name == "outsider" and frame["type"] == "room_roster":
                assert frame["members"] == [] and frame["more"] == 0, "of its own room, where it is alone"
                continue
            assert own or name in who, (name, frame)
    seen = json.dumps(got["outsider"])
    for secret in ("of mine", "secret", "/hello", scene.people["owner"].name, scene.people["owner"].id, scene.text, scene.name):
        assert secret not in seen, secret
    assert "/stock" not in json.dumps(got["member"]), "the echo of a command is its sender's"
    assert "k" not in [frame.get("client_key") for frame in got["member"] + got["outsider"]]
    assert [message["content"] for message in scene.people["member"].messages(scene.room)] == [
        scene.text, "a post of mine", "a keyed post of mine", "the end", "the end too"]


@pytest.fixture
def quotes_down():
    """Settings of a server whose quote service is not there: commands are answered at once by the bot's error."""
    return {"CONFAB_STOCK_URL": "http://127.0.0.1:9", "CONFAB_STOCK_ATTEMPTS": "1"}


@pytest.mark.parametrize("body", [frame for frame, _ in FRAMES.values()], ids=list(FRAMES))
def test_a_socket_whose_session_ended_says_nothing_more(store_kind, server, body):
    """Rights are those of the moment: what is sent behind the logout is not heard, whatever it is."""
    ann, bob = server.user("ann"), server.user("bob")
    room = ann.create_room()
    bob.join(room)
    chat, witness = ws.Chat(ann, room), ws.Chat(bob, room)
    ann.call("POST", "/auth/logout")
    try:
        chat.send_text(json.dumps(body))
    except OSError:
        pass
    assert chat.wait_closed() == 1008
    witness.until("user_left", username="ann")
    witness.say("the end")
    seen = [frame for frame in witness.kept if frame["type"] == "chat_message"]
    assert seen == [] or [frame["content"] for frame in seen] == ["the end"]
    assert [message["content"] for message in bob.messages(room)] == ["the end"]


@pytest.mark.server_env(CONFAB_AUTH_SESSION_TTL="3s")
def test_a_socket_ends_with_the_time_of_its_session(store_kind, server):
    ann = server.user("ann")
    chat = ws.Chat(ann, ann.create_room())
    assert chat.wait_closed() == 1008
    servers.until(lambda: refuses(ann), "the session to be over")


def refuses(client):
    try:
        client.call("GET", "/auth/me")
    except Refused as answer:
        return answer.status == 401
    return False
