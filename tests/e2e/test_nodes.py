"""A database is one server's until nodes can talk: who takes over, who waits, and who may not write any more."""

import json
import signal

import pytest

import proxy
import runs
import server as servers
import ws

QUICK = {"CONFAB_NODE_HEARTBEAT": "100ms", "CONFAB_NODE_GONE_AFTER": "1s"}
# who was frozen finds its calls of the store late
TAKEN_OVER = ("^another server has taken over this database$|^was late for the others, and is gone; begins anew$|"
              "^this node was marked gone$|^the store is away$")
UNAVAILABLE = 69
LOGIN = b'{"username":"ann","password":"password123"}'
WAITS = "another server is in this database; waits until it leaves"

pytestmark = pytest.mark.only_store("postgres")


@pytest.fixture
def under_load(make_server, load):
    """A server with a room in which eight clients post and listen, through a relay that can lead them elsewhere."""
    relays = []

    def begin():
        rooms = runs.Rooms(make_server(QUICK), members=8)
        relays.append(proxy.Proxy(rooms.server.port))
        run = load(rooms.server, rooms, flags=("reconnect",), rate=400, window=8, seconds=600, drain_limit=60,
                   urls=[relays[0].url])
        run.wait_acks(100)
        return run, relays[0]
    yield begin
    for relay in relays:
        relay.close()


@pytest.fixture
def beside(make_server):
    """Another server on the database of the first."""
    def make(first, **env):
        first.allow_errors(TAKEN_OVER)
        return make_server({**QUICK, **env})
    return make


def judge(run, server):
    """What is wrong with what either has acked: all of it has to be there, once and in order."""
    run.wait_acks(run.lines("ACK") + 100)
    run.server = server
    run.stop().finish()
    return run.judge()


def test_a_server_of_the_same_name_takes_over_and_nothing_is_lost(store_kind, under_load, beside):
    run, relay = under_load()
    first = run.server
    second = beside(first).start()
    relay.to = second.port
    assert first.wait_exit() == UNAVAILABLE
    assert judge(run, second) == []


def enter(server, rooms):
    try:
        return ws.Chat(server.client(token=rooms.owner.token), rooms.ids[0])
    except ws.NotUpgraded:
        return None


def test_who_was_frozen_when_another_took_over_writes_nothing(store_kind, under_load, beside):
    run, relay = under_load()
    first = run.server
    first.freeze()
    second = beside(first).start()
    relay.to = second.port
    chat = servers.until(lambda: enter(second, run.rooms), "the room, which the first may have locked")
    chat.say("meanwhile")
    chat.close()
    first.thaw()
    assert first.wait_exit() == UNAVAILABLE
    wrong = judge(run, second)
    assert len(wrong) == 1 and wrong[0].endswith("was never sent"), wrong  # by the load, but from here


def test_a_server_of_another_name_waits_and_disturbs_nobody(store_kind, make_server, beside):
    first = make_server(QUICK).start()
    ann = first.user("ann")
    chat = ws.Chat(ann, ann.create_room())
    second = beside(first, CONFAB_NODE_NAME="other").listen()
    assert second.wait_log(lambda entry: entry.get("msg") == WAITS)
    status, _, body = second.client().raw("GET", "/readyz")
    assert status == 503 and json.loads(body)["waits_for"] == "the store"
    assert second.client().raw("POST", "/api/v1/auth/login", LOGIN, {"Content-Type": "application/json"})[0] == 503
    chat.say("still here")
    chat.close()
    first.signal(signal.SIGTERM)
    assert first.wait_exit() == 0
    second.wait_serving()
    second.client().login("ann")


def test_who_waits_longer_than_for_a_store_gives_up(store_kind, make_server, beside):
    first = make_server(QUICK).start()
    second = beside(first, CONFAB_NODE_NAME="other", CONFAB_STORE_START_WAIT="1s")
    second.allow_errors("^another server did not leave this database in time$")
    second.launch()
    assert second.wait_exit() == UNAVAILABLE
    assert first.client().raw("GET", "/readyz")[0] == 200


def test_one_that_is_silent_is_nobodys_obstacle(store_kind, make_server, beside):
    first = make_server(QUICK).start()
    first.freeze()
    beside(first, CONFAB_NODE_NAME="other").start()
    first.thaw()
    assert first.wait_log(lambda entry: entry.get("msg") == WAITS)  # in its next life
    assert first.terminate() == 0
