"""Rooms that move from one living node to another, and nodes that leave in order: nobody in a room notices."""

import itertools
import signal

import pytest

import runs
import server as servers
import ws
from test_durability import judge
from test_mesh import LINKS, await_metric, keys, make_node  # noqa: F401 (fixtures)
from test_several_nodes import pair  # noqa: F401 (fixture)

pytestmark = pytest.mark.only_store("postgres")


def move(server, *words):
    return server.command("ctl", "rooms", "move", *words)


def drain(chat, until):
    """What the connection was sent up to the post with this content."""
    frames = []
    while not frames or frames[-1].get("content") != until:
        frames.append(chat.recv())
    return frames


def posts_of(client, room):
    return [(post.seq, post.text) for post in client.history_posts(room)]


@pytest.mark.parametrize("ephemeral", [False, True])
def test_who_is_in_a_room_that_moves_to_and_fro_notices_nothing(store_kind, pair, ephemeral):  # noqa: F811
    ann, bob = pair[0].user("ann"), pair[1].user("bob")
    room = ann.create_room("a room", ephemeral=ephemeral)
    bob.join(room)
    here, there = ws.Chat(ann, room), ws.Chat(bob, room)
    here.until("user_joined", username="bob")
    here.say("0", key="0")
    there.until("chat_message", content="0")
    for n in range(1, 7):
        node = f"node-{n % 2}"
        run = move(pair[n // 2 % 2], room, node)  # of where it is, or of the other
        if (run.returncode, run.stderr) != (0, ""):  # the first time it may be there
            assert n == 1 and "it is there already" in run.stderr
        chat = (here, there)[n // 3 % 2]
        chat.say(str(n), key=str(n))
        for each in (here, there):
            seen = [frame for frame in each.kept] + ([] if each is chat else drain(each, str(n)))
            each.kept.clear()
            assert not {frame["type"] for frame in seen} & {"user_joined", "user_left"}
    assert posts_of(ann, room) == [(n + 1, str(n)) for n in range(7)]
    assert here.say("1", key="1") == ann.history(room)[1]["id"]  # said again, five moves later
    assert posts_of(bob, room) == [(n + 1, str(n)) for n in range(7)]


def test_what_cannot_be_moved_is_told_apart(store_kind, pair):  # noqa: F811
    ann = pair[0].user("ann")
    room = ann.create_room("a room")
    assert move(pair[0], room, "node-7").stderr == f"confab ctl: cannot move '{room}': no such node is here\n"
    nowhere = "00000000-0000-7000-8000-000000000000"
    for words in ((nowhere,), (nowhere, "node-0"), ("nonsense", "node-0")):
        run = move(pair[0], *words)
        assert (run.returncode, run.stderr) == (1, f"confab ctl: cannot move '{words[0]}': there is no such room\n")
    assert move(pair[0], room, "node-1").returncode in (0, 1)
    run = move(pair[0], room, "node-1")
    assert (run.returncode, run.stderr) == (1, f"confab ctl: cannot move '{room}': it is there already\n")
    assert move(pair[0], room).returncode == 0  # to the other
    assert move(pair[1], room, "node-1").returncode == 0


def test_who_is_sent_away_is_told_to_come_to_another_node_soon(store_kind, pair):  # noqa: F811
    ann = pair[0].user("ann")
    room = ann.create_room("a room")
    chats = [ws.Chat(ann, room) for _ in range(20)]
    pair[0].signal(signal.SIGTERM)
    for chat in chats:
        with pytest.raises(ws.Closed) as closed:
            while True:
                chat.recv()
        assert closed.value.code == 1001
        assert int(closed.value.reason.rpartition("retry_after_ms=")[2]) < 2000
    assert pair[0].wait_exit() == 0


@pytest.fixture
def nodes_under_load(store_kind, make_node, load):  # noqa: F811
    """Three nodes with some rooms, and clients spread over them that post, listen and go elsewhere when they are told to."""
    def begin(rooms=6, **options):
        nodes = [make_node(i, allowed=range(3), CONFAB_NODE_GONE_AFTER="4s") for i in range(3)]  # nobody is gone for being busy
        there = runs.Rooms(nodes[0], rooms=rooms, members=6)
        for node in nodes[1:]:
            node.start()
        for node in nodes:
            await_metric(node, LINKS, 2)
        return nodes, load(nodes[0], there, urls=[node.url for node in nodes], flags=("reconnect", "heed"),
                           **{"rate": 200, "window": 8, "seconds": 600, "drain_limit": 60, **options})
    return begin


def comes_back(nodes, node, **env):
    node.start(**env)
    for each in nodes:
        await_metric(each, LINKS, 2)


def test_a_rolling_restart_of_all_nodes_loses_nothing(nodes_under_load):
    nodes, run = nodes_under_load()
    for node in nodes:
        run.wait_acks(run.lines("ACK") + 100)
        node.signal(signal.SIGTERM)
        assert node.wait_exit() == 0
        comes_back(nodes, node)
    run.wait_acks(run.lines("ACK") + 100)
    run.stop()
    report = judge(run)
    assert set(report["closes"]) <= {"1001", "1006"}, run.text()


@pytest.mark.parametrize("point", ["in_handover", "in_takeover"])
def test_a_node_that_dies_while_a_room_moves_loses_nothing_acked(nodes_under_load, point):
    nodes, run = nodes_under_load()
    for turn in range(runs.rounds(3)):
        dies, other = nodes[turn % 3], nodes[(turn + 1) % 3]
        run.wait_acks(run.lines("ACK") + 20)
        dies.kill()
        comes_back(nodes, dies, CONFAB_CRASH_AT=f"{point}:1")
        for room in itertools.cycle(run.rooms.ids):  # one may be coming or going just now
            for node in (turn, turn + 1):
                move(other, room, f"node-{node % 3}")
            if not dies.is_running():
                break
        assert dies.wait_exit() == servers.CRASHED
        comes_back(nodes, dies)
        run.wait_acks(run.lines("ACK") + 20)
    run.stop()
    judge(run)
