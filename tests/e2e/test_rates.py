"""What a client may do in a time (rooms contract, 2.7): per connection, address, account and user. No test
waits for time to pass: it repeats until the server lets it, and a bound on how often the server may have let
it is taken from the time that did pass."""

import http.client
import json
import time

import pytest

import openapi
import ports
import server as servers
import ws

pytestmark = pytest.mark.only_store("sqlite")

LIMITED = b'{"error":"Rate limit exceeded"}\n'


class Connection:
    """One keep-alive connection, from an address of its own if wanted."""

    def __init__(self, server, address=None):
        self.http = http.client.HTTPConnection(ports.host(server.port), int(server.port), timeout=servers.LIMIT_S,
                                               source_address=address and (address, 0))

    def call(self, method, path, body=None, **headers):
        """Status, headers and body of one call of the API."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = json.dumps(body) if body is not None else None
        self.http.request(method, "/api/v1" + path, sent, headers)
        answer = self.http.getresponse()
        got = answer.read()
        openapi.check(method, "/api/v1" + path, answer.status, answer.headers, got, sent, lax=True)
        return answer.status, dict(answer.getheaders()), got

    def login(self, name, password="password123", **headers):
        return self.call("POST", "/auth/login", {"username": name, "password": password}, **headers)

    def close(self):
        self.http.close()


def login_bytes(name):
    body = json.dumps({"username": name, "password": "wrong password"}).encode()
    return b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def read_answer(one):
    status, headers = one.read_head()
    return status, headers, one.take(int(headers["content-length"]))


def is_limited(answer):
    """Is it 429? Then with all that belongs to it."""
    status, headers, body = answer
    if status != 429:
        return False
    assert body == LIMITED
    assert headers["Content-Type" if "Content-Type" in headers else "content-type"] == "application/json"
    assert int(headers["Retry-After" if "Retry-After" in headers else "retry-after"]) >= 1
    return True


def passed_until_limited(call, at_most=200):
    """How many calls passed before the first that was limited, and how long all of it took."""
    began = time.monotonic()
    for n in range(at_most):
        if is_limited(call()):
            return n, time.monotonic() - began
    raise AssertionError(f"{at_most} calls, none of them limited")


def wait_refused(server, kind, count):
    """The figures follow once a second."""
    name = f'confab_limit_refused_total{{kind="{kind}"}}'
    servers.until(lambda: server.metrics()[name] >= count, f"{name} to count")


# ---- per connection


@pytest.mark.only_store("sqlite", "postgres")
# Passwords that take longer than the limit takes to refill do not keep it from being met.
@pytest.mark.parametrize("argon2", [("64", "1"), ("32768", "6")])
def test_the_eleventh_immediate_login_on_a_connection_is_429(store_kind, make_server, argon2):
    server = make_server({"CONFAB_AUTH_ARGON2_MEMORY_KIB": argon2[0], "CONFAB_AUTH_ARGON2_PASSES": argon2[1]}).start()
    one = ws.Socket(server.port)
    one.send(b"".join(login_bytes(f"user{i}") for i in range(12)))
    answers = [read_answer(one) for _ in range(12)]
    assert [status for status, _, _ in answers] == [401] * 10 + [429] * 2
    assert is_limited(answers[10]) and answers[10][1]["retry-after"] == "1"
    other = ws.Socket(server.port)  # not before: a connection that says nothing is ended after 10 s
    other.send(login_bytes("another"))
    assert read_answer(other)[0] == 401

    def is_let_in_again():
        one.send(login_bytes("again"))
        return read_answer(one)[0] == 401
    servers.until(is_let_in_again, "the limit to be over")
    wait_refused(server, "auth", 2)
    one.close()
    other.close()


@pytest.mark.only_store("sqlite", "postgres")
def test_fifty_rooms_are_made_back_to_back_on_one_connection(store_kind, server):
    ann = server.user("ann")
    one = Connection(server)
    for i in range(50):
        assert one.call("POST", "/chatrooms", {"name": "room"}, Cookie=f"session_id={ann.token}")[0] == 201, i
    one.close()


@pytest.mark.server_env(CONFAB_LIMITS_API_PER_SECOND="1")
def test_calls_past_the_burst_of_a_connection_are_429(store_kind, server):
    ann = server.user("ann")
    one, other = Connection(server), Connection(server)
    cookie = f"session_id={ann.token}"
    assert all(one.call("GET", "/auth/me")[0] == 401 for _ in range(60))  # who is nobody is not counted
    passed, seconds = passed_until_limited(lambda: one.call("GET", "/auth/me", Cookie=cookie))
    assert 50 <= passed <= 51 + seconds
    assert other.call("GET", "/auth/me", Cookie=cookie)[0] == 200
    servers.until(lambda: one.call("GET", "/auth/me", Cookie=cookie)[0] == 200, "the limit to be over")
    one.close()
    other.close()


@pytest.mark.server_env(CONFAB_LIMITS_API_PER_SECOND="0", CONFAB_LIMITS_AUTH_PER_SECOND="0",
                        CONFAB_LIMITS_UPGRADES_PER_SECOND="0", CONFAB_LIMITS_FAILED_LOGINS="0",
                        CONFAB_LIMITS_AUTH_PER_SECOND_PER_IP="0")
def test_a_limit_of_0_is_none(store_kind, server):
    ann = server.user("ann")
    one = Connection(server)
    room = ann.create_room()
    for _ in range(60):
        assert one.call("GET", "/auth/me", Cookie=f"session_id={ann.token}")[0] == 200
    for _ in range(12):
        assert one.login("ann", "wrong password")[0] == 401
        ws.WebSocket(server.port, f"/ws/chat/{room}", ann.token).close()
    one.close()


# ---- per address


@pytest.mark.server_env(CONFAB_LIMITS_AUTH_PER_SECOND_PER_IP="5")
def test_registrations_and_logins_of_one_address_have_a_ceiling(store_kind, server):
    def attempt(address="127.0.0.1"):
        one = Connection(server, address)
        try:
            return one.call("POST", "/auth/register", {})
        finally:
            one.close()
    passed, seconds = passed_until_limited(attempt)
    assert 5 <= passed <= 6 + 5 * seconds
    assert attempt("127.0.0.2")[0] == 400  # somebody else is not meant
    wait_refused(server, "auth_per_ip", 1)


@pytest.mark.server_env(CONFAB_HTTP_TRUSTED_PROXIES="127.0.0.1", CONFAB_LIMITS_AUTH_PER_SECOND="1",
                        CONFAB_LIMITS_AUTH_BURST="3", CONFAB_LIMITS_API_PER_SECOND="1", CONFAB_LIMITS_API_BURST="3")
def test_behind_a_trusted_proxy_the_address_it_tells_is_limited(store_kind, server):
    def register(forwarded, **kwargs):
        one = Connection(server, **kwargs)
        try:
            return one.call("POST", "/auth/register", {}, X_Forwarded_For=forwarded)
        finally:
            one.close()
    passed, seconds = passed_until_limited(lambda: register("192.0.2.7"))
    assert 3 <= passed <= 4 + seconds
    assert register("192.0.2.8")[0] == 400
    passed, seconds = passed_until_limited(lambda: register("192.0.2.99, 192.0.2.9"))  # the client wrote the first
    assert 3 <= passed <= 4 + seconds
    assert register("192.0.2.99")[0] == 400
    # who is no proxy says what he likes: each of his connections counts for itself
    for _ in range(12):
        assert register("192.0.2.10", address="127.0.0.2")[0] == 400
    assert register("192.0.2.10")[0] == 400
    ann = server.client()
    assert ann.raw("POST", "/api/v1/auth/register", json.dumps(
        {"username": "ann", "email": "ann@test.com", "password": "password123"}),
        {"X-Forwarded-For": "192.0.2.20"})[0] == 201
    token = json.loads(ann.raw("POST", "/api/v1/auth/login", json.dumps(
        {"username": "ann", "password": "password123"}), {"X-Forwarded-For": "192.0.2.20"})[2])["session_token"]

    def me(forwarded):
        one = Connection(server)
        try:
            return one.call("GET", "/auth/me", Cookie=f"session_id={token}", X_Forwarded_For=forwarded)
        finally:
            one.close()
    passed, seconds = passed_until_limited(lambda: me("192.0.2.20"))
    assert 3 <= passed <= 4 + seconds
    assert me("192.0.2.21")[0] == 200


# ---- per account


@pytest.mark.server_env(CONFAB_LIMITS_FAILED_LOGINS="3", CONFAB_LIMITS_FAILED_LOGINS_WINDOW="24h")
def test_failed_logins_of_an_account_tell_nothing_and_lock_nobody_out(store_kind, server):
    owner = server.user("ann")
    server.client().register("bob")
    answers = {}
    for name in ("ann", "nobody", "no such name!"):
        for round in range(5):
            one = Connection(server, "127.0.0.2")
            status, headers, body = one.login(name, "wrong password")
            one.close()
            answers.setdefault(round, []).append((status, body, sorted(
                (key, value) for key, value in headers.items() if key not in ("Date", "X-Request-Id"))))
    for round, same in answers.items():
        assert same[0][0] == (401 if round < 3 else 429)
        assert all(answer[:2] == same[0][:2] for answer in same)
        assert all([key for key, _ in answer[2]] == [key for key, _ in same[0][2]] for answer in same)
    stranger = Connection(server, "127.0.0.2")
    status, headers, body = stranger.login("ann")  # the right one
    assert (status, body) == (429, LIMITED) and 1 <= int(headers["Retry-After"]) <= 8 * 3600
    assert stranger.login("bob")[0] == 200  # another account
    stranger.close()
    owner.login("ann")  # from 127.0.0.1
    wait_refused(server, "failed_logins", 7)


@pytest.mark.server_env(CONFAB_LIMITS_FAILED_LOGINS="3", CONFAB_LIMITS_FAILED_LOGINS_WINDOW="24h")
def test_right_passwords_are_not_counted(store_kind, server):
    server.client().register("ann")
    one = Connection(server)
    for _ in range(6):
        assert one.login("ann")[0] == 200
    one.close()
    for _ in range(3):
        assert Connection(server).login("ann", "wrong password")[0] == 401
    assert Connection(server).login("ann")[0] == 429


# ---- per user


@pytest.mark.server_env(CONFAB_LIMITS_UPGRADES_PER_SECOND="2")
def test_a_user_opens_five_sockets_at_once_and_two_a_second(store_kind, server):
    ann, bob = server.user("ann"), server.user("bob")
    room = ann.create_room()
    bob.join(room)
    path = f"/ws/chat/{room}"

    def upgrade():
        try:
            ws.WebSocket(server.port, path, ann.token).close()
            return 101, {}, b""
        except ws.NotUpgraded as refused:
            return refused.status, refused.headers, refused.body
    passed, seconds = passed_until_limited(upgrade)
    assert 5 <= passed <= 6 + 2 * seconds
    ws.WebSocket(server.port, path, bob.token).close()
    servers.until(lambda: upgrade()[0] == 101, "the limit to be over")


class Sender:
    """Sends posts on a user's sockets, and takes what becomes of each."""

    def __init__(self):
        self.sent = 0

    def send(self, chat, count, content="post"):
        """The client keys of so many posts."""
        keys = [f"key-{self.sent + i}" for i in range(count)]
        self.sent += count
        for key in keys:
            chat.post(content, key=key)
        return keys

    def outcome(self, chat, keys):
        """The accepted keys, and the error frames of the others."""
        waiting, accepted, refused = set(keys), [], []
        while waiting:
            frame = chat.recv()
            if frame["type"] not in ("message_ack", "error") or frame["client_key"] not in waiting:
                continue
            waiting.remove(frame["client_key"])
            if frame["type"] == "message_ack":
                accepted.append(frame["client_key"])
            else:
                refused.append(frame)
        return accepted, refused

    def post(self, chat, count):
        return self.outcome(chat, self.send(chat, count))


