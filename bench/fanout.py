"""The scenarios of posts and their copies: confab beside the two bare loops and, where asked for, its peers, all
under the same load generator in the same run."""

import dataclasses
import functools

import memory
import peers
import registry
import serving
import table


@dataclasses.dataclass(frozen=True)
class Shape:
    """Rooms and members, options of bench/load. Rooms are ephemeral where confab is held to those who store nothing."""
    text: str
    rooms: int
    members: int
    load: dict
    seconds: int = 10
    ephemeral: bool = True
    coalesced: bool = True  # beside the loop that gathers, too
    warm: int = 0           # posts before
    payload: int = 128

    def scaled(self, scale):
        """With fewer rooms or, where there is but one, fewer members."""
        if self.rooms > 1:
            return dataclasses.replace(self, rooms=max(2, self.rooms // scale))
        return dataclasses.replace(self, members=max(10, self.members // scale))

    @property
    def clients(self):
        return self.rooms * self.members


SHAPES = {
    "A1": Shape("one room, 1,000 members, 1 post in flight", 1, 1000, dict(inflight=1)),
    "A16": Shape("one room, 1,000 members, 16 posts in flight", 1, 1000, dict(inflight=16)),
    "A64": Shape("one room, 1,000 members, 64 posts in flight", 1, 1000, dict(inflight=64)),
    "B": Shape("one room, 5,000 members, 10 posts/s", 1, 5000, dict(rate=10), 20, coalesced=False),
    "C10": Shape("1,000 rooms of 10, 256 posts in flight", 1000, 10, dict(inflight=256)),
    "C2": Shape("1,000 rooms of 2, 256 posts in flight", 1000, 2, dict(inflight=256)),
    "D": Shape("19,000 idle clients in rooms of 10", 1900, 10, dict(writers=0), 5, coalesced=False),
    "room": Shape("one durable room (SQLite), 1,000 clients, 200 posts/s", 1, 1000, dict(rate=200), 60, ephemeral=False,
                  coalesced=False, warm=60_000),
}


def add_options(parser):
    parser.add_argument("--peers", metavar="NAMES", help="measured beside confab: all, none, or some of "
                        + ",".join(peer.key for peer in peers.PEERS))
    parser.add_argument("--gateways", type=int, default=1, help="gateway threads of confab")
    parser.add_argument("--room-threads", type=int, metavar="N", help="room threads of confab")


# ---- runs

def settings(options):
    """What is not at its default."""
    return (serving.RAISED | ({"gateway.count": str(options.gateways)} if options.gateways > 1 else {})
            | ({"rooms.threads_max": str(options.room_threads)} if options.room_threads else {}))


def warm_up(options, folder, server, tokens, posts):
    """Posts so much elsewhere that the store's page cache, which is bounded, is full: what grows in the
    measurement after that is not a cache."""
    tokens = tokens[:100]
    rooms = serving.post_all(server.url, [(token, "/chatrooms", b'{"name":"warm"}') for token in tokens])
    targets = [(room["id"], token) for room, token in zip(rooms, tokens)]
    serving.generate(options, folder, "warm-up", server, targets, 60, dict(posts=posts, window=32))


RING_POSTS = 128          # rooms.ring_posts, by default
IN_FLIGHT = 1 << 20       # bytes of posts that nobody has answered, at most
WAITING_KIB = 16 << 10    # for a moment, for those who read


def judge_memory(own, start_kib, report):
    """What so many clients may make the server hold; memory.judge() of it. A room's ring has those who came and, where
    there are posts, as many of them as it may."""
    clients, rooms, posts = report["clients"], report["rooms"], 2 * RING_POSTS * report["rooms"] if report["posts"] else 0
    counts = {"connection": clients, "room": rooms, "event of a room": clients + posts,
              "byte of events of a room": 100 * clients + (report["payload"] + 200) * posts,
              "membership": clients, "session": clients, "bucket": 2 * clients, "account lookup": 1000}
    if posts:
        counts |= {"byte of posts": IN_FLIGHT, "byte of events on the way": IN_FLIGHT}
    return memory.judge(own, start_kib, max(report["rss_kib"]), counts, WAITING_KIB if posts else 0)


def measure_confab(options, folder, shape, seconds, load):
    environment = serving.settings(folder, more=settings(options) | (serving.tls_settings(folder) if options.tls else {}))
    tokens = serving.import_users(options, folder, environment, shape.clients)
    own = memory.terms(options, environment)
    server = serving.start_confab(options, environment)
    try:
        start_kib = memory.rss_kib(server.pid)
        if shape.warm:
            warm_up(options, folder, server, tokens, shape.warm)
        targets = serving.join_all(server.url, tokens, shape.rooms, shape.ephemeral)
        report = serving.generate(options, folder, "confab", server, targets, seconds, load)
    finally:
        status = server.stop()
    if status != 0:
        report["faults"]["exit status"] = status
    if report["rss_kib"]:
        report["memory"] = judge_memory(own, start_kib, report)
    return report, targets


def measure_loop(options, folder, name, seconds, load, targets, *flags):
    server = serving.start_ceiling(options, *flags)
    try:
        return serving.generate(options, folder, name, server, targets, seconds, load, "--no-acks", "--no-joins")
    finally:
        server.stop()


def wanted_peers(options):
    """Those that are asked for and installed; a word about each that is not."""
    keys = {peer.key for peer in peers.PEERS}
    asked = options.peers or "none"
    wanted = {"all": keys, "none": set()}.get(asked, set(asked.split(",")))
    if wanted - keys:
        raise SystemExit(f"bench: no peer {', '.join(sorted(wanted - keys))}")
    found = []
    for peer in peers.PEERS:
        if peer.key in wanted:
            missing = peer.missing()
            print(f"{peer.name} is left out: {missing} is not installed", flush=True) if missing else found.append(peer)
    return found


def contest(options, shape, seconds):
    """name -> report, of everyone; confab is the last to be listed and the first to be measured, as all others send
    frames of its length."""
    beside = wanted_peers(options) if shape.ephemeral else []  # none of them stores
    load, reports = dict(shape.load, payload=shape.payload), {}
    with serving.temporary_folder() as folder:
        confab, targets = measure_confab(options, folder, shape, seconds, load)
        reports["ceiling-send"] = measure_loop(options, folder, "ceiling-send", seconds, load, targets)
        if shape.coalesced:
            reports["ceiling-coalesce"] = measure_loop(options, folder, "ceiling-coalesce", seconds, load, targets, "--coalesce")
        load["payload"] = confab["frame_bytes"] or shape.payload
        for peer in beside:
            try:
                reports[peer.name] = peers.measure(options, folder, peer, targets, seconds, load)
            except serving.Failed as problem:
                print(f"{peer.name} is left out: {problem}", flush=True)
    reports["confab"] = confab
    return reports


def faults(shape, reports):
    """confab is held to everything, the others to what they deliver."""
    confab = reports["confab"]
    found = table.faults(confab)
    if shape.load.get("writers") != 0:
        found += [] if confab["acked"] else ["no post was acknowledged"]
        found += [f"{confab['foreign']} posts came without a number"] if confab["foreign"] else []
    found += [] if confab["told_counts"] else ["nobody was told the rooms' counts"]
    found += [] if confab["told_joins"] or shape.members == 1 else ["nobody was told who came"]
    for name, report in reports.items():
        if name != "confab":
            found += [f"{name}: {fault}" for fault in table.losses(report)]
        if name.startswith("ceiling") and abs(report["frame_bytes"] - confab["frame_bytes"]) > FRAME_SLACK:
            found.append(f"{name} sends {report['frame_bytes']} bytes and confab {confab['frame_bytes']}")
    return found


FRAME_SLACK = 12  # names and numbers of different lengths


# ---- what has to be reached

def throughput(name, least, base, of="deliveries_per_s"):
    def bars(reports):
        return [registry.Bar(f"{name}: deliveries/s, x {base}", reports["confab"][of] / reports[base][of], least)]
    return bars


def paced(reports):
    confab, loop = reports["confab"], reports["ceiling-send"]
    return [registry.Bar("B: CPU per delivery, x ceiling-send", confab["cpu_us_per_delivery"] / loop["cpu_us_per_delivery"],
                         1.15, at_most=True),
            registry.Bar("B: p99, x ceiling-send", confab["delivery_us"]["p99"] / loop["delivery_us"]["p99"], 1.25,
                         at_most=True)]


def idle(reports):
    return [registry.Bar("D: connects/s", table.connects_per_s(reports["confab"]), 9000),
            registry.Bar("D: KiB for each connection", table.connection_kib(reports["confab"]), 3.5, at_most=True)]


BARS = {
    "A1": throughput("A1", 0.85, "ceiling-send"),
    "A16": throughput("A16", 0.80, "ceiling-coalesce"),
    "A64": throughput("A64", 0.80, "ceiling-coalesce"),
    "B": paced,
    "C10": throughput("C10", 0.80, "ceiling-send"),
    "C2": throughput("C2", 0.78, "ceiling-send"),
    "D": idle,
}


# ---- the scenarios

def run(name, options):
    shape = SHAPES[name].scaled(options.scale)
    seconds = options.seconds or shape.seconds
    print(f"{seconds} s, {shape.payload}-byte posts, {shape.rooms} x {shape.members}{', TLS' if options.tls else ''}",
          flush=True)
    reports = contest(options, shape, seconds)
    if "memory" in reports["confab"]:
        print(reports["confab"]["memory"][1])
    rows = table.idle_rows(reports) if name == "D" else table.rows(reports)
    bars = BARS[name](reports) if name in BARS and options.scale == 1 else []
    return registry.Outcome(rows, faults(shape, reports), bars, reports)


for key, one in SHAPES.items():
    registry.add(registry.Scenario(key, one.text, functools.partial(run, key)))
