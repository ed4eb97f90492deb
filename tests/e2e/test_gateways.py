"""The same promises with several gateway threads: the kernel spreads connections over them, and whatever is
said on one is heard on all."""

import pathlib

import pytest

import runs
import server as servers
import ws
from runs import judge
from test_slow import SLOW, slow_closes

GATEWAYS = 3
THREE = {"CONFAB_GATEWAY_COUNT": str(GATEWAYS)}
ROUNDS = runs.rounds(5)
# Enough that all of them on one gateway is beyond chance: 3 ** -23.
SPREAD = 24


@pytest.fixture
def under_load(make_server, load):
    def begin(env=None, members=SPREAD, flags=("reconnect",), **options):
        rooms = runs.Rooms(make_server({**THREE, **(env or {})}), members=members)
        return load(rooms.server, rooms, flags=flags, **{"writers": 8, "rate": 400, "window": 8, "seconds": 600,
                                                         "drain_limit": 60, **options})
    return begin


def test_all_gateways_show_one_order(store_kind, under_load):
    run = under_load(flags=(), members=60, writers=30, posts=5_000, rate=0)
    report = run.finish()
    assert report["faults"] == dict.fromkeys(report["faults"], 0), run.text()
    assert report["acked"] == report["posts"] >= 5_000
    assert run.judge() == []


@pytest.mark.parametrize("point", ["after_ack", "mid_fanout", "after_fanout"])
def test_a_crash_of_a_gateway_among_others_loses_nothing_acked(store_kind, under_load, point):
    run = under_load()
    run.wait_acks(20)
    run.crash_at(point, min(ROUNDS, 3))
    run.stop()
    judge(run)


def test_random_kills_lose_nothing_acked(store_kind, under_load):
    run = under_load()
    run.kill_at_random(ROUNDS)
    run.stop()
    judge(run)


def test_sigterm_closes_the_sockets_of_every_gateway_with_1001(store_kind, under_load):
    run = under_load(flags=())
    run.wait_acks(200)
    assert run.server.terminate() == 0
    report = run.finish()
    assert report["closes"] == {"1001": SPREAD}, run.text()
    run.server.start()
    assert run.judge() == []


def test_a_slow_reader_on_one_gateway_delays_nobody_on_any(store_kind, under_load):
    run = under_load(SLOW, flags=(), rate=200, payload=900, window=16, writers=SPREAD - 1, stopped=1)
    server = run.server
    servers.until(lambda: slow_closes(server) == 1, "the slow reader to be closed")
    run.wait_acks(run.lines("ACK") + 200)
    report = run.stop().finish()
    assert report["faults"] == dict.fromkeys(report["faults"], 0), run.text()
    assert slow_closes(server) == 1
    assert [problem for problem in run.judge() if f"client {SPREAD - 1} " not in problem] == []


def test_logout_closes_the_sockets_of_that_session_on_every_gateway(store_kind, make_server):
    server = make_server({**THREE}).start()
    ann, other = server.user("ann"), server.client()
    other.login("ann")
    room = ann.create_room()
    ended = [ws.Chat(ann, room) for _ in range(SPREAD)]
    stays = [ws.Chat(other, room) for _ in range(SPREAD)]
    ann.call("POST", "/auth/logout")
    assert [chat.wait_closed() for chat in ended] == [1008] * SPREAD
    said = stays[0].say("still here")
    for chat in stays:
        assert chat.until("chat_message")["id"] == said
        chat.close()


def test_rooms_that_come_and_go_lose_nothing_and_keep_one_order(store_kind, make_server):
    """Each room is put away as soon as its last member has gone, and met again through any gateway."""
    server = make_server({**THREE, "CONFAB_ROOMS_IDLE": "100ms"}).start()
    ann = server.user("ann")
    rooms = [ann.create_room(f"room {i}") for i in range(4)]
    said = {room: [] for room in rooms}
    for turn in range(1, 7):
        for room in rooms:
            chats = [ws.Chat(ann, room) for _ in range(4)]
            said[room].append(chats[0].say(f"{turn}"))
            for chat in chats:
                assert chat.until("chat_message")["id"] == said[room][-1]
                chat.close()
        servers.until(lambda: server.metrics()["confab_rooms_retired_total"] >= turn * len(rooms),
                      "all rooms to be put away")
    for room in rooms:
        assert [post.id for post in ann.history_posts(room)] == said[room]


def test_a_second_sigterm_ends_every_gateway(store_kind, under_load):
    run = under_load()
    run.wait_acks(100)
    run.terminate_twice()
    run.stop()
    judge(run)


def test_each_gateway_listens_for_itself(store_kind, make_server):
    """What the others rest on: the kernel has as many listeners to spread connections over."""
    server = make_server(THREE).start()
    wanted = f"0100007F:{server.port:04X} 00000000:0000 0A"  # local address, peer, LISTEN
    sockets = pathlib.Path("/proc/net/tcp").read_text().splitlines()
    assert sum(wanted in line for line in sockets) == GATEWAYS
