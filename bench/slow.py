"""Slow consumers: most of a room's members read, some have stopped and some read a byte a second. What that costs
the others, how soon the server parts with the slow ones and what they hold until then, and whether each comes back
to all that it missed."""

import dataclasses
import signal
import statistics
import sys
import time

import memory
import registry
import scenarios
import serving
import table

sys.path.insert(0, str(serving.ROOT / "tests" / "support"))

import ledger  # noqa: E402

# By default a client is closed when its oldest unsent byte is 10 s old, and reset 5 s later. Filling what the kernel
# keeps for it takes some seconds before that, so in this time all are gone, and not much of it is without them.
SECONDS = 25
ROUNDS = 3  # with and without by turns, and the medians of each, as machines drift
RATIO_MAX = 1.25

# What the server is started with, by default; "in time" is measured against it.
QUEUE_AGE_S, CLOSE_S, SEND_BUFFER, QUEUE_MAX = 10, 5, 128 << 10, 1 << 20
FRAME = 300       # bytes of a delivery, at least
LATE_S = 3        # the server's own clocks tick once a second, and it is asked now and then
POLL_S = 0.25
POOL_OF_OTHERS = 16 << 20  # bytes that may wait for a moment for those who read


@dataclasses.dataclass(frozen=True)
class Crowd:
    readers: int
    stopped: int
    drip: int
    rate: int

    @property
    def slow(self):
        return self.stopped + self.drip

    def scaled(self, scale):
        """With fewer of each kind, as fast."""
        return dataclasses.replace(self, readers=max(2, self.readers // scale), stopped=max(2, self.stopped // scale),
                                   drip=max(1, self.drip // scale))


CROWD = Crowd(readers=850, stopped=100, drip=50, rate=200)


def add_options(parser):
    parser.add_argument("--crowd", type=lambda text: Crowd(*map(int, text.split(":"))), default=CROWD,
                        metavar="READERS:STOPPED:DRIP:RATE", help="of the scenario slow (850:100:50:200)")


# ---- the run

@dataclasses.dataclass
class Run:
    report: dict            # of bench/load
    ledger: ledger.Ledger   # without copies
    targets: list
    closed: list            # (seconds since the first post, clients closed as slow by then), as they changed
    queued: float           # most bytes that waited for clients, by the server's gauge
    memory: tuple           # of memory.judge()
    gap_posts: int = 0      # that were read back from history
    gap_faults: list = dataclasses.field(default_factory=list)


def watch(server, process, slow):
    """Follows the server's count of slow clients until the load ends; wakes half of the stopped ones once all are
    closed, while the server still waits for their answer. What is to be told of it: closed, queued, most posts' bytes."""
    closed, queued, pool = [], 0, 0
    while process.poll() is None:
        figures = scenarios.scrape(server.url)
        now, count = time.monotonic(), int(figures.get("confab_closed_slow_total", 0))
        queued = max(queued, scenarios.total(figures, "confab_send_queue_bytes"))
        pool = max(pool, scenarios.total(figures, "confab_gateway_pool_bytes"))
        if count and (not closed or count != closed[-1][1]):
            closed.append((now, count))
            if count == slow:
                process.send_signal(signal.SIGUSR1)
        time.sleep(POLL_S)
    return closed, queued, pool


# Of a slow client's own, apart from the frames that all members of its room wait for (docs/memory.md).
GATHER = 64 << 10         # CF_GATHER_MAX: a write of which the kernel has taken a part
FRAME_COST, PLACES = 64, 32  # CF_OUTGOING_FRAME_COST, and what of it is not the frame's: two entries in its queue


def slow_kib(crowd):
    """What slow members of one room hold: each its last write and its queue's entries, and all of them the frames."""
    own = GATHER + QUEUE_MAX // (FRAME + FRAME_COST) * PLACES
    return (crowd.slow * own + QUEUE_MAX) / 1024


def play(options, crowd, seconds):
    """One server, one room, one run of the load, and what the slow ones find in history when they are back."""
    with serving.temporary_folder() as folder:
        environment = serving.settings(folder, more=serving.RAISED)
        tokens = serving.import_users(options, folder, environment, crowd.readers + crowd.slow)
        own = memory.terms(options, environment)
        server = serving.start_confab(options, environment)
        try:
            start_kib = memory.rss_kib(server.pid)
            targets = serving.join_all(server.url, tokens, 1, False)
            load = dict(rate=crowd.rate, stopped=crowd.stopped, drip=crowd.drip, ledger=folder / "ledger")
            process, path = serving.start_load(options, folder, f"{crowd.slow} slow", server, targets, seconds, load,
                                               "--comeback", "--no-copies")
            closed, queued, pool = watch(server, process, crowd.slow)
            report = serving.finish_load("slow", process, path)
            clients = crowd.readers + crowd.slow
            counts = {"connection": clients, "room": 1, "event of a room": 256, "byte of events of a room": 256 << 10,
                      "membership": clients, "session": clients, "bucket": 2 * clients, "account lookup": clients,
                      "byte of posts": pool + (1 << 20), "byte of events on the way": 1 << 20}
            # the clock of both is CLOCK_MONOTONIC
            closed = [(0.0, 0)] + [(at - report["began_ns"] / 1e9, count) for at, count in closed]
            judged = memory.judge(own, start_kib, max(report["rss_kib"]), counts, slow_kib(crowd))
            run = Run(report, ledger.read_file(folder / "ledger"), targets, closed, queued, judged)
            fill_gaps(server.url, run)
        finally:
            status = server.stop()
        if status != 0:
            run.report["faults"]["exit status"] = status
    return run


# ---- what became of the slow ones

def acked_posts(told):
    """Of a ledger, the posts of its one room: seq -> (id, (writer, n)); what is wrong with them."""
    posts, wrong = {}, []
    for sent, (post, seq) in told.acks.items():
        if posts.setdefault(seq, (post, sent)) != (post, sent):
            wrong.append(f"{sent} and {posts[seq][1]} were both acknowledged as {seq}")
    if sorted(posts) != list(range(1, len(posts) + 1)):
        wrong.append("what was acknowledged is not numbered from 1 without a gap")
    if len(posts) != len(told.sent):
        wrong.append(f"{len(told.sent)} posts were sent and {len(posts)} acknowledged")
    return posts, wrong


def fill_gap(read, slow, posts, sent):
    """Reads back, page by page, from the first post a client got after its return to the last it had before its end;
    (posts read, what is wrong with them). read(id) is a page of history, up to the post before that one."""
    expected, count = slow["back_seq"] - 1, 0
    before = posts[slow["back_seq"]][0]
    while expected > slow["last_seq"]:
        page = read(before)
        for post in reversed(page):
            if expected == slow["last_seq"]:
                break
            found = ledger.parse_text(post["content"])
            there = post["seq"], post["id"], found and (found[1:3], found[3])
            acked, number = posts[expected]
            if there != (expected, acked, (number, sent[number][0])):
                return count, [f"client {slow['client']}: {there} is where {expected} {acked} was acknowledged"]
            expected -= 1
            count += 1
        if not page:
            return count, [f"client {slow['client']}: history ends before {expected}"]
        before = page[0]["id"]
    return count, []


def reader(url, room, token):
    client = scenarios.Rest(url, patient=True)
    client.headers = {"Authorization": f"Bearer {token}"}
    return lambda before: client.call("GET", f"/chatrooms/{room}/messages?limit=100&before={before}")["messages"]


def fill_gaps(url, run):
    posts, run.gap_faults = acked_posts(run.ledger)
    for one in run.report["slow"] if not run.gap_faults else ():
        if one["back_seq"]:
            room, token = run.targets[one["client"]]
            count, wrong = fill_gap(reader(url, room, token), one, posts, run.ledger.sent)
            run.gap_posts += count
            run.gap_faults = run.gap_faults + wrong


def judge_ends(run, crowd):
    """All of the slow are closed in time, those that read on are told why, and the rest is cut off."""
    found, all_slow = [], run.report["slow"]
    closed_s, count = run.closed[-1]
    filling_s = 2 * SEND_BUFFER / (FRAME * crowd.rate)  # Linux gives twice what it is asked for
    if count != crowd.slow:
        found.append(f"{count} of {crowd.slow} slow clients were counted as closed")
    if closed_s > filling_s + QUEUE_AGE_S + LATE_S:
        found.append(f"the last of the slow was closed after {closed_s:.1f} s")
    for one in all_slow:
        told = one["code"] == 1013
        late = one["ended_s"] > closed_s + CLOSE_S + LATE_S
        if one["code"] not in (1013, 1006) or late or (one["woken"] and not told):
            found.append(f"a {one['reader']} client, {'woken' if one['woken'] else 'left alone'}: "
                         f"{one['code'] or 'never ended'} after {one['ended_s']:.1f} s")
        elif not one["back_seq"]:
            found.append(f"a {one['reader']} client did not come back")
    woken = sum(one["woken"] for one in all_slow)
    if woken != (crowd.stopped + 1) // 2:
        found.append(f"{woken} of the stopped were there to read on")
    return found


# ---- the scenario

HEAD = ("", "others", "deliveries/s", "CPU us", "p50 ms", "p99 ms", "p99.9 ms", "RSS MiB", "to", "closed", "last after", "gap posts")


def row(label, run, crowd):
    report, delivery = run.report, run.report["delivery_us"]
    closed_s, count = run.closed[-1]
    return (label, f"{crowd.readers}", f"{report['deliveries_per_s']:,.0f}", f"{report['cpu_us_per_delivery']:.2f}",
            f"{delivery['p50'] / 1e3:.2f}", f"{delivery['p99'] / 1e3:.2f}", f"{delivery['p999'] / 1e3:.2f}",
            f"{report['rss_kib'][0] / 1024:.1f}", f"{max(report['rss_kib']) / 1024:.1f}", f"{count}", f"{closed_s:.1f} s",
            f"{run.gap_posts:,}")


def faults(run, crowd):
    """What must not be in either run; the ends of the slow ones are judged for themselves."""
    ends = {code: count for code, count in run.report["closes"].items() if code.split()[0] not in ("1013", "1006")}
    found = table.faults(run.report | {"closes": ends}) + run.memory[0] + run.ledger.problems + run.gap_faults
    if run.queued > crowd.slow * QUEUE_MAX + POOL_OF_OTHERS:
        found.append(f"{run.queued:,.0f} bytes waited for clients")
    return found


def measure(options):
    crowd = options.crowd.scaled(options.scale)
    seconds = max(SECONDS, options.seconds or 0)  # in less the slow ones would not be gone
    if options.tls:
        sys.exit("bench: slow is measured without TLS")
    alone, rows, found, runs = dataclasses.replace(crowd, stopped=0, drip=0), [HEAD], [], {"without": [], "beside": []}
    for _ in range(ROUNDS if options.scale == 1 else 1):
        for name, who in (("without", alone), ("beside", crowd)):
            run = play(options, who, seconds)
            runs[name].append(run)
            rows.append(row(f"{name} slow ones", run, who))
            found += [f"{name} slow ones: {fault}" for fault in faults(run, who) + judge_ends(run, who)]
            print(run.memory[1])
    p99 = {name: statistics.median(run.report["delivery_us"]["p99"] for run in some) for name, some in runs.items()}
    bar = registry.Bar("the others' p99 beside slow ones", p99["beside"] / p99["without"], RATIO_MAX, at_most=True, unit=" x")
    return registry.Outcome(rows, found, [bar] if options.scale == 1 else [],
                            {name: [run.report for run in some] for name, some in runs.items()})


registry.add(registry.Scenario("slow", "one durable room, 200 posts/s: 850 members read, 100 have stopped, 50 read a byte a "
                               "second", measure))
