"""The six load scenarios of the rooms contract: what they are, how one is played against a server that
runs, and how its outcome is judged.

bench/scenario plays the virtual users; this sets up their rooms before and reads history after. At scale
K all durations and numbers of users are divided by K, so that joins a second, messages of a user and
commands of a user stay what they are; thresholds on counts are divided by K * K, as counts go with users
x time, and thresholds on the length of a session by K. Latencies are not scaled."""

import dataclasses
import http.client
import json
import math
import pathlib
import re
import statistics
import subprocess
import threading
import time
import zlib

PASSWORD = "testpass123"
HISTORY_PAGES = 10  # of 100 posts each, for each room, are held against what was acknowledged
THREADS_MAX = 1000
EARLY_LATE = 1.2    # p95 of the last quarter against that of the first
POPULAR_QUIET = 2.0
NOISE_MS = 5        # ratios of latencies below this say nothing

# What the first review wants exported and held to while all users talk, of /metrics.
IN_USE_MAX = 0.8        # of the store's connections and of the gateway's pool
POOL_BYTES = 64 << 20   # gateway.pool_bytes by default
QUERY_P95_MS = 100
QUEUED_MAX = 64 << 10   # bytes in all queues together, in the median: near zero
INBOX_MAX = 32          # messages, in the median, at the actor that has most
EVEN = 0.1              # by which the second half may differ from the first,
FEW = 5                 # or by so many sessions and sockets: a user who comes late or leaves early
QUEUES = ("confab_gateway_pool_bytes", "confab_gateway_command_bytes", "confab_room_queue_bytes", "confab_room_held_bytes",
          "confab_store_unsettled_bytes", "confab_actor_kept_bytes", "confab_send_queue_bytes")
SETTLE_S = 30           # until nothing waits any more behind the last user


@dataclasses.dataclass(frozen=True)
class Group:
    """A share of the users, the rooms they choose from, and how many messages a minute they send."""
    share: float
    first_room: int
    last_room: int
    messages: tuple


@dataclasses.dataclass(frozen=True)
class Scenario:
    text: str
    prefix: str
    rooms: int
    stages: tuple      # (seconds, users at its end)
    session: float     # seconds in the room
    groups: tuple
    thresholds: dict   # as in k6
    commands: tuple = (0, 0)  # share of the users, seconds from one to the next
    hold: int = 1      # the stage in which all users are there
    even: bool = False  # latency must be at the end what it was at first
    flat: bool = False  # memory must not grow; elsewhere the store's caches are still filling
    graceful: float = 30  # seconds that one user too many has to end what was begun, as in k6

    def steady(self):
        """From when to when all users are there and talk: until the first of them leave and come again."""
        begin = sum(seconds for seconds, _ in self.stages[:self.hold])
        return begin, min(begin + self.stages[self.hold][0], self.session)

    def scaled(self, scale):
        """The same with users and durations divided, and thresholds that go with them."""
        def threshold(metric, text):
            stat, relation, bound = parse(text)
            if metric == "ws_session_duration":
                bound /= scale
            elif stat == "count" and bound:  # of errors none is left at scale 10
                bound = max(bound / scale ** 2, 1 if relation == "<" else 0)
            return f"{stat}{relation}{bound:g}"
        return dataclasses.replace(
            self, stages=tuple((seconds / scale, math.ceil(users / scale)) for seconds, users in self.stages),
            session=self.session / scale, graceful=self.graceful / scale,
            thresholds={metric: tuple(threshold(metric, text) for text in texts)
                        for metric, texts in self.thresholds.items()})


def parse(threshold):
    stat, relation, bound = re.fullmatch(r"(count|rate|p\d+)([<>])([\d.]+)", threshold).groups()
    return stat, relation, float(bound)


SILENT = (0, 0)