def check_refused(frames, at_most_ms):
    for frame in frames:
        assert frame["message"] == "Rate limit exceeded" and frame["code"] == "RATE_LIMIT_EXCEEDED"
        assert 1 <= frame["retry_after_ms"] <= at_most_ms


@pytest.mark.server_env(CONFAB_LIMITS_POSTS_PER_MINUTE="60")
def test_the_61st_post_of_a_minute_is_refused_and_later_accepted(store_kind, server):
    ann, bob = server.user("ann"), server.user("bob")
    room = ann.create_room()
    bob.join(room)
    chat, other = ws.Chat(ann, room), ws.Chat(bob, room)
    sender, began = Sender(), time.monotonic()
    keys = sender.send(chat, 100)
    accepted, refused = sender.outcome(chat, keys)
    seconds = time.monotonic() - began
    assert 60 <= len(accepted) <= 61 + seconds
    assert accepted[:60] == keys[:60]  # the first ones, in order
    check_refused(refused, 1000)
    assert len(refused) == 100 - len(accepted)
    other.say("not meant")

    def is_accepted_again():
        return sender.post(chat, 1)[0]
    servers.until(is_accepted_again, "the limit to be over")
    history = [message for message in ann.history(room) if message["username"] == "ann"]
    assert len(history) == len(accepted) + 1  # what was refused is not there
    wait_refused(server, "posts", 1)


