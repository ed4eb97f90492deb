"""P7: who does not read is closed with 1013, counted, and delays nobody."""

import pytest

import runs
import server as servers
import ws

pytestmark = pytest.mark.over_tls_too

# Small enough that a slow reader is found in seconds, whatever the kernel buffers for it.
SLOW = {"CONFAB_WS_QUEUE_MAX_BYTES": "256KiB", "CONFAB_WS_QUEUE_MAX_AGE": "5s", "CONFAB_HTTP_SEND_BUFFER_BYTES": "16KiB",
        "CONFAB_WS_CLOSE_TIMEOUT": "1s"}


def slow_closes(server):
    return server.metrics()["confab_closed_slow_total"]


@pytest.mark.parametrize("kind", ["stopped", "drip"])
def test_a_slow_reader_is_closed_and_counted_and_delays_nobody(store_kind, make_server, load, kind):
    server = make_server(SLOW)
    rooms = runs.Rooms(server, members=100)
    assert slow_closes(server) == 0
    run = load(server, rooms, rate=80, payload=900, window=16, seconds=300, **{kind: 1})
    servers.until(lambda: slow_closes(server) == 1, "the slow reader to be closed with 1013")
    run.wait_acks(run.lines("ACK") + 200)
    report = run.stop().finish()
    assert report["faults"] == dict.fromkeys(report["faults"], 0), run.text()
    assert slow_closes(server) == 1
    assert [problem for problem in run.judge() if "client 99 " not in problem] == []
    posts = len(rooms.owner.history_posts(rooms.ids[0]))
    others = {one.client: one for one in run.ledger().connections if one.client != 99}
    assert others.keys() == set(range(99))
    for one in others.values():
        assert one.closed is None and [seq for seq, *_ in one.received] == list(range(1, posts + 1)), one.client


def test_others_are_told_that_the_slow_one_left(store_kind, make_server):
    server = make_server({**SLOW, "CONFAB_WS_CLOSE_TIMEOUT": "1m"}).start()  # beyond what is waited here
    ann, bob = server.user("ann"), server.user("bob")
    room = ann.create_room()
    bob.join(room)
    chat = ws.Chat(ann, room)
    slow = ws.Chat(bob, room, receive_buffer=4096)
    posts = 0
    while not slow_closes(server):
        chat.say("x" * 1000)
        posts += 1
        assert posts < 5000, "1000 posts of 1000 bytes wait, and the reader counts as fast"
    assert chat.until("user_left", limit=40) == {"type": "user_left", "username": "bob"}
    servers.until(lambda: server.metrics()["websocket_connections_active"] == 1, "the gauge to be right")
    servers.until(lambda: ann.call("GET", "/chatrooms")["chatrooms"][0]["user_count"] == 1, "the list to be right")
    # What it had not read is dropped, but the reason is said to those who read on in time.
    assert slow.wait_closed() in (1013, 1006)


def test_a_slow_reader_that_reads_on_finds_1013(store_kind, make_server):
    server = make_server({**SLOW, "CONFAB_WS_CLOSE_TIMEOUT": "30s"}).start()
    ann = server.user("ann")
    room = ann.create_room()
    chat, slow = ws.Chat(ann, room), ws.Chat(ann, room, receive_buffer=4096)
    posts = 0
    while not slow_closes(server):
        chat.say("x" * 1000)
        posts += 1
        assert posts < 5000
    assert slow.wait_closed() == 1013
    whole = ann.history(room)
    assert len(whole) == posts, "history has what it missed"