SCENARIOS = {
    "1": Scenario("connection: 1,000 silent sockets in one room", "user", 1,
                  ((300, 1000), (600, 1000), (120, 0)), 600, (Group(1, 0, 0, SILENT),),
                  {"ws_connecting": ("p95<1000", "p99<2000"), "websocket_connection_success": ("rate>0.99",),
                   "ws_session_duration": ("p95<605000",), "websocket_errors": ("count<10",),
                   "checks": ("rate>0.95",)}, flat=True),
    "2": Scenario("active chat: 500 users in 10 rooms, 1..5 messages a minute, every fifth asks for a stock each minute",
                  "chat_user", 10, ((120, 500), (600, 500), (60, 0)), 600, (Group(1, 0, 9, (1, 5)),),
                  {"chat_message_latency_ms": ("p95<200", "p99<500"),
                   "stock_command_latency_ms": ("p95<2000", "p99<5000"),
                   "message_delivery_success": ("rate>0.999",), "websocket_connection_success": ("rate>0.99",),
                   "errors": ("count<50",), "checks": ("rate>0.95",), "chat_messages_sent": ("count>10000",),
                   "chat_messages_received": ("count>10000",)}, commands=(0.2, 60)),
    "3": Scenario("stock stress: 100 users in one room, each asks for a stock every 10 s", "stock_tester", 1,
                  ((60, 100), (300, 100), (30, 0)), 300, (Group(1, 0, 0, (2, 2)),),
                  {"stock_command_latency_ms": ("p95<2000", "p99<5000"), "stock_commands_sent": ("count>0",),
                   "stock_responses_received": ("count>0",), "message_delivery_success": ("rate>0.95",),
                   "websocket_connection_success": ("rate>0.99",), "errors": ("count<20",),
                   "checks": ("rate>0.95",)}, commands=(1, 10)),
    "4": Scenario("spike: from 100 to 1,000 users of one room in 30 s, each says something every 15 s", "spike_user", 1,
                  ((120, 100), (30, 1000), (300, 1000), (30, 100), (120, 100)), 300, (Group(1, 0, 0, (4, 4)),),
                  {"websocket_connection_success": ("rate>0.95",), "chat_message_latency_ms": ("p99<1000",),
                   "errors": ("count<100",), "ws_connecting": ("p99<5000",), "checks": ("rate>0.90",),
                   "message_delivery_success": ("rate>0.90",)}, hold=2),
    "5": Scenario("soak: 300 users in 5 rooms, 2..10 messages a minute, for two hours", "soak_user", 5,
                  ((300, 300), (7200, 300), (120, 0)), 7200, (Group(1, 0, 4, (2, 10)),),
                  {"chat_message_latency_ms": ("p95<300", "p99<1000"), "websocket_connection_success": ("rate>0.99",),
                   "errors": ("count<100",), "message_delivery_success": ("rate>0.99",), "checks": ("rate>0.95",)},
                  commands=(0.1, 120), even=True, flat=True),
    "6": Scenario("multi-room: 1,000 users in 50 rooms, four of five in the first ten, where more is said", "room_user", 50,
                  ((180, 1000), (600, 1000), (120, 0)), 600, (Group(0.8, 0, 9, (5, 15)), Group(0.2, 10, 49, (1, 5))),
                  {"chat_message_latency_ms": ("p95<300", "p99<1000"), "chat_messages_sent": ("count>50000",),
                   "chat_messages_received": ("count>50000",), "message_delivery_success": ("rate>0.99",),
                   "websocket_connection_success": ("rate>0.99",), "errors": ("count<50",), "checks": ("rate>0.95",)}),
}
SCENARIOS["5-short"] = dataclasses.replace(
    SCENARIOS["5"], text="soak, the short one: 15 minutes", stages=((120, 300), (900, 300), (120, 0)), session=900, flat=False)


# ---- a server's client, over one connection that is kept

class Rest:
    """patient: told to wait, it waits and asks again. k6 is not, but what is done here besides k6's part may be."""

    def __init__(self, url, patient):
        self.patient = patient
        host, port = url.removeprefix("http://").rstrip("/").split(":")
        self.connection = http.client.HTTPConnection(host, int(port), timeout=60)
        self.headers = {}

    def call(self, method, path, body=None, expected=(200, 201)):
        while True:
            self.connection.request(method, "/api/v1" + path, json.dumps(body) if body is not None else None,
                                    self.headers)
            answer = self.connection.getresponse()
            data = answer.read()
            if answer.status == 429 and self.patient:
                time.sleep(float(answer.headers.get("Retry-After", 1)))
                continue
            if answer.status not in expected:
                raise RuntimeError(f"{method} {path}: {answer.status} {data!r}")
            return json.loads(data)

    def sign_in(self, name):
        self.call("POST", "/auth/register",
                  {"username": name, "email": f"{name}@loadtest.local", "password": PASSWORD}, (201,))
        token = self.call("POST", "/auth/login", {"username": name, "password": PASSWORD})["session_token"]
        self.headers = {"Authorization": f"Bearer {token}"}
        return token


def set_up(url, scenario):
    """What k6's setup does: one account makes the rooms, back to back on one connection. Beside it an
    observer for each room. The account's client, and (room, observer's token) for each room."""
    ms = int(time.time() * 1000)
    admin = Rest(url, patient=False)
    admin.sign_in(f"{scenario.prefix}_admin_{ms}")
    rooms = [admin.call("POST", "/chatrooms", {"name": f"{scenario.prefix} {i}"}, (201,))["id"]
             for i in range(scenario.rooms)]
    observed = []
    for i, room in enumerate(rooms):
        observer = Rest(url, patient=True)
        observed.append((room, observer.sign_in(f"{scenario.prefix}_observer{i}_{ms}")))
        observer.call("POST", f"/chatrooms/{room}/join")
    return admin, observed


