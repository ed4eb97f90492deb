"""Several servers on one database are one chat: whoever is in a room hears the others, whichever node they are on."""

import signal

import pytest

import runs
import server as servers
import ws
from nodes import LINKS, await_metric, keys  # noqa: F401 (fixture)
from test_mesh import make_node, open_files  # noqa: F401 (fixture)

pytestmark = pytest.mark.only_store("postgres")
ROOMS = 6  # one node is asked first for all of them once in 32 runs


@pytest.fixture
def pair(store_kind, make_node):  # noqa: F811
    nodes = [make_node(i, allowed=range(2)).start() for i in range(2)]
    for node in nodes:
        await_metric(node, LINKS, 1)
    return nodes


def test_who_is_on_one_node_hears_who_is_on_the_other(pair):
    ann, bob = pair[0].user("ann"), pair[1].user("bob")
    for number in range(ROOMS):
        room = ann.create_room(f"room {number}")
        bob.join(room)
        here, there = ws.Chat(ann, room), ws.Chat(bob, room)
        here.post("from ann")
        there.until("chat_message", content="from ann")
        there.post("from bob")
        here.until("chat_message", content="from bob")
        here.close()
        there.close()


def test_a_room_of_a_node_that_dies_goes_on_with_all_that_was_said(pair):
    ann, bob = pair[0].user("ann"), pair[1].user("bob")
    rooms = [ann.create_room(f"room {number}") for number in range(ROOMS)]
    chats = []
    for room in rooms:
        bob.join(room)
        here, there = ws.Chat(ann, room), ws.Chat(bob, room)
        here.post("before")
        there.until("chat_message", content="before")
        chats.append(there)
    pair[0].kill()
    for there in chats:  # the other node does not know it yet
        there.post("behind", key="1")
    for room, there in zip(rooms, chats):
        assert there.until("message_ack")["client_key"] == "1"
        there.until("chat_message", content="behind")
        assert [post["content"] for post in bob.history(room)] == ["before", "behind"]


def test_clients_of_the_others_notice_nothing_of_a_node_that_dies_under_load(store_kind, make_node, load):  # noqa: F811
    """It dies when posts are stored and nobody has been told so."""
    first = make_node(0, allowed=range(2), CONFAB_CRASH_AT="before_ack:100").start()
    rooms = runs.Rooms(make_node(1, allowed=range(2)), rooms=2 * ROOMS, members=4)
    for node in (first, rooms.server):
        await_metric(node, LINKS, 1)
    run = load(rooms.server, rooms, rate=400, window=8, seconds=600, drain_limit=60)
    assert first.wait_exit() == servers.CRASHED
    assert rooms.server.wait_log(lambda entry: entry.get("msg") == "a node is gone")
    run.wait_acks(run.lines("ACK") + 600)
    report = run.stop().finish()
    assert report["closes"] == {} and report["refused"] == 0, run.text()
    assert run.judge() == []


def test_who_was_on_a_node_that_dies_has_left_each_room_wherever_it_was(pair):
    ann, bob = pair[0].user("ann"), pair[1].user("bob")
    rooms = [ann.create_room(f"room {number}") for number in range(ROOMS)]
    chats, anns = [], []
    for number, room in enumerate(rooms):
        bob.join(room)
        if number % 2:  # she is there first
            anns.append(ws.Chat(ann, room))
        chats.append(ws.Chat(bob, room))
        if not number % 2:
            anns.append(ws.Chat(ann, room))
            chats[-1].until("user_joined", username="ann")
    pair[0].kill()
    for there in chats:
        there.until("user_left", username="ann")
    while chats[-1].recv().get("user_counts") != dict.fromkeys(rooms, 1):
        pass


def test_every_node_counts_the_rooms_of_all(pair):
    ann, bob = pair[0].user("ann"), pair[1].user("bob")
    rooms = [ann.create_room(f"room {number}") for number in range(ROOMS)]
    chats = []
    for room in rooms:
        bob.join(room)
        chats += [ws.Chat(ann, room), ws.Chat(bob, room)]
    for chat in chats[:2]:
        while chat.recv().get("user_counts") != dict.fromkeys(rooms, 2):
            pass


GONE = "^this node was marked gone$|^was (late for|cut off from) the others, and is gone; begins anew$|^the store is away$"


def freeze_until_gone(node, other):
    node.freeze()
    assert other.wait_log(lambda entry: entry.get("msg") == "a node is gone")
    node.thaw()


def test_a_node_that_was_away_begins_anew_as_the_same_process(pair):
    ann, bob = pair[0].user("ann"), pair[1].user("bob")
    room = ann.create_room()
    bob.join(room)
    here, there = ws.Chat(ann, room), ws.Chat(bob, room)
    pid, files = pair[0].pid, open_files(pair[0])
    pair[0].allow_errors(GONE)
    freeze_until_gone(*pair)
    assert here.wait_closed() == 1012
    there.post("meanwhile", key="1")
    there.until("message_ack")
    pair[0].wait_anew()
    await_metric(pair[0], LINKS, 1)
    again = pair[0].client(token=ann.token)
    assert [post["content"] for post in again.history(room)] == ["meanwhile"]
    servers.until(lambda: open_files(pair[0]) <= files, "no more open files than before")
    assert pair[0].pid == pid and pair[0].terminate() == 0


def test_a_node_that_is_about_to_begin_anew_ends_when_it_is_told_to(pair):
    pair[0].allow_errors(GONE)
    freeze_until_gone(*pair)
    assert pair[0].wait_log(lambda entry: entry.get("msg") == "begins anew")["pause_ms"] > 0
    pair[0].signal(signal.SIGTERM)
    assert pair[0].wait_exit() == 0
