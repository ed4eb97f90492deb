"""A rolling restart of all nodes under load: each leaves in order and comes back, while clients on all of them post. What counts
is the time from when a post was due until it is acknowledged, whatever lies between: a room that moves, a node that closes
its clients, their way to another one. Clients come back when they are told to, as the page does."""

import os
import time
import types

import registry
import serving
import several_nodes
import table

ROOMS, MEMBERS, NODES, RATE = 100, 6, 3, 300
P99_MAX_S = 3
PAUSE_S = 3  # between one node's return and the next one's leave, and at both ends
CONNECT_S = 60
HEAD = ("", "posts", "acknowledged", "p50 ms", "p99 ms", "p99.9 ms", "most ms", "closed by a node", "cut", "node gone s", "lost")
FINE = {"lost", "doubled", "out_of_order"}  # of live copies, over connections that end: history has them, and tests hold it to that


def with_a_port(node):
    """Where it was, when it comes back: clients know no other place."""
    node.environment["CONFAB_HTTP_LISTEN"] = node.server.url.rstrip("/").rsplit("//", 1)[1]


def await_clients(running, count):
    deadline = time.monotonic() + CONNECT_S
    while sum(one["websocket_connections_active"] for one in running.figures()) < count:
        if time.monotonic() > deadline:
            raise serving.Failed("the clients do not connect")
        time.sleep(0.1)


def restart(running, node, options):
    """How long it was not there."""
    left_at = time.monotonic()
    status = node.server.stop()
    if status:
        raise serving.Failed(f"{node.name} ended with {status}")
    node.start(options)
    running.await_links()
    return time.monotonic() - left_at


def run(options):
    rooms_wanted = max(NODES, ROOMS // options.scale)
    load = {"rate": max(20, RATE // options.scale), "window": 16, "drain-limit": 60}
    print(f"{rooms_wanted} rooms of {MEMBERS}, {load['rate']} posts/s, {NODES} nodes", flush=True)
    with serving.temporary_folder() as folder, several_nodes.cluster(options, folder, NODES, rooms_wanted * MEMBERS) as (running, tokens):
        rooms = [room["id"] for room in serving.post_all(
            running.servers[0].url, [(tokens[0], "/chatrooms", b'{"name":"bench"}')] * rooms_wanted)]
        targets = [(rooms[i % len(rooms)], token, i // len(rooms) % NODES) for i, token in enumerate(tokens)]
        serving.post_all(running.servers[0].url, [(token, f"/chatrooms/{room}/join", b"") for room, token, _ in targets])
        for node in running.nodes:
            with_a_port(node)
        # what they use is not asked for: none of them lives as long as the run
        known = [types.SimpleNamespace(url=server.url, pid=os.getpid()) for server in running.servers]
        process, path = serving.start_load(options, folder, "rolling", known, targets, 600, load, "--reconnect", "--heed")
        await_clients(running, len(targets))
        time.sleep(PAUSE_S)
        away = []
        for node in running.nodes:
            away.append(restart(running, node, options))
            time.sleep(PAUSE_S)
        process.send_signal(2)
        report = serving.finish_load("rolling", process, path)
    ack, closes = report["ack_us"], report["closes"]
    ended = sum(closes.get(code, 0) for code in ("1001", "1012"))
    row = ("confab", f"{report['posts']}", f"{report['acked']}", *(table.milliseconds(ack, at) for at in ("p50", "p99", "p999", "max")),
           f"{ended}", f"{sum(closes.values()) - ended}", f"{max(away):.1f}", f"{report['posts'] - report['acked']}")
    found = [f"{name}: {count}" for name, count in report["faults"].items() if count and name not in FINE]
    if report["acked"] != report["posts"]:
        found.append(f"{report['posts'] - report['acked']} posts were not acknowledged")
    bar = registry.Bar("from a post to its acknowledgement in a rolling restart, p99", ack["p99"] / 1e6, P99_MAX_S, True, " s")
    return registry.Outcome([HEAD, row], found, [bar] if options.scale == 1 else [], report | {"away_s": away})


registry.add(registry.Scenario("nodes-rolling", "all nodes are restarted in order, under load: how long a post takes", run))