# ---- the server's own figures

def scrape(url):
    """Series -> value, or nothing if they are not to be had."""
    host, port = url.removeprefix("http://").rstrip("/").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    try:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        text = answer.read().decode()
    except (OSError, http.client.HTTPException):
        return {}
    finally:
        connection.close()
    if answer.status != 200:
        return {}
    series = (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
    return {name: float(figure) for name, figure in series}


def total(figures, name, label=""):
    """The sum of a metric's series whose labels hold this one."""
    return sum(figure for series, figure in figures.items() if series.partition("{")[0] == name and label in series)


def queued(figures):
    return sum(total(figures, name) for name in QUEUES)


class Watch:
    """Reads the figures once a second, from its making until it is ended."""

    def __init__(self, url):
        self.url, self.rows, self.began, self.over = url, [], time.monotonic(), threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while not self.over.wait(1):
            figures = scrape(self.url)
            if figures:
                self.rows.append((time.monotonic() - self.began, figures))

    def end(self):
        self.over.set()
        self.thread.join()
        return self.rows

    def settled(self):
        """The figures when nothing waits any more, or the last."""
        deadline = time.monotonic() + SETTLE_S
        while True:
            figures = scrape(self.url)
            if not figures or time.monotonic() > deadline or (
                    not queued(figures) and not total(figures, "websocket_connections_active")):
                return figures
            time.sleep(0.5)


# ---- playing

@dataclasses.dataclass
class Outcome:
    scenario: Scenario
    report: dict        # of bench/scenario
    history: list       # what is wrong with it
    checked: int        # posts of it that were read
    figures: list = dataclasses.field(default_factory=list)   # (seconds since the first user, series -> value)
    settled: dict = dataclasses.field(default_factory=dict)   # the same behind the last user
    faults: list = dataclasses.field(default_factory=list)  # filled by judge()
    lines: list = dataclasses.field(default_factory=list)


def command(program, scenario, url, folder, pid):
    stages = ",".join(f"{seconds:g}:{users}" for seconds, users in scenario.stages)
    hold = scenario.steady()
    line = [str(program), "--url", url, "--rooms", str(folder / "rooms"), "--prefix", scenario.prefix,
            "--stages", stages, "--session", f"{scenario.session:g}", "--graceful", f"{scenario.graceful:g}",
            "--hold", f"{hold[0]:g}:{hold[1]:g}", "--commands", "{:g}:{:g}".format(*scenario.commands),
            "--json", str(folder / "report.json"), "--posts", str(folder / "posts")]
    for group in scenario.groups:
        line += ["--group", f"{group.share:g}:{group.first_room}-{group.last_room}:"
                            f"{group.messages[0]:g}-{group.messages[1]:g}"]
    return line + (["--pid", str(pid)] if pid else [])


def play(scenario, url, folder, program, pid=None, output=None):
    """Plays a scenario with this program, bench/scenario, against the server at url; its Outcome, not yet judged.
    The folder is for its files."""
    folder = pathlib.Path(folder)
    admin, observed = set_up(url, scenario)
    (folder / "rooms").write_text("".join(f"{room} {token}\n" for room, token in observed))
    line = command(program, scenario, url, folder, pid)
    watch = Watch(url)
    try:
        status = subprocess.run(line, check=False, stdout=output, stderr=output).returncode
    finally:
        figures = watch.end()
    if status != 0:
        raise RuntimeError(f"bench/scenario ended with {status}: {line}")
    report = json.loads((folder / "report.json").read_text())
    admin.patient = True
    admin.connection.close()  # was idle all the time, so the server has closed it; the next call opens another
    history, checked = read_history(admin, [room for room, _ in observed], folder / "posts")
    return Outcome(scenario, report, history, checked, figures, watch.settled())


def crc32(content):
    return zlib.crc32(content.encode())


def read_history(client, rooms, path):
    """The newest posts of each room must be, in the same order, those that were delivered."""
    delivered = {room: {} for room in rooms}
    for line in path.read_text().splitlines():
        room, seq, post, crc, _acked = line.split()
        delivered[room][int(seq)] = (post, int(crc, 16))
    wrong, checked = [], 0
    for room in rooms:
        expected, before = max(delivered[room], default=0), ""
        for _ in range(HISTORY_PAGES):
            page = client.call("GET", f"/chatrooms/{room}/messages?limit=100{before}")["messages"]
            for post in reversed(page):
                there = (post["id"], crc32(post["content"]))
                if post["seq"] != expected or delivered[room].get(expected) != there:
                    wrong.append(f"history of {room} has {post['seq']} {there} where {expected} "
                                 f"{delivered[room].get(expected)} was delivered")
                expected = post["seq"] - 1
                checked += 1
            if not page:
                break
            before = f"&before={page[0]['id']}"
        else:
            continue
        if expected > 0:
            wrong.append(f"history of {room} ends before {expected}")
    return wrong, checked


# ---- judging

def value(report, metric, stat):
    """A metric's figure; None where there are no samples, for which k6 lets every threshold pass."""
    figures = report["metrics"][metric]
    samples = figures["passes"] + figures["fails"] if "rate" in figures else figures["count"]
    return None if samples == 0 and stat != "count" else figures[stat]


def within(threshold, figure):
    _, relation, bound = parse(threshold)
    return figure is None or (figure < bound if relation == "<" else figure > bound)


def memory_growth(samples):
    """KiB by which the last third of the samples stands above the second; noise of a page cache is not growth."""
    if len(samples) < 30:
        return 0
    third = len(samples) // 3
    return statistics.median(samples[2 * third:]) - statistics.median(samples[third:2 * third])


def ratio(one, other):
    return one / other if other else 1.0


def held(outcome):
    """The samples, one a second, of the time in which all users talked, by column."""
    begin, end = outcome.scenario.steady()
    rows = outcome.report["samples"][math.ceil(begin):int(end)]
    return {name: [row[i] for row in rows] for i, name in enumerate(outcome.report["sample"])}


def judge(outcome, timed):
    """Fills outcome.faults and outcome.lines. timed: latencies and growth are judged too; without, they are
    only said."""
    report, faults, lines = outcome.report, outcome.faults, outcome.lines

    def say(what, text, passed, counts=True):
        mark = "ok" if passed else "FAILED" if counts else "(not judged)"
        lines.append(f"  {what:<36} {text:<44} {mark}")
        if not passed and counts:
            faults.append(f"{what}: {text}")

    for metric, thresholds in outcome.scenario.thresholds.items():
        for threshold in thresholds:
            stat, _, _ = parse(threshold)
            figure = value(report, metric, stat)
            text = f"{threshold}: {'no samples' if figure is None else f'{figure:,.4g}' if stat != 'count' else f'{figure:,}'}"
            say(metric, text, within(threshold, figure), timed or not stat.startswith("p"))

    wrong = {name: count for name, count in report["faults"].items() if count}
    say("loss, doubles, order, content, acks", f"{wrong or 'none'}, {report['deliveries']:,} deliveries", not wrong)
    if report["failures"]:
        lines.append(f"  failed steps, with the status: {report['failures']}")
    say("refusals", f"{report['refusals'] or 'none'}", not report["refusals"])
    say("closed by the server", f"{report['closes'] or 'none'}", not report["closes"])
    say("history equals what was delivered", f"{outcome.checked:,} posts read{''.join(f'; {w}' for w in outcome.history[:3])}",
        not outcome.history)
    judge_process(outcome, say, timed)
    judge_parts(outcome, say, timed)
    judge_figures(outcome, say, timed)


def judge_process(outcome, say, timed):
    during = held(outcome)
    if not during["rss_kib"] or during["rss_kib"][0] < 0:
        return
    first, last, threads = during["rss_kib"][0], during["rss_kib"][-1], max(during["threads"])
    growth = memory_growth(during["rss_kib"])
    say("memory, all users talking", f"{first / 1024:.1f} to {last / 1024:.1f} MiB, {growth:+,.0f} KiB in the last third",
        growth <= 0.05 * first + 1024, timed and outcome.scenario.flat)
    say("threads", f"{threads}", threads < THREADS_MAX)
    seconds = len(during["cpu"]) - 1
    if seconds > 0:
        used, own = ((during[name][-1] - during[name][0]) / seconds for name in ("cpu", "own_cpu"))
        rate = (during["deliveries"][-1] - during["deliveries"][0]) / seconds
        say("deliveries a second", f"{rate:,.0f}; server {used:.2f} of a core, users {own:.2f}", own < 0.9, timed)


def judge_parts(outcome, say, timed):
    parts = outcome.report["parts"]
    early, late = parts["early"], parts["late"]
    if early["count"] and late["count"]:
        changed = ratio(late["p95"], early["p95"])
        say("latency p95, first and last quarter", f"{early['p95']:.1f} and {late['p95']:.1f} ms, x {changed:.2f}",
            changed < EARLY_LATE or late["p95"] - early["p95"] < NOISE_MS, timed and outcome.scenario.even)
    if len(outcome.scenario.groups) == 2:
        popular, quiet = parts["group 0"]["p95"], parts["group 1"]["p95"]
        apart = max(ratio(popular, quiet), ratio(quiet, popular))
        say("latency p95, popular and quiet", f"{popular:.1f} and {quiet:.1f} ms, x {apart:.2f}",
            apart < POPULAR_QUIET or abs(popular - quiet) < NOISE_MS, timed)


def quantile(buckets, share):
    """Of a histogram, {upper bound: count up to it}, as Prometheus has it; 0 without samples."""
    bounds = sorted(buckets)
    wanted, below, before = share * buckets[bounds[-1]], 0.0, 0
    for bound in bounds:
        if buckets[bound] >= wanted > 0:
            inside = buckets[bound] - before
            return below if math.isinf(bound) else below + (bound - below) * (wanted - before) / inside
        below, before = bound, buckets[bound]
    return 0.0


def judge_figures(outcome, say, timed):
    """What the first review of the reference server wants asserted in a soak, by the server's own figures."""
    begin, end = outcome.scenario.steady()
    rows = [row for row in outcome.figures if begin <= row[0] <= end]
    if len(rows) < 3:
        say("figures of the server", f"{len(rows)} scrapes while all users talked", False, timed)
        return
    (since, first), (until, last), middle = rows[0], rows[-1], rows[len(rows) // 2][1]

    def grown(name, label="", of=last, above=first):
        return total(of, name, label) - total(above, name, label)
    seconds, connections = until - since, total(last, "db_connections_open")
    writer = grown("confab_store_commit_seconds_sum") / seconds
    readers = grown("db_query_duration_seconds_sum", 'operation="select"') / seconds / max(connections - 1, 1)
    waits, waited = grown("confab_actor_waited_total"), grown("confab_actor_waited_seconds_total")
    say("store connections, share of the time", f"writer {writer:.0%}, {connections - 1:.0f} readers {readers:.0%}; "
        f"{waits:,.0f} waits of {1000 * waited / waits if waits else 0:.1f} ms", max(writer, readers) < IN_USE_MAX, timed)
    bounds = {re.search(r'[{,]le="([^"]+)"', series)[1] for series in last if series.startswith("db_query_duration_seconds_bucket")}
    p95 = 1000 * quantile({float(bound): grown("db_query_duration_seconds_bucket", f'le="{bound}"') for bound in bounds}, 0.95)
    say("queries p95", f"{p95:.1f} ms", p95 < QUERY_P95_MS, timed)
    pool = max(total(figures, "confab_gateway_pool_bytes") for _, figures in rows)
    say("gateway's pool, most in use", f"{pool / POOL_BYTES:.2%}", pool < IN_USE_MAX * POOL_BYTES)
    waiting = [queued(figures) for _, figures in rows]
    depths = [max(figure for series, figure in figures.items() if series.startswith("confab_actor_inbox_depth"))
              for _, figures in rows]
    say("queues, median and most", f"{statistics.median(waiting):,.0f} and {max(waiting):,.0f} bytes; inboxes "
        f"{statistics.median(depths):.0f} and {max(depths):.0f}",
        statistics.median(waiting) <= QUEUED_MAX and statistics.median(depths) <= INBOX_MAX, timed)
    sessions = total(first, "confab_sessions_cached"), total(last, "confab_sessions_cached")
    say("sessions in memory", f"{sessions[0]:.0f} to {sessions[1]:.0f}", sessions[1] <= sessions[0] * (1 + EVEN) + FEW,
        timed and outcome.scenario.even)
    sockets = [total(figures, "websocket_connections_active") for _, figures in rows]
    say("sockets, by the gauge", f"{min(sockets):.0f} to {max(sockets):.0f}", max(sockets) - min(sockets) <= EVEN * max(sockets) + FEW,
        timed and outcome.scenario.even)
    halves = [grown("confab_posts_acked_total", of=middle), grown("confab_posts_acked_total", above=middle)]
    say("posts, first and second half", f"{halves[0]:,.0f} and {halves[1]:,.0f}",
        abs(halves[1] - halves[0]) <= EVEN * max(halves), timed and outcome.scenario.even)
    left = {name: total(outcome.settled, name) for name in (*QUEUES, "websocket_connections_active")}
    left = {name: figure for name, figure in left.items() if figure}
    say("left behind the last user", f"{left or 'nothing'}", bool(outcome.settled) and not left)
