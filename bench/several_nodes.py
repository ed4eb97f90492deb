"""Several nodes of one chat, on one PostgreSQL: what a copy costs whose room is on another node, and how cost grows with
the nodes that rooms and members are spread over. All nodes run all the time and the runs take turns, so that what is
compared is the same processes on the same machine in the same minute."""

import concurrent.futures
import contextlib
import dataclasses
import json
import statistics
import subprocess
import time
import uuid

import durable
import fanout
import registry
import serving
import storm
import table

RATIO_MAX = 1.3
ROUNDS = 3
SECONDS = 5
# For each post the node of the room tells the other one of it, and acknowledges it, once; not once for each member.
CROSSED_MAX = 2.2
LINKED_S = 30
SHAPES = ("A16", "C10")


# ---- the nodes

@dataclasses.dataclass
class Node:
    """Its settings, and its process while it runs."""
    name: str
    environment: dict
    server: serving.Server = None

    def start(self, options):
        self.server = serving.start_confab(options, self.environment)


@dataclasses.dataclass
class Cluster:
    options: object
    nodes: list
    database: str

    @property
    def servers(self):
        return [node.server for node in self.nodes]

    def query(self, sql):
        import psycopg2  # here, as most scenarios want none
        with contextlib.closing(psycopg2.connect(self.database)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    def numbers(self):
        """number -> which of the nodes, of those that are there."""
        names = {node.name: i for i, node in enumerate(self.nodes)}
        return {number: names[name] for number, name in self.query("SELECT number, name FROM nodes WHERE gone_us IS NULL")}

    def owners(self):
        """Room -> which of the nodes has it."""
        numbers = self.numbers()
        return {str(uuid.UUID(room)): numbers[owner] for room, owner in
                self.query("SELECT id::text, owner FROM rooms WHERE owner <> 0") if owner in numbers}

    def await_links(self):
        others, deadline = len(self.nodes) - 1, time.monotonic() + LINKED_S
        while any(one["confab_mesh_links"] < others for one in self.figures()):
            if time.monotonic() > deadline:
                raise serving.Failed("the nodes do not link up")

    def figures(self):
        """/metrics of each node."""
        with concurrent.futures.ThreadPoolExecutor(len(self.nodes)) as pool:
            return list(pool.map(lambda server: storm.figures(server.url), self.servers))

    def crossed(self):
        """Messages, frames and bytes that each node has sent to the others."""
        found = self.figures()
        return {what: [one[f"confab_mesh_{what}_total"] for one in found] for what in ("messages", "frames", "bytes")}


def new_keys(options):
    """A pair: secret, public."""
    return subprocess.run([str(options.build / "confab"), "token", "mesh-key"], check=True, capture_output=True,
                          text=True).stdout.split()


@contextlib.contextmanager
def cluster(options, folder, count, users, more=None):
    """(Cluster, tokens of so many users): nodes that have linked up."""
    keys = [new_keys(options) for _ in range(count)]
    with durable.postgres() as url:
        nodes = []
        for i, (secret, _) in enumerate(keys):
            own = folder / f"node-{i}"
            own.mkdir()
            nodes.append(Node(f"node-{i}", serving.settings(own, url, serving.RAISED | {
                "node.name": f"node-{i}", "mesh.listen": "127.0.0.1:0", "mesh.secret_key": secret,
                "mesh.allowed_keys": ",".join(public for _, public in keys)} | (more or {}))))
        tokens = serving.import_users(options, folder, nodes[0].environment, users)
        running = Cluster(options, nodes, url)
        try:
            for node in nodes:
                node.start(options)
            running.await_links()
            yield running, tokens
        finally:
            ended = [node.server.stop() for node in nodes if node.server]
        if any(ended):
            raise serving.Failed(f"nodes ended with {ended}")


# ---- rooms and members

@dataclasses.dataclass(frozen=True)
class Spread:
    """On which nodes rooms are, and to which their members connect."""
    name: str
    owners: tuple
    members: tuple


def make_rooms(running, tokens, wanted):
    """wanted: spread -> how many rooms; spread -> their ids, none of them twice. Where a room comes to be is the nodes' own
    affair, so there are more than are used."""
    total = 0
    free = {i: [] for i in range(len(running.nodes))}
    needed = {i: sum(-(-count // len(spread.owners)) for spread, count in wanted.items() if i in spread.owners) for i in free}
    while any(len(free[i]) < needed[i] for i in free):
        count = max(16, max(needed.values()) * len(free) // 4)
        body = json.dumps({"name": "bench", "ephemeral": True}).encode()
        made = serving.post_all(running.servers[0].url,
                                [(tokens[(total + i) % len(tokens)], "/chatrooms", body) for i in range(count)])
        total += count
        ids = [room["id"] for room in made]
        # the first who joins makes a room somebody's
        serving.post_all(running.servers[0].url, [(tokens[0], f"/chatrooms/{room}/join", b"") for room in ids])
        owners = running.owners()
        for room in ids:
            free[owners[room]].append(room)
    return {spread: [free[spread.owners[i % len(spread.owners)]].pop() for i in range(count)]
            for spread, count in wanted.items()}


def targets_of(spread, rooms, tokens):
    """Client i is in room i % rooms; the members of each are spread over the nodes."""
    return [(rooms[i % len(rooms)], token, spread.members[i // len(rooms) % len(spread.members)])
            for i, token in enumerate(tokens)]


# ---- runs

def measure(running, folder, shape, seconds, spreads, tokens):
    """spread -> reports of all rounds, each with what crossed but for those who came and went: so much is known from
    clients who came and said nothing."""
    rooms = make_rooms(running, tokens, {spread: shape.rooms for spread in spreads})
    targets = {spread: targets_of(spread, rooms[spread], tokens) for spread in spreads}
    for spread in spreads:
        serving.post_all(running.servers[0].url,
                         [(token, f"/chatrooms/{room}/join", b"") for room, token, _ in targets[spread]])
    load = dict(shape.load, payload=shape.payload)
    coming = {spread: play(running, folder, spread, targets[spread], 1, {"writers": 0})["crossed"] for spread in spreads}
    reports = {spread: [] for spread in spreads}
    for _ in range(ROUNDS if running.options.scale == 1 else 1):
        for spread in spreads:
            report = play(running, folder, spread, targets[spread], seconds, load)
            report["crossed"] = less(report["crossed"], coming[spread])
            reports[spread].append(report)
    return reports


def less(some, others):
    return {what: [max(0, one - other) for one, other in zip(some[what], others[what])] for what in some}


def play(running, folder, spread, targets, seconds, load):
    """One run of the load generator, with all that crossed."""
    before = running.crossed()
    report = serving.generate(running.options, folder, spread.name, running.servers, targets, seconds, load)
    report["crossed"] = less(running.crossed(), before)
    return report


def cost(report):
    return report["cpu_us_per_delivery"]


def median_cost(reports):
    return statistics.median(map(cost, reports))


def for_a_post(reports, what):
    """Of all nodes, in all rounds; heartbeats are in it."""
    return sum(sum(report["crossed"][what]) for report in reports) / max(1, sum(report["acked"] for report in reports))


HEAD = ("", "deliveries/s", "CPU us", "x local", "p50 ms", "p99 ms", "messages a post", "frames a post", "bytes a post", "lost")


def row(label, reports, base):
    one = sorted(reports, key=cost)[len(reports) // 2]
    return (label, f"{one['deliveries_per_s']:,.0f}", f"{cost(one):.3f}", f"{median_cost(reports) / base:.2f}" if base else "-",
            *(table.milliseconds(one["delivery_us"], at) for at in ("p50", "p99")),
            f"{for_a_post(reports, 'messages'):.2f}", f"{for_a_post(reports, 'frames'):.2f}",
            f"{for_a_post(reports, 'bytes'):.0f}", f"{sum(map(table.lost, reports))}")


def faults_of(label, reports):
    found = [f"{label}: {fault}" for report in reports for fault in table.faults(report | {"rss_kib": []})]
    return found + ([] if all(report["acked"] for report in reports) else [f"{label}: no post was acknowledged"])


# ---- members on one node, the room on another

LOCAL, CROSS = Spread("local", (1,), (1,)), Spread("cross", (0,), (1,))


def more_from_owner(near, far):
    """Messages that the first node, which has the room, sent for each post more than when the room was the other's: without what
    its limiter says of users whose buckets it has, wherever they are."""
    return sum(sign * report["crossed"]["messages"][0] / max(1, report["acked"]) for sign, report in ((-1, near), (1, far)))


def run_cross(options):
    seconds = options.seconds or SECONDS
    outcome = registry.Outcome([HEAD], [])
    shapes = {name: fanout.SHAPES[name].scaled(options.scale) for name in SHAPES}
    print(f"{seconds} s, {ROUNDS} rounds, 2 nodes", flush=True)
    with serving.temporary_folder() as folder:
        with cluster(options, folder, 2, max(shape.clients for shape in shapes.values())) as (running, tokens):
            for name, shape in shapes.items():
                reports = measure(running, folder, shape, seconds, (LOCAL, CROSS), tokens[:shape.clients])
                base = median_cost(reports[LOCAL])
                ratio = statistics.median(cost(far) / cost(near) for near, far in zip(reports[LOCAL], reports[CROSS]) if cost(near))
                for spread, same in reports.items():
                    outcome.rows.append(row(f"{name}, {spread.name}", same, base))
                    outcome.faults += faults_of(f"{name}, {spread.name}", same)
                    outcome.raw[f"{name}-{spread.name}"] = same
                if options.scale == 1:
                    outcome.bars.append(registry.Bar(f"{name}: CPU per delivery from another node, x local", ratio, RATIO_MAX, True))
                    often = statistics.median(map(more_from_owner, *reports.values()))
                    outcome.bars.append(registry.Bar(f"{name}: messages from the room's node for a post", often, CROSSED_MAX, True))
    return outcome


registry.add(registry.Scenario("nodes-cross", "rooms on one node, their members on another, beside both on one", run_cross))


# ---- more nodes

NODES = 3


def run_growth(options):
    seconds = options.seconds or SECONDS
    spreads = [Spread(f"{n} node{'s' if n > 1 else ''}", tuple(range(n)), tuple(range(n))) for n in range(1, NODES + 1)]
    outcome = registry.Outcome([HEAD], [])
    shapes = {name: fanout.SHAPES[name].scaled(options.scale) for name in SHAPES}
    panels = []
    print(f"{seconds} s, {ROUNDS} rounds, {NODES} nodes", flush=True)
    with serving.temporary_folder() as folder:
        with cluster(options, folder, NODES, max(shape.clients for shape in shapes.values())) as (running, tokens):
            for name, shape in shapes.items():
                reports = measure(running, folder, shape, seconds, spreads, tokens[:shape.clients])
                base = median_cost(reports[spreads[0]])
                for spread, same in reports.items():
                    outcome.rows.append(row(f"{name}, {spread.name}", same, base))
                    outcome.faults += faults_of(f"{name}, {spread.name}", same)
                    outcome.raw[f"{name}-{len(spread.owners)}"] = same
                panels.append((f"{name}: CPU us per delivery", {"confab": [
                    (len(spread.owners), median_cost(same)) for spread, same in reports.items()]}))
    outcome.plot = registry.Plot("Rooms and members over 1, 2 and 3 nodes, on one processor", "nodes", panels)
    return outcome


registry.add(registry.Scenario("nodes-growth", "rooms and members spread over 1, 2 and 3 nodes", run_growth))


# ---- nodes at rest

IDLE_NODES = (1, 2, 4, 8)
IDLE_SECONDS = 8


def at_rest(options, count, seconds):
    """CPU of a node for a second in which nobody does anything, in ms; descriptors of one."""
    with serving.temporary_folder() as folder, cluster(options, folder, count, 1) as (running, _):
        time.sleep(1)  # what is new to the others has been told
        pids = [server.pid for server in running.servers]
        before = sum(map(storm.cpu_s, pids))
        time.sleep(seconds)
        used = sum(map(storm.cpu_s, pids)) - before
        return used / seconds / count * 1e3, storm.descriptors(pids[0])


def run_idle(options):
    """What a link costs is what a node at rest takes more for each other node that is there."""
    rows = [("", "CPU of a node, ms/s", "for each other node", "descriptors of a node")]
    counts = [count for count in IDLE_NODES if count <= max(2, IDLE_NODES[-1] // options.scale)]
    found = {count: at_rest(options, count, options.seconds or IDLE_SECONDS) for count in counts}
    alone = found[1][0]
    for count, (used, files) in found.items():
        rows.append((f"{count} node{'s' if count > 1 else ''}", f"{used:.2f}",
                     f"{(used - alone) / (count - 1):.2f}" if count > 1 else "-", str(files)))
    last = counts[-1]
    return registry.Outcome(rows, [], raw={"cpu_ms": {count: used for count, (used, _) in found.items()},
                                           "link_cpu_ms": (found[last][0] - alone) / (last - 1)})


registry.add(registry.Scenario("nodes-idle", "nodes in which nobody does anything: what links and heartbeats take", run_idle))
