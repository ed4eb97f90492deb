"""Nodes that are killed, frozen, cut off and restarted under load. Clients are spread over the nodes, and go to
another one when theirs ends their connection or falls silent; writers send again, with the same key, what was not
acknowledged. The ledger judges each run, by what every node then tells.

How often and for how long is read here and nowhere else: CONFAB_TEST_HOST_KILLS, _PAUSES, _CUTS and _ROLLS are
rounds, _PAUSE_S and _CUT_S seconds. While a node is frozen or cut off all rooms must serve."""

import os
import random
import threading
import time

import pytest

import runs
import server as servers
from hosts import BASE, BOTH

pytestmark = pytest.mark.only_store("postgres")

ROOMS, MEMBERS = 7, 6  # clients of a room begin at different nodes: 7 is no multiple of 3
RATE = 60
SILENCE_S = 4
KILLS, PAUSES, CUTS, ROLLS, PAUSE_S, CUT_S = (
    int(os.environ.get(f"CONFAB_TEST_HOST_{name}", few))
    for name, few in (("KILLS", 3), ("PAUSES", 1), ("CUTS", 1), ("ROLLS", 1), ("PAUSE_S", 6), ("CUT_S", 6)))


@pytest.fixture
def run(nodes, load):
    rooms = runs.Rooms(nodes, rooms=ROOMS, members=MEMBERS)
    run = load(nodes, rooms, flags=("reconnect",), rate=RATE, window=8, seconds=7200, silence=SILENCE_S, drain_limit=60)
    run.wait_acks(RATE)
    return run


class Watch:
    """The acks, from now on, of posts that are sent from now on."""

    def __init__(self, run):
        self.since = time.monotonic()
        self.room_of = [room for room, _ in run.rooms.targets()]
        self.file = open(run.ledger_path, "rb")
        self.file.seek(0, os.SEEK_END)
        self.rest = None  # of a line; what stands before the first end of one began earlier
        self.sent, self.count, self.first = set(), 0, {}  # first: room -> seconds from now on

    def read(self):
        *lines, self.rest = ((self.rest or b"") + self.file.read()).split(b"\n")
        for line in lines:
            words = line.split()
            if len(words) < 4 or words[1] not in (b"SENT", b"ACK"):
                continue
            post = (words[2], words[3])
            if words[1] == b"SENT":
                self.sent.add(post)
            elif post in self.sent:
                self.count += 1
                self.first.setdefault(self.room_of[int(words[2])], int(words[0]) / 1e6 - self.since)
        return self

    def wait(self, acks):
        servers.until(lambda: self.read().count >= acks, f"{acks} acks")

    def wait_every_room(self):
        servers.until(lambda: len(self.read().first) == ROOMS, "an ack in every room")

    def wait_seconds(self, seconds):
        threading.Event().wait(max(0, self.since + seconds - time.monotonic()))


def some_time(run):
    Watch(run).wait(random.randint(1, 3 * RATE))


def rooms_of(node):
    """Those that the database gives to the node of this name."""
    owned = node.store.run("SELECT rooms.id::text FROM rooms JOIN nodes ON number = owner WHERE gone_us IS NULL "
                           f"AND nodes.name = '{node.env['CONFAB_NODE_NAME']}'")
    return [room for (room,) in owned]


def tell(what, watch, rooms):
    """How long rooms took to serve again; said, not judged: ./dev bench measures it."""
    took = sorted(watch.first[room] for room in rooms)
    print(f"{what}: {len(rooms)} rooms to others" + (f", first ack after {took[0]:.2f} to {took[-1]:.2f} s" if took else ""))


def await_well(run):
    servers.until(run.server.are_linked, "three nodes that are linked")
    Watch(run).wait_every_room()


def finish(run):
    return runs.judge(run.stop())


def test_random_kills(run):
    for turn in range(KILLS):
        some_time(run)
        node = random.choice(run.server.nodes)
        rooms, watch = rooms_of(node), Watch(run)
        node.kill()
        watch.wait_every_room()
        tell(f"kill {turn + 1} of {KILLS}", watch, rooms)
        node.start()
        await_well(run)
    finish(run)


def test_a_frozen_node_writes_nothing_when_it_goes_on(run):
    for turn in range(PAUSES):
        some_time(run)
        node = random.choice(run.server.nodes)
        rooms, watch = rooms_of(node), Watch(run)
        node.freeze()
        watch.wait_every_room()
        watch.wait_seconds(PAUSE_S)
        node.thaw()
        tell(f"pause {turn + 1} of {PAUSES}", watch, rooms)
        await_well(run)
    finish(run)


@pytest.mark.parametrize("one_way", [False, True], ids=["both_ways", "one_way"])
def test_a_node_that_is_cut_off(run, one_way):
    for turn in range(CUTS):
        some_time(run)
        node = random.choice(run.server.nodes)
        others = [other.address for other in run.server.nodes if other is not node]
        whom = random.choice([others, [BASE], [*others, BASE]])  # the other nodes; database and clients; all of them
        ways = (random.choice(BOTH),) if one_way else BOTH
        rooms, watch = rooms_of(node), Watch(run)
        node.host.cut(whom, ways)
        watch.wait_every_room()
        watch.wait_seconds(CUT_S)
        node.host.mend()
        tell(f"cut {turn + 1} of {CUTS}, {' and '.join(ways)}, {len(whom)} addresses", watch, rooms)
        await_well(run)
    finish(run)


@pytest.mark.parametrize("end", ["stopped", "killed"])
def test_the_database_is_restarted_during_failover(run, end):
    some_time(run)
    node, cluster = random.choice(run.server.nodes), run.server.store.cluster
    rooms, watch = rooms_of(node), Watch(run)
    node.kill()
    cluster.stop_fast() if end == "stopped" else cluster.kill()
    cluster.start()
    watch.wait_every_room()
    tell(f"database {end}", watch, rooms)
    node.start()
    await_well(run)
    finish(run)


def test_rolling_restarts(run):
    for _ in range(ROLLS):
        for node in run.server.nodes:
            some_time(run)
            assert node.terminate() == 0
            node.start()
            await_well(run)
    finish(run)
