"""Rooms that come and go. S: everybody is cut off at once and comes back, to a server that was there all the time and
to one that was killed. S1: the same in one room, where each is told of all who come behind it. R: many rooms in memory, put there by waves of clients; what they cost, and that nothing is
lost when they are put away and come back."""

import collections
import concurrent.futures
import functools
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time

import durable
import memory
import registry
import scenarios
import serving

QUERIES = "db_query_duration_seconds_count"
RAISED = serving.RAISED | {"limits.upgrades_per_second": "1000"}  # one user comes back again and again within a minute
MAKERS = 8


def add_options(parser):
    parser.add_argument("--clients", type=int, default=5000, help="of the scenario S (5000)")
    parser.add_argument("--rooms", type=int, help="of the scenarios S (500), R and R100k")
    parser.add_argument("--wave", type=int, default=5000, help="clients at once, of the scenario R (5000)")


# ---- the clients

class Storm:
    """bench/storm, command by command."""

    def __init__(self, options, folder, url, targets, members, *flags):
        path = folder / "targets"
        path.write_text("".join(f"{room} {token}\n" for room, token in targets))
        command = [str(options.build / "bench" / "storm"), "--url", url, "--targets", str(path), "--members", str(members),
                   *flags]
        self.process = subprocess.Popen(serving.pinned(options, False, command), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.faults, self.refusals = collections.Counter(), collections.Counter()

    def send(self, *words):
        print(*words, file=self.process.stdin, flush=True)

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise serving.Failed(f"storm ended with {self.process.wait()}")
        told = json.loads(line)
        self.faults.update(told["faults"])
        self.refusals.update(told["refusals"])
        return told

    def do(self, *words):
        self.send(*words)
        return self.answer()

    def end(self):
        self.process.stdin.close()
        return self.process.wait()

    def found(self):
        return [f"{name} {count}" for name, count in self.faults.items() if count]


# ---- the server

def cpu_s(pid):
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except OSError:
            pass  # a thread that has just ended
    return total / 1e9


def threads(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def figures(url):
    """/metrics, later than all that was done before: actors are asked for theirs once a second, and stats tells what
    it has; when they have been asked twice the second time was after the call."""
    def asked():
        return scenarios.scrape(url)['confab_actor_messages_total{actor="reader"}']
    for _ in range(2):
        before = asked()
        while asked() == before:
            time.sleep(0.1)
    return scenarios.scrape(url)


def queries(after, before=None):
    """"operation table" -> queries, those of writes by the transaction they were part of."""
    found = {}
    for name, value in after.items():
        if name.startswith(QUERIES):
            labels = dict(pair.split("=") for pair in name[len(QUERIES) + 1:-1].replace('"', "").split(","))
            count = int(value - (before or {}).get(name, 0))
            if count:
                found[f"{labels['operation']} {labels['table']}"] = count
    return found


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def make_rooms(url, tokens, count):
    """So many durable rooms, of users by turns; their ids."""
    body = json.dumps({"name": "storm"})

    def some(first):
        connection, made = http.client.HTTPConnection(url.split("//")[1], timeout=60), {}
        for i in range(first, count, MAKERS):
            connection.request("POST", "/api/v1/chatrooms", body, {"Authorization": f"Bearer {tokens[i % len(tokens)]}"})
            answer = connection.getresponse()
            data = answer.read()
            if answer.status != 201:
                raise serving.Failed(f"a room cannot be made: {answer.status} {data!r}")
            made[i] = json.loads(data)["id"]
        connection.close()
        return made
    made = {}
    with concurrent.futures.ThreadPoolExecutor(MAKERS) as pool:
        for some_made in pool.map(some, range(MAKERS)):
            made.update(some_made)
    return [made[i] for i in range(count)]


# ---- S

POSTS = 60  # in each room, more than a page


def cold(options, environment, storm, server, clients):
    """Kills the server while every room has a post on its way; (server, seconds from there until all are back, until
    it serves, what storm says)."""
    storm.do("begin", 1)
    os.kill(server.pid, signal.SIGKILL)
    begun = time.monotonic()
    server.process.wait()
    started = []

    def start():
        started.append(serving.start_confab(options, environment))
        started.append(time.monotonic() - begun)
    thread = threading.Thread(target=start)
    thread.start()
    storm.do("cut")
    told = storm.do("in", 0, clients, 1)
    back_s = time.monotonic() - begun
    thread.join()
    return started[0], back_s, started[1], told


def row_of(label, back_s, told, count, cost, cpu, pid):
    return (label, f"{back_s:.2f}", f"{count / told['joined_s']:,.0f}", f"{told['p50_ms']:,.0f}", f"{told['p99_ms']:,.0f}",
            str(told["retries"]), str(sum(cost.values())), f"{cpu:.2f}", f"{memory.rss_kib(pid) / 1024:.1f}")


STORM_HEAD = ("", "all back s", "joins/s", "p50 ms", "p99 ms", "retries", "queries", "CPU s", "RSS MiB")


def storm_on(options, store, store_url):
    """On one store: (rows, faults, bars, raw)."""
    clients = max(1, options.clients // options.scale)
    rooms = max(1, options.rooms // options.scale if options.rooms else clients // 10)
    with serving.temporary_folder() as folder:
        environment = serving.settings(folder, store_url, RAISED | {"http.listen": f"127.0.0.1:{free_port()}"})
        tokens = serving.import_users(options, folder, environment, clients)
        server = serving.start_confab(options, environment)
        try:
            targets = serving.join_all(server.url, tokens, rooms, False)
            storm = Storm(options, folder, server.url, targets, clients)
            storm.do("in", 0, clients, 1)
            storm.do("post", POSTS)
            before, cpu = figures(server.url), cpu_s(server.pid)
            out = storm.do("out")
            told = storm.do("in", 0, clients, 1)
            warm_s, cpu = out["seconds"] + told["seconds"], cpu_s(server.pid) - cpu
            warm = queries(figures(server.url), before)
            raw = {"warm": {"back_s": warm_s, "told": told, "queries": warm, "cpu_s": cpu}}
            rows = [row_of(f"{store}, warm", warm_s, told, clients, warm, cpu, server.pid)]
            server, cold_s, served_s, told = cold(options, environment, storm, server, clients)
            cpu = cpu_s(server.pid)
            killed = queries(figures(server.url))
            raw["killed"] = {"back_s": cold_s, "served_s": served_s, "told": told, "queries": killed, "cpu_s": cpu}
            rows.append(row_of(f"{store}, after kill -9", cold_s, told, clients, killed, cpu, server.pid))
            storm.do("post", 1)
            storm.do("out")
            storm.do("in", 0, clients, 1)
            found, status = storm.found(), storm.end()
        finally:
            ended = server.stop()
    print(f"{store}: it served again {served_s:.2f} s after the kill; queries warm: {warm}; after the kill: {killed}; "
          f"refused meanwhile: {dict(storm.refusals)}")
    found += [f"{name} ended with {code}" for name, code in (("storm", status), ("confab", ended)) if code]
    most = rooms + clients // 10
    bars = [registry.Bar(f"S {store}, all back, warm", warm_s, 10, True, " s"),
            registry.Bar(f"S {store}, all back after kill -9", cold_s, 20, True, " s"),
            registry.Bar(f"S {store}, queries, warm", sum(warm.values()), most, True),
            registry.Bar(f"S {store}, queries after kill -9", sum(killed.values()), most, True)]
    return rows, found, bars, raw


def run_storm(options):
    whole = registry.Outcome([STORM_HEAD], [])
    for store, opened in durable.STORES.items():
        with opened() as url:
            rows, found, bars, raw = storm_on(options, store, url)
        whole.rows += rows
        whole.faults += [f"{store}: {fault}" for fault in found]
        whole.bars += bars
        whole.raw[store] = raw
    return whole


# ---- S1

ONE_BY_ONE = 1000  # clients that come one behind the other; of so many each sends to half of them on average
JOINED = 'websocket_messages_sent_total{type="user_joined"}'
SENDS = "confab_sends_total"


def come_to_one_room(options, folder, url, pid, label, targets, *flags):
    """All of them come, are cut off and come back, which is measured; (row, faults, raw)."""
    n = len(targets)
    storm = Storm(options, folder, url, targets, n, *flags)
    storm.do("in", 0, n, 0)
    storm.do("out")
    found = await_figure(url, "websocket_connections_active", 0)
    before, cpu = figures(url), cpu_s(pid)
    told = storm.do("in", 0, n, 0)
    due = n * (n + 1) // 2
    found += await_figure(url, JOINED, before[JOINED] + due)
    after, cpu = figures(url), cpu_s(pid) - cpu
    storm.do("out")
    found += storm.found() + ([f"storm ended with {status}"] if (status := storm.end()) else [])
    sends = after[SENDS] - before[SENDS]
    row = (label, f"{n:,}", f"{told['seconds']:.2f}", f"{cpu:.2f}", f"{due:,}", f"{sends:,.0f}", f"{cpu / due * 1e6:.3f}")
    return row, found, {"seconds": told["seconds"], "cpu_s": cpu, "due": due, "sends": sends}


def run_one_room(options):
    """Every user_joined that is due has to be sent, or the figure says nothing."""
    n = max(2, options.clients // options.scale)
    few = min(n, max(2, ONE_BY_ONE // options.scale))
    rows = [("", "clients", "all back s", "CPU s", "user_joined", "sends", "CPU us each")]
    with serving.temporary_folder() as folder:
        environment = serving.settings(folder, more=RAISED)
        tokens = serving.import_users(options, folder, environment, n)
        server = serving.start_confab(options, environment)
        try:
            targets = serving.join_all(server.url, tokens, 1, False)
            at_once, found, raw = come_to_one_room(options, folder, server.url, server.pid, "at once", targets)
            singly, more, raw_singly = come_to_one_room(options, folder, server.url, server.pid, "one by one", targets[:few],
                                                        "--connecting", "1")
        finally:
            if status := server.stop():
                found.append(f"confab ended with {status}")
    return registry.Outcome(rows + [at_once, singly], found + more, raw={"at once": raw, "one by one": raw_singly})


# ---- R

ROOMS = 10_000
SAMPLE = 200   # rooms that are posted to
IDLE = "2s"    # when rooms are to be put away
WAIT_S = 60    # for the server to have come to something


def wave_through(storm, first, last, size):
    """Clients first .. last - 1 come and go, so many at a time; seconds they took to come."""
    took = 0
    for at in range(first, last, size):
        took += storm.do("in", at, min(size, last - at), 0)["seconds"]
        storm.do("out")
    return took


def await_figure(url, name, wanted):
    """Until the series has this value; what is wrong when it does not get there."""
    deadline = time.monotonic() + WAIT_S
    while (value := scenarios.scrape(url).get(name)) != wanted:
        if time.monotonic() > deadline:
            return [f"{name} is {value}, not {wanted}"]
        time.sleep(0.2)
    return []


EVENTS, EVENT_BYTES = 4, 100  # of a room in R: its one client came and went, twice in the first wave


def judge_memory(own, start_kib, raw):
    """What so many rooms may make the server hold; what is wrong. The bound is that of no more rooms than connections, as
    others are in memory only for the idle time (docs/memory.md)."""
    rooms, wave = raw["rooms"], raw["wave"]
    if rooms > own["room"][1]:
        return []
    counts = {"connection": wave, "room": rooms, "event of a room": EVENTS * rooms,
              "byte of events of a room": EVENTS * EVENT_BYTES * rooms, "membership": rooms, "session": wave,
              "bucket": 2 * wave, "account lookup": 1000}
    wrong, line = memory.judge(own, start_kib, raw["rss_kib"], counts)
    print(line, flush=True)
    return wrong


def measure_rooms(options, folder, environment, tokens, rooms, sample):
    """Waves through all rooms, with a long idle time; (rows, faults, bars, raw, targets)."""
    own = memory.terms(options, environment)
    server = serving.start_confab(options, environment | {"CONFAB_ROOMS_IDLE": "1h"})
    wave, found = min(options.wave, rooms), []
    try:
        start_kib = memory.rss_kib(server.pid)
        ids = make_rooms(server.url, tokens, rooms)
        targets = [(ids[i], tokens[i % len(tokens)]) for i in range(rooms)]
        storm = Storm(options, folder, server.url, targets, wave)
        first_s = wave_through(storm, 0, wave, wave)
        wave_through(storm, 0, wave, wave)  # now the memory of as many connections is there
        found += await_figure(server.url, "confab_rooms_active", wave)
        rss, cpu, began = memory.rss_kib(server.pid), cpu_s(server.pid), threads(server.pid)
        took = wave_through(storm, wave, rooms, wave) if rooms > wave else first_s
        found += await_figure(server.url, "confab_rooms_active", rooms)
        used = cpu_s(server.pid) - cpu
        more = max(rooms - wave, 1)
        kib = (memory.rss_kib(server.pid) - rss) / more
        idle = cpu_s(server.pid)
        time.sleep(2)
        idle = (cpu_s(server.pid) - idle) / 2
        raw = {"rooms": rooms, "wave": wave, "rss_kib": memory.rss_kib(server.pid), "room_kib": kib, "room_ms": took / more * 1e3,
               "room_cpu_ms": used / more * 1e3, "idle_cpu": idle, "threads": threads(server.pid),
               "descriptors": descriptors(server.pid)}
        rows = [("", "rooms", "RSS MiB", "KiB a room", "ms a room", "CPU ms a room", "idle CPU", "threads", "descriptors"),
                ("in memory", f"{rooms:,}", f"{raw['rss_kib'] / 1024:.1f}", f"{kib:.2f}", f"{raw['room_ms']:.3f}",
                 f"{raw['room_cpu_ms']:.3f}", f"{idle:.1%}", str(raw["threads"]), str(raw["descriptors"]))]
        found += judge_memory(own, start_kib, raw)
        if raw["threads"] != began:
            found.append(f"{began} threads have become {raw['threads']}")
        storm.do("in", 0, sample, 1)
        storm.do("post", 3)
        storm.do("out")
        found += storm.found() + ([f"storm ended with {status}"] if (status := storm.end()) else [])
    finally:
        if status := server.stop():
            found.append(f"confab ended with {status}")
    bars = [registry.Bar("R, memory of a room", kib, 16, True, " KiB"),
            registry.Bar("R, activation of a room", raw["room_ms"], 0.5, True, " ms")]
    return rows, found, bars, raw, targets


def put_away(options, folder, environment, targets, sample):
    """Rooms with posts retire and come back, twice; what is wrong."""
    server = serving.start_confab(options, environment | {"CONFAB_ROOMS_IDLE": IDLE})
    found = []
    try:
        storm = Storm(options, folder, server.url, targets[:sample], sample)
        for times in (1, 2):
            storm.do("in", 0, sample, times - 1)  # after the first time there is something to be read
            storm.do("post", 5)
            storm.do("out")
            found += await_figure(server.url, "confab_rooms_retired_total", times * sample)
        storm.do("in", 0, sample, 1)
        found += storm.found() + ([f"storm ended with {status}"] if (status := storm.end()) else [])
    finally:
        if status := server.stop():
            found.append(f"confab ended with {status}")
    return found


def run_rooms(count, options):
    """What has to be reached is said of the number of rooms that is measured by default."""
    rooms = (options.rooms or count) // options.scale
    sample = min(SAMPLE, rooms // 2, options.wave)
    with serving.temporary_folder() as folder:
        environment = serving.settings(folder, more=RAISED)
        tokens = serving.import_users(options, folder, environment, min(options.wave, rooms))
        rows, found, bars, raw, targets = measure_rooms(options, folder, environment, tokens, rooms, sample)
        found += put_away(options, folder, environment, targets[-sample:], sample)
    return registry.Outcome(rows, found, bars if rooms == ROOMS else [], raw)


registry.add(registry.Scenario("S", "all clients in rooms of 10 cut off at once and back, warm and after kill -9", run_storm))
registry.add(registry.Scenario("S1", "all clients of one room cut off and back, at once and one by one", run_one_room))
registry.add(registry.Scenario("R", f"{ROOMS:,} rooms in memory, put there by waves of clients; rooms put away and back",
                               functools.partial(run_rooms, ROOMS)))
registry.add(registry.Scenario("R100k", "the same with 100,000 rooms", functools.partial(run_rooms, 100_000)))
