"""P7: who does not read is closed with 1013, counted, and delays nobody."""

import json
import sys
import zlib

import pytest

import runs
import server as servers
import ws

sys.path.insert(0, str(servers.ROOT / "bench"))

import memory  # noqa: E402
import slow as slow_bench  # noqa: E402

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


def test_slow_readers_come_back_to_all_that_they_missed(store_kind, make_server, load):
    """Each pages back, from the first post it got after its return, to the last it had read."""
    server = make_server(SLOW)
    rooms = runs.Rooms(server, members=30)
    run = load(server, rooms, flags=("comeback",), rate=80, payload=900, window=16, seconds=300, stopped=6, drip=3)
    servers.until(lambda: slow_closes(server) == 9, "the slow readers to be closed with 1013")
    servers.until(lambda: run.lines("CLOSE") == 9, "their connections to end")
    report = run.stop().finish()
    assert report["faults"] == dict.fromkeys(report["faults"], 0), run.text()
    assert report["ready"] == 30 and slow_closes(server) == 9
    assert run.judge() == []
    posts, wrong = slow_bench.acked_posts(run.ledger())
    assert wrong == []
    room, sent = rooms.ids[0], run.ledger().sent
    for one in report["slow"]:
        client = server.client(token=rooms.targets()[one["client"]][1])

        def read(before):
            return client.call("GET", f"/chatrooms/{room}/messages?limit=100&before={before}")["messages"]
        assert one["code"] in (1013, 1006) and one["back_seq"] > one["last_seq"] + 1, one
        assert slow_bench.fill_gap(read, one, posts, sent) == (one["back_seq"] - one["last_seq"] - 1, [])


@pytest.mark.only_store("sqlite")
def test_what_slow_readers_of_one_room_wait_for_is_held_once(store_kind, make_server, load):
    """P8: 100 queues of 1 MiB each would be 100 MiB; they have 16 of their own at most, and one between them."""
    server = make_server({"CONFAB_WS_QUEUE_MAX_AGE": "5m", "CONFAB_WS_CLOSE_TIMEOUT": "1m"})
    rooms = runs.Rooms(server, members=101, ephemeral=True)
    start_kib, sizes = memory.rss_kib(server.pid), []
    run = load(server, rooms, rate=200, payload=900, window=64, seconds=300, stopped=100)

    def all_closed():
        sizes.append(memory.rss_kib(server.pid))
        return slow_closes(server) == 100
    servers.until(all_closed, "all slow readers to be closed with 1013")
    assert run.process.poll() is None, run.text()
    slow = slow_bench.Crowd(readers=1, stopped=100, drip=0, rate=200)
    # a sanitizer's own records grow with what is used
    if not servers.built_with("libtsan") and not servers.built_with("libasan"):
        assert max(sizes) - start_kib < slow_bench.slow_kib(slow) + 16 * 1024


def test_every_term_of_the_bound_on_memory_is_explained(store_kind, make_server):
    printed = make_server().command("memory")
    terms = {json.loads(line)["term"] for line in printed.stdout.splitlines()} - {"all"}
    rows = [line.split("|")[1] for line in (servers.ROOT / "docs/memory.md").read_text().splitlines() if line.startswith("| ")]
    explained = {name.strip() for row in rows for name in row.split(",")} - {"term"}
    assert printed.returncode == 0 and terms == explained


UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20}


@pytest.mark.only_store("sqlite")
def test_the_bound_on_memory_is_explained_with_its_figures(store_kind, make_server):
    told = {one["term"]: one["bytes"] for one in map(json.loads, make_server().command("memory").stdout.splitlines())}
    checked = set()
    for line in (servers.ROOT / "docs/memory.md").read_text().splitlines():
        names, sizes = ([cell.strip() for cell in line.split("|")[i].split(",")] for i in (1, 2)) if line.startswith("| ") else ((), ())
        for name, size in zip(names, sizes):
            number, _, unit = size.partition(" ")
            is_deeper = name in ("thread", "deep thread") and servers.built_with("libtsan")  # its stack
            if unit in UNITS and not is_deeper:
                assert float(number) == round(told[name] / UNITS[unit], 1), line
                checked.add(name)
    assert len(checked) >= 30, checked


def filled(pages):
    """What slow_bench.fill_gap() says of a client that missed posts 4 to 9, with this history."""
    sent = {(0, n): (zlib.crc32(b"pad"), 0) for n in range(1, 11)}
    posts = {n: (f"id{n}", (writer, n)) for writer, n in sent}
    return slow_bench.fill_gap(lambda before: pages.get(before, []), {"client": 9, "last_seq": 3, "back_seq": 10}, posts, sent)


def post(seq, text=None):
    return {"seq": seq, "id": f"id{seq}", "content": text or f"L|1|0|{seq}|3|{zlib.crc32(b'pad'):08x}|pad"}


@pytest.mark.parametrize("lie", [
    {"id10": [post(7), post(9)]},                                    # one is missing
    {"id10": [post(8), post(9)], "id8": [post(4), post(5), post(6)]},  # one at the edge of a page
    {"id10": [post(9), post(8)]},                                    # swapped
    {"id10": [post(9, post(8)["content"])]},                         # another's text
    {"id10": [post(9, "L|1|0|9|3|00000000|pad")]},                   # changed
    {"id10": [post(8), post(9)]},                                    # history ends too early
])
def test_a_gap_that_is_not_filled_is_named(lie):
    whole = {"id10": [post(seq) for seq in (7, 8, 9)], "id7": [post(seq) for seq in (2, 3, 4, 5, 6)]}
    assert filled(whole) == (6, [])
    assert filled(lie)[1] != []


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
