"""Disabling a user (P16): every way in is shut at once and stays so, nothing under way slips through, and nobody can
tell it from a wrong password; and enabling again (docs/control.md)."""

import threading

import pytest

import server as servers
import ws
from rest import Refused
from test_gateways import SPREAD, THREE
from test_rest import refused
from test_sessions import HashCount, all_say_wrong_password, raw_login

AT_ONCE_S = 5  # sockets are closed within this


def users(server, verb, name):
    run = server.command("ctl", "users", verb, name)
    assert (run.returncode, run.stdout, run.stderr) == (0, f"{name} is {verb}d\n", "")


def is_shut_out(server, token, room):
    """By cookie, by header, and for a socket."""
    for headers in ({"Cookie": f"session_id={token}"}, {"Authorization": f"Bearer {token}"}):
        refused(401, "Invalid or expired session", server.client().call, "GET", "/auth/me", headers=headers)
    with pytest.raises(ws.NotUpgraded) as caught:
        ws.WebSocket(server.port, f"/ws/chat/{room}", token)
    assert caught.value.status == 401


def closing(chat, limit=AT_ONCE_S):
    """How it ends, what came before it passed over."""
    with pytest.raises(ws.Closed) as caught:
        while True:
            chat.recv(limit)
    return caught.value.code, caught.value.reason


def test_every_socket_of_every_session_is_closed_on_every_gateway(store_kind, make_server):
    server = make_server(THREE).start()
    ann, again, bob = server.user("ann"), server.client(), server.user("bob")
    again.login("ann")
    room = ann.create_room()
    bob.join(room)
    stays = ws.Chat(bob, room)
    hers = [ws.Chat(client, room) for client in (ann, again) for _ in range(SPREAD)]
    said = hers[0].say("before")
    users(server, "disable", "ann")
    assert [closing(chat) for chat in hers] == [(1008, "session ended")] * len(hers)
    for _ in hers:
        stays.until("user_left", username="ann")
    for token in (ann.token, again.token):
        is_shut_out(server, token, room)
    stays.say("still here")
    assert bob.call("GET", "/auth/me")["username"] == "bob"
    kept = next(message for message in bob.messages(room) if message["id"] == said)
    assert kept["username"] == "ann" and kept["content"] == "before"
    assert server.wait_log(lambda line: line["msg"] == "disabled a user" and line["user"] == ann.id)


def test_enabling_lets_the_user_log_in_again_and_brings_no_session_back(store_kind, server):
    ann, bob = server.user("ann"), server.user("bob")
    room, old = ann.create_room(), ann.token
    for verb in ("disable", "disable"):
        users(server, verb, "ann")
    refused(401, "Invalid credentials", server.client().login, "ann")
    with pytest.raises(Refused) as caught:
        bob.register("ann", email="other@test.com")
    assert caught.value.status == 409, "the name is hers"
    for verb in ("enable", "enable"):
        users(server, verb, "ann")
    is_shut_out(server, old, room)
    ann.login("ann")
    chat = ws.Chat(ann, room)
    chat.say("I am back, and a member still")
    users(server, "enable", "ann")  # who is not disabled loses nothing
    chat.say("still here")


def test_disabled_outlives_a_kill(store_kind, server):
    ann = server.user("ann")
    room = ann.create_room()
    users(server, "disable", "ann")
    server.kill()
    server.start()
    is_shut_out(server, ann.token, room)
    assert raw_login(server, "ann", "password123")[0] == 401
    users(server, "enable", "ann")
    server.kill()
    server.start()
    ann.login("ann")
    ws.Chat(ann, room).say("back")


@pytest.mark.server_env(CONFAB_AUTH_HASH_WORKERS="1")  # of several, one may tell its counters later than another
def test_a_login_costs_and_looks_like_a_wrong_password(store_kind, server):
    count, answers = HashCount(server), []
    count.of(lambda: server.client().register("bob"))
    users(server, "disable", "ann")
    for name, password in (("bob", "wrong password"), ("nobody", "password123"), ("ann", "wrong password"),
                           ("ann", "password123")):
        count.of(lambda who=name, what=password: answers.append(raw_login(server, who, what)))
    count.end()
    all_say_wrong_password(answers)


