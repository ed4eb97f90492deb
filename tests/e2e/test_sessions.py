"""Sessions and logins (P16, P17): tokens nobody can guess, kept as hashes, new at each login, ended with their sockets;
and answers that do not tell whether a name exists."""

import base64
import hashlib
import json
import pathlib

import pytest

import server as servers
import ws
from rest import Refused
from test_metrics import value
from test_rest import refused


# ---- P16


def test_tokens_are_32_random_bytes(store_kind, server):
    ann = server.client()
    ann.register("ann")
    tokens = [ann.login("ann")["session_token"] for _ in range(40)]
    raw = [base64.urlsafe_b64decode(token + "=") for token in tokens]
    assert len(set(raw)) == 40 and all(len(one) == 32 for one in raw)
    ones = sum(bin(int.from_bytes(one, "big")).count("1") for one in raw)
    assert 4700 < ones < 5540, "of 10,240 bits half are set, give or take eight deviations"
    columns = [len({one[i] for one in raw}) for i in range(32)]
    assert min(columns) > 20, "no byte stands still"


def everything_stored(store):
    """All bytes of a SQLite database, its log included; all texts and byte strings of a PostgreSQL one."""
    if store.name == "sqlite":
        return b"".join(path.read_bytes() for path in pathlib.Path(store.path).parent.glob("confab.db*"))
    tables = [name for (name,) in store.cluster.run(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public'", store.url)]
    return b"".join(row[0].encode() for table in tables
                    for row in store.cluster.run(f'SELECT t::text FROM "{table}" t', store.url))


def test_the_store_has_hashes_of_tokens_and_passwords(store_kind, server):
    ann = server.user("ann", "a password to look for")
    stored = everything_stored(server.store)
    digest = hashlib.blake2b(ann.token.encode(), digest_size=32).digest()
    assert (digest if store_kind == "sqlite" else digest.hex().encode()) in stored, "the session is there, as a hash"
    assert ann.token.encode() not in stored and base64.urlsafe_b64decode(ann.token + "=") not in stored
    assert base64.urlsafe_b64decode(ann.token + "=").hex().encode() not in stored
    assert b"a password to look for" not in stored and b"$argon2id$" in stored


def test_a_login_makes_a_new_session_whatever_the_client_brings(store_kind, server):
    ann = server.user("ann")
    body = json.dumps({"username": "ann", "password": "password123"})
    for brought in (ann.token, "x" * 43, ""):
        _, headers, answer = server.client().raw("POST", "/api/v1/auth/login", body, {"Cookie": f"session_id={brought}"})
        token = json.loads(answer)["session_token"]
        assert token != brought and f"session_id={token};" in headers["Set-Cookie"]
    assert ann.call("GET", "/auth/me")["username"] == "ann", "others go on"
    refused(401, "Invalid or expired session", server.client(token="x" * 43).call, "GET", "/auth/me")


@pytest.mark.parametrize("gateways", ["1", "3"])
def test_logout_ends_the_sockets_of_that_session_everywhere(store_kind, make_server, gateways):
    server = make_server({"CONFAB_GATEWAY_COUNT": gateways}).start()
    ann, again = server.user("ann"), server.client()
    again.login("ann")
    room = ann.create_room()
    mine, others = [ws.Chat(ann, room) for _ in range(5)], ws.Chat(again, room)
    ann.call("POST", "/auth/logout")
    assert [chat.wait_closed() for chat in mine] == [1008] * 5
    others.say("still here")
    for attempt in (ann, server.client(token=ann.token)):
        refused(401, "Invalid or expired session", attempt.call, "GET", "/auth/me")
    with pytest.raises(ws.NotUpgraded) as caught:
        ws.WebSocket(server.port, f"/ws/chat/{room}", ann.token)
    assert caught.value.status == 401


def test_a_logout_outlives_a_restart(store_kind, server):
    ann = server.user("ann")
    ann.call("POST", "/auth/logout")
    server.kill()
    server.start()
    refused(401, "Invalid or expired session", server.client(token=ann.token).call, "GET", "/auth/me")


@pytest.mark.server_env(CONFAB_AUTH_SESSION_TTL="3s", CONFAB_SWEEPER_INTERVAL="100ms")
def test_expiry_ends_session_sockets_and_row(store_kind, server):
    ann = server.user("ann")
    chat = ws.Chat(ann, ann.create_room())
    digest = hashlib.blake2b(ann.token.encode(), digest_size=32).digest()
    assert chat.wait_closed() == 1008
    servers.until(lambda: value(server, "confab_sessions_expired_total") == 1, "the sweeper")
    refused(401, "Invalid or expired session", ann.call, "GET", "/auth/me")
    if store_kind == "postgres":
        assert digest.hex().encode() not in everything_stored(server.store)


@pytest.mark.only_store("sqlite")
@pytest.mark.parametrize("change", [lambda t: t[:-1], lambda t: t + "A", lambda t: t.swapcase(), lambda t: t[::-1],
                                    lambda t: t + "=", lambda t: t[:-1] + chr(ord(t[-1]) ^ 1), lambda t: f'"{t}"',
                                    lambda t: t + "\x7f"], ids=range(8))
def test_a_token_changed_by_anything_is_none(store_kind, server, change):
    ann = server.user("ann")
    for headers in ({"Cookie": f"session_id={change(ann.token)}"}, {"Authorization": f"Bearer {change(ann.token)}"}):
        with pytest.raises(Refused) as caught:
            server.client().call("GET", "/auth/me", headers=headers)
        assert caught.value.status in (400, 401)


# ---- P17


def hashes(server):
    return value(server, "confab_password_hashes_total")


class HashCount:
    """Holds a server with one hasher to one hash a call. Counters come late, but each one's in its order."""

    def __init__(self, server):
        self.server = server
        server.client().register("ann", email="ann@test.com")
        self.expected = 1
        self.wait()

    def wait(self):
        servers.until(lambda: hashes(self.server) >= self.expected, f"{self.expected} hashes")

    def of(self, call):
        call()
        self.expected += 1
        self.wait()

    def end(self):
        """Nothing cost more than it should have."""
        told = value(self.server, "confab_actor_messages_total", actor="hasher")
        for _ in range(2):
            servers.until(lambda before=told: value(self.server, "confab_actor_messages_total", actor="hasher") > before,
                          "the hasher to tell its counters")
            told = value(self.server, "confab_actor_messages_total", actor="hasher")
        assert hashes(self.server) == self.expected


def raw_login(server, name, password):
    return server.client().raw("POST", "/api/v1/auth/login", json.dumps({"username": name, "password": password}))


def all_say_wrong_password(answers):
    """Not one differs from the others in anything that a client can see but the time and the request's id."""
    drop = {"Date", "X-Request-Id"}
    seen = {(status, body, tuple((k, v) for k, v in headers.items() if k not in drop)) for status, headers, body in answers}
    assert len(seen) == 1, seen
    assert next(iter(seen))[:2] == (401, b'{"error":"Invalid credentials"}\n')


@pytest.mark.server_env(CONFAB_AUTH_HASH_WORKERS="1")  # of several, one may tell its counters later than another
def test_unknown_names_and_wrong_passwords_cost_the_same_and_look_the_same(store_kind, server):
    count, answers = HashCount(server), []
    for name in ("ann", "nobody", "no such name", "", "x" * 60, "StockBot", "\u00e4\u00f6", "ann\x00"):
        count.of(lambda who=name: answers.append(raw_login(server, who, "wrong password")))
    count.end()
    all_say_wrong_password(answers)


@pytest.mark.server_env(CONFAB_AUTH_HASH_WORKERS="1")  # of several, one may tell its counters later than another
def test_a_taken_name_costs_what_a_free_one_does(store_kind, server):
    count, client, taken = HashCount(server), server.client(), []
    count.of(lambda: client.register("bob"))

    def again(name, email):
        with pytest.raises(Refused) as caught:
            client.register(name, email=email)
        taken.append((caught.value.status, caught.value.body, caught.value.headers.keys()))
    count.of(lambda: again("ann", "other@test.com"))
    count.of(lambda: again("carl", "ann@test.com"))
    count.of(lambda: again("ann", "ann@test.com"))
    count.end()
    assert len({(status, body) for status, body, _ in taken}) == 1
    assert taken[0][:2] == (409, b'{"error":"User already exists"}\n')


def test_the_bot_cannot_log_in(store_kind, server):
    for password in ("", "password123", "bot", "StockBot"):
        assert raw_login(server, "StockBot", password)[0] == 401
