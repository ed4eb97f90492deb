"""All clients cut off at once come back at once: what their pages show, and what that costs the store."""

import argparse
import concurrent.futures
import math
import pathlib
import sys
import time

import pytest

import server as servers
import ws

sys.path.insert(0, str(servers.ROOT / "bench"))

import storm  # noqa: E402

CLIENTS, ROOMS, POSTS = 50, 10, 60
KINDS = ("sessions", "members", "posts")
BURST = 10  # CF_READER_BURST
SETTINGS = {"CONFAB_ROOMS_IDLE": "1h", "CONFAB_STORE_READERS": "1"}


def queries(server):
    """table -> queries of the readers; rooms: transactions in which rooms were activated. Actors are asked for their
    counters once a second, so that they have been twice is certain to be later than all before this call."""
    def asked():
        return server.metrics()['confab_actor_messages_total{actor="reader"}']
    for _ in range(2):
        before = asked()
        servers.until(lambda: asked() > before, "the reader to be asked for its counters")
    metrics = server.metrics()
    def count(operation, table):
        return metrics[f'db_query_duration_seconds_count{{operation="{operation}",table="{table}"}}']
    return {**{table: count("select", table) for table in KINDS}, "rooms": count("update", "rooms")}


def unread(port):
    """Connections to the port with bytes that the server has not read."""
    lines = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(words[1].endswith(f":{int(port):04X}") and words[3] == "01" and not words[4].endswith(":00000000")
               for words in lines)


def stands_still(server):
    """Every thread of it, a moment after the signal."""
    tasks = pathlib.Path(f"/proc/{server.pid}/task").iterdir()
    return all((task / "stat").read_text().rsplit(")", 1)[1].split()[0] == "T" for task in tasks)


def come_back(server, clients, rooms):
    """Every client opens its socket by its cookie and reads the newest page, all at once, as the server stands still
    until all have asked: (sockets, pages)."""
    def one(i):
        chat = ws.Chat(clients[i], rooms[i % ROOMS])
        return chat, clients[i].messages(rooms[i % ROOMS], limit=50)
    server.freeze()
    servers.until(lambda: stands_still(server), "the server to stand still")
    with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
        both = [pool.submit(one, i) for i in range(len(clients))]
        servers.until(lambda: unread(server.port) == len(clients), "all to have asked")
        server.thaw()
        both = [each.result() for each in both]
    return [chat for chat, _ in both], [page for _, page in both]


def check(pages, acked):
    for i, page in enumerate(pages):
        assert [(post["id"], post["seq"], post["content"]) for post in page] == acked[i % ROOMS][-50:]


def test_a_storm_of_returns_costs_the_store_few_queries_and_shows_all_that_was_acked(store_kind, make_server):
    server = make_server(SETTINGS)
    tokens = server.import_sessions([f"storm{i:02}" for i in range(CLIENTS)])
    server.start()
    clients = [server.client(token=token) for token in tokens.values()]
    rooms = [clients[i].create_room() for i in range(ROOMS)]
    for i in range(ROOMS, CLIENTS):
        clients[i].join(rooms[i % ROOMS])
    chats, _ = come_back(server, clients, rooms)
    acked = [[] for _ in rooms]
    for i in range(ROOMS):
        for n in range(1, POSTS + 1):
            text = f"post {n} in room {i}"
            acked[i].append((chats[i].say(text), n, text))

    before = queries(server)
    for chat in chats:
        chat.reset()
    chats, pages = come_back(server, clients, rooms)
    check(pages, acked)
    assert queries(server) == before, "those who come back to a server that knows them cost no query"

    server.kill()
    server.start(CONFAB_STORE_GATHER="1s")
    began = time.monotonic()
    before = queries(server)
    chats, pages = come_back(server, clients, rooms)
    check(pages, acked)
    after = queries(server)
    most = 2 * BURST + math.ceil(time.monotonic() - began) + 1  # then one each second; and one burst for a small rest
    cost = {kind: after[kind] - before[kind] for kind in after}
    assert all(0 < cost[kind] <= min(most, CLIENTS - 1) for kind in KINDS), (cost, most)
    assert cost["posts"] <= ROOMS and 0 < cost["rooms"] <= ROOMS, cost
    pages = [client.messages(rooms[i % ROOMS], limit=50) for i, client in enumerate(clients)]
    check(pages, acked)
    assert queries(server) == after, "the rooms have what was read once"
    for chat in chats:
        chat.close()


def test_a_page_is_the_same_wherever_it_comes_from(store_kind, make_server):
    """From a ring that has all, a part or nothing, and from the store."""
    server = make_server({"CONFAB_ROOMS_IDLE": "1h", "CONFAB_ROOMS_RING_POSTS": "64"}).start()
    ann, bob = server.user("ann"), server.user("bob")
    room = ann.create_room()
    bob.join(room)
    acked = []

    def post(chat, count):
        for n in range(len(acked), len(acked) + count):
            acked.append(chat.say(f"post {n}"))

    def read(ats, limits=(1, 7, 50, 64, 65, 100)):
        for at in ats:  # how many of the newest stand behind the page
            for limit in limits:
                cursor = {"before": acked[len(acked) - at]} if at else {}
                page = bob.messages(room, limit=limit, **cursor)
                end = len(acked) - at
                assert [post["id"] for post in page] == acked[max(0, end - limit):end], (at, limit)

    chat = ws.Chat(ann, room)
    read([0])
    post(chat, 130)
    read([0, 1, 13, 14, 15, 63, 64, 65, 66, 129, 130])
    server.kill()
    server.start()
    read([10, 100])  # nothing is in the ring, and nobody has asked for the newest
    chat = ws.Chat(ann, room)
    post(chat, 3)  # there is a gap before these
    read([1, 2, 3, 4])
    read([0], [7])
    read([0, 1, 4, 40, 49, 50, 51, 100])
    for _ in range(100):  # more than the ring has places for
        ws.Chat(bob, room).leave()
    read([0, 1, 13, 40])
    post(chat, 70)
    read([0, 1, 13, 64, 65, 66, 130])
    for origin in ("ring", "store"):
        name = f'confab_history_pages_total{{from="{origin}"}}'
        servers.until(lambda: server.metrics()[name] > 0, name)


OPTIONS = argparse.Namespace(build=servers.BINARY.parent, unpinned=True, clients=40, rooms=20, wave=10, scale=1)


def test_the_bench_finds_nothing_wrong_with_who_comes_back(store_kind, store):
    _, faults, _, _ = storm.storm_on(OPTIONS, store_kind, store.url)
    assert faults == []


def test_the_bench_finds_nothing_wrong_with_rooms_that_are_put_away_and_come_back():
    assert storm.run_rooms(storm.ROOMS, OPTIONS).faults == []


def test_the_bench_finds_nothing_wrong_with_who_comes_back_to_one_room():
    outcome = storm.run_one_room(OPTIONS)
    assert outcome.faults == []
    assert outcome.raw["at once"]["due"] == 40 * 41 // 2