@pytest.mark.parametrize("gateways", [1, 2])
def test_the_sockets_of_a_user_share_a_limit(store_kind, make_server, gateways):
    server = make_server({"CONFAB_LIMITS_POSTS_PER_MINUTE": "60", "CONFAB_GATEWAY_COUNT": str(gateways)}).start()
    ann = server.user("ann")
    room, second = ann.create_room(), ann.create_room()
    chats = [ws.Chat(ann, room), ws.Chat(ann, second), ws.Chat(ann, room)]
    sender, began, accepted, refused = Sender(), time.monotonic(), 0, []
    for chat in chats * 4:
        some, others = sender.post(chat, 10)
        accepted += len(some)
        refused += others
    seconds = time.monotonic() - began
    # up to a quarter of them may be leased to another gateway
    assert (60 if gateways == 1 else 45) <= accepted <= 61 + seconds
    check_refused(refused, 1000)


@pytest.mark.server_env(CONFAB_LIMITS_COMMANDS_PER_MINUTE="10")
def test_the_eleventh_command_of_a_minute_is_refused(store_kind, server):
    ann = server.user("ann")
    chat = ws.Chat(ann, ann.create_room())
    sender, began = Sender(), time.monotonic()
    commands, posts = sender.send(chat, 16, "/hello"), sender.send(chat, 1)
    over = []
    while posts:
        frame = chat.recv()
        if frame["type"] == "error" and frame["code"] == "RATE_LIMIT_EXCEEDED":
            over.append(frame)
        elif frame["type"] == "message_ack":
            assert [frame["client_key"]] == posts  # which no command keeps from going
            posts = []
    passed, seconds = len(commands) - len(over), time.monotonic() - began
    assert 10 <= passed <= 11 + seconds / 6
    assert [frame["client_key"] for frame in over] == commands[passed:]
    check_refused(over, 6000)
    wait_refused(server, "commands", len(over))


@pytest.mark.server_env(CONFAB_LIMITS_POSTS_PER_MINUTE="0", CONFAB_LIMITS_COMMANDS_PER_MINUTE="0")
def test_posts_are_not_limited_at_0(store_kind, server):
    ann = server.user("ann")
    chat = ws.Chat(ann, ann.create_room())
    sender = Sender()
    assert len(sender.post(chat, 200)[0]) == 200