def test_what_cannot_be_done_is_said_and_harms_nobody(store_kind, server):
    ann = server.user("ann")
    for verb in ("disable", "enable"):
        for name in ("nobody", "Ann", "an", "", "x" * 51, "x" * 500, "no such user", "ann\n", "\u00e4nn"):
            run = server.command("ctl", "users", verb, name)
            assert (run.returncode, run.stdout) == (1, ""), name
            assert run.stderr == f"confab ctl: cannot {verb} '{name}': there is no such user\n"
        for words in ((), ("ann", "bob")):
            run = server.command("ctl", "users", verb, *words)
            assert run.returncode == 2 and "usage: confab ctl" in run.stderr
    run = server.command("ctl", "users", "disable", "StockBot")
    assert (run.returncode, run.stderr) == (1, "confab ctl: cannot disable 'StockBot': the bot cannot be disabled\n")
    assert ann.call("GET", "/auth/me")["username"] == "ann"
    assert raw_login(server, "ann", "password123")[0] == 200


@pytest.mark.parametrize("fault, is_done", [("write lose 1", True), ("write fail 1", False)], ids=["lost", "failed"])
def test_what_the_store_does_not_confirm_is_said_and_can_be_asked_again(store_kind, faults, make_server, fault, is_done):
    server = make_server().start()
    server.allow_errors("store|storage")
    ann = server.user("ann")
    room = ann.create_room()
    chat = ws.Chat(ann, room)
    faults.write_text(fault + "\n")
    run = server.command("ctl", "users", "disable", "ann")
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == "confab ctl: cannot disable 'ann': the store did not say that it was done; ask again\n"
    assert closing(chat) == (1008, "session ended"), "she may be disabled"
    if is_done:
        is_shut_out(server, ann.token, room)
    else:
        assert ann.call("GET", "/auth/me")["username"] == "ann", "and comes back if she is not"
    servers.until(lambda: server.command("ctl", "users", "disable", "ann").returncode == 0, "the store to be back")
    is_shut_out(server, ann.token, room)


class Busy(threading.Thread):
    """Does something again and again until it is stopped; what it raised is raised at the end."""

    def __init__(self, work):
        super().__init__()
        self.work, self.over, self.error = work, threading.Event(), None
        self.start()

    def run(self):
        try:
            while not self.over.is_set():
                self.work()
        except BaseException as error:  # noqa: BLE001: told by stop()
            self.error = error

    def stop(self):
        self.over.set()
        self.join(servers.LIMIT_S)
        assert not self.is_alive()
        if self.error:
            raise self.error


def test_nothing_under_way_slips_through(store_kind, make_server):
    """Logins, upgrades and posts go on while the user is disabled: no token that was ever told is good behind it, no
    socket stays, and every post that was acknowledged is in the history."""
    server = make_server({**THREE, "CONFAB_LIMITS_FAILED_LOGINS": "0",
                          "CONFAB_LIMITS_AUTH_PER_SECOND_PER_IP": "0"}).start()
    ann, bob = server.user("ann"), server.user("bob")
    room = ann.create_room()
    bob.join(room)
    tokens, chats, acked = [], [], []

    def log_in():
        one = server.client()
        try:
            tokens.append(one.login("ann")["session_token"])
        except Refused as error:
            assert (error.status, error.error) == (401, "Invalid credentials")

    def come_in():
        try:
            chats.append(ws.Chat(server.client(token=tokens[-1]), room, wait=False))
        except ws.NotUpgraded as error:
            assert error.status == 401
        while len(chats) > 40:
            chats.pop(0).close()

    def talk():
        try:
            chat = ws.Chat(ann, room)
            while True:
                acked.append(chat.say("a word"))
        except ws.NotUpgraded as error:
            assert error.status == 401
        except ws.Closed as closed:
            assert closed.code == 1008
        except OSError:
            pass  # written behind the server's Close

    tokens.append(ann.token)
    busy = [Busy(work) for work in (log_in, log_in, come_in, come_in, talk, talk)]
    servers.until(lambda: len(tokens) > 20 and len(chats) > 20 and len(acked) > 20, "all of it to be under way")
    users(server, "disable", "ann")
    logged_in = len(tokens)
    for one in busy:
        one.stop()
    assert len(tokens) - logged_in <= 2, "only answers that were on their way"
    for token in tokens:
        refused(401, "Invalid or expired session", server.client(token=token).call, "GET", "/auth/me")
    assert {chat.wait_closed(AT_ONCE_S) for chat in chats} == {1008}
    history = {message["id"] for message in bob.history(room)}
    assert set(acked) <= history
