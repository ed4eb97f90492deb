"""Readiness says whether the store can be used: not whether it answers a ping."""

import pytest

import rest
import server as servers
import ws

TRIES = 25


def status(server, path):
    return server.client().raw("GET", path)[0]


@pytest.fixture
def server(faults, make_server):  # pylint: disable=unused-argument
    server = make_server({"CONFAB_AUTH_SESSION_CACHE": "0", "CONFAB_STORE_READERS": "2"})
    server.allow_errors("^the store is away$")
    return server.start()


def carried_out(call, *arguments):
    """False: it was refused for the store's sake."""
    try:
        call(*arguments)
    except rest.Refused as answer:
        assert answer.status == 503
        return False
    return True


def said(chat):
    chat.post("hello")
    while True:
        frame = chat.recv()
        if frame["type"] == "error":
            assert frame["code"] == "NOT_SAVED"
        if frame["type"] in ("error", "message_ack"):
            return frame["type"] == "message_ack"


def errors(server):
    return server.metrics()["confab_store_errors_total"]


def outages(server):
    return [line["msg"] for line in server.lines].count("the store is away")


def check_red(server, faults, fault, try_it, actors):
    """From the first failure to the end of the fault, with those who try and without. actors: how many of
    them have the store and meet the fault."""
    so_far = outages(server)
    faults.write_text(fault + "\n")
    servers.until(lambda: not try_it() and status(server, "/readyz") == 503, "the first failure")
    for _ in range(TRIES):
        try_it()
        assert status(server, "/readyz") == 503
        assert status(server, "/livez") == 200
    before = errors(server)
    servers.until(lambda: errors(server) >= before + 5, "checks to fail while nobody tries")
    assert status(server, "/readyz") == 503
    assert status(server, "/livez") == 200
    faults.write_text("")
    servers.until(lambda: status(server, "/readyz") == 200, "readiness to turn green")
    servers.until(try_it, "the store to be used again")
    assert 1 <= outages(server) - so_far <= actors


@pytest.mark.only_store("sqlite")
@pytest.mark.parametrize("fault", ["write fail", "write refuse"])
def test_it_is_red_until_posts_can_be_written(store_kind, server, faults, fault):
    ann = server.user("ann")
    chat = ws.Chat(ann, ann.create_room())
    for _ in range(2):
        check_red(server, faults, fault, lambda: said(chat), 1)
    chat.close()


@pytest.mark.only_store("sqlite")
def test_it_is_red_until_users_can_be_written(store_kind, server, faults):
    numbers = iter(range(10000))
    check_red(server, faults, "write fail",
              lambda: carried_out(server.client().register, f"bob{next(numbers)}"), 1)


@pytest.mark.only_store("sqlite")
def test_it_is_red_until_a_reader_can_read(store_kind, server, faults):
    ann = server.user("ann")
    check_red(server, faults, "read fail", lambda: carried_out(server.client().login, "ann"), 2)
    assert ann.call("GET", "/auth/me")


@pytest.mark.only_store("postgres")
def test_why_the_database_cannot_be_reached_is_said_once_and_not_with_each_attempt(store_kind, make_server):
    server = make_server({"CONFAB_STORE_READERS": "2"})
    server.allow_errors("^the store is away$")
    store = server.start().store
    store.cluster.run(f"ALTER DATABASE {store.database} ALLOW_CONNECTIONS false")
    before = errors(server)
    for pid in store.backends():
        store.kill_backend(pid)
    servers.until(lambda: errors(server) >= before + 20, "many attempts")
    store.cluster.run(f"ALTER DATABASE {store.database} ALLOW_CONNECTIONS true")
    servers.until(lambda: status(server, "/readyz") == 200, "readiness to turn green")
    assert server.terminate() == 0
    said = [(line["actor"], line["reason"]) for line in server.lines if line["msg"] == "postgres: cannot connect"]
    assert any("not currently accepting connections" in reason for _, reason in said)
    assert "terminating connection due to administrator command" in [line.get("reason") for line in server.lines]
    assert {one: said.count(one) for one in said if said.count(one) > (2 if one[0] == "reader" else 1)} == {}
