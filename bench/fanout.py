"""The scenarios of posts and their copies: confab beside the bare loop, under the same load generator."""

import dataclasses
import functools

import registry
import serving
import table


@dataclasses.dataclass(frozen=True)
class Shape:
    """ephemeral rooms where confab is held against the ceiling alone."""
    text: str
    rooms: int
    members: int
    load: dict  # options of bench/load
    seconds: int = 10
    ephemeral: bool = True
    ceiling: bool = True
    warm: int = 0  # posts before


SHAPES = {
    "room": Shape("one durable room (SQLite), 1,000 clients, 200 posts/s", 1, 1000, dict(rate=200), 60, ephemeral=False,
                  warm=60_000),
    "A1": Shape("one room, 1,000 members, 1 post in flight", 1, 1000, dict(inflight=1)),
    "A16": Shape("one room, 1,000 members, 16 posts in flight", 1, 1000, dict(inflight=16)),
    "A64": Shape("one room, 1,000 members, 64 posts in flight", 1, 1000, dict(inflight=64)),
    "B": Shape("one room, 5,000 members, 10 posts/s", 1, 5000, dict(rate=10), 20),
    "C10": Shape("1,000 rooms of 10, 256 posts in flight", 1000, 10, dict(inflight=256)),
    "C2": Shape("1,000 rooms of 2, 256 posts in flight", 1000, 2, dict(inflight=256)),
    "D": Shape("19,000 idle clients in rooms of 10", 1900, 10, dict(writers=0)),
    "P": Shape("200 writers, each alone in a durable room (SQLite), 8 posts in flight each", 200, 1, dict(window=8), 20,
               ephemeral=False, ceiling=False),
}


def warm_up(options, folder, server, tokens, posts):
    """Posts so much elsewhere that the store's page cache, which is bounded, is full: what grows in the
    measurement after that is not a cache."""
    targets = [(serving.rest(server.url, token, "/chatrooms", b'{"name":"warm"}')["id"], token) for token in tokens[:100]]
    serving.generate(options, folder, "warm-up", server, targets, 60, dict(posts=posts, window=32))


def measure_confab(options, folder, name, shape, seconds):
    more = serving.RAISED | (serving.tls_settings(folder) if options.tls else {})
    environment = serving.settings(folder, more=more)
    tokens = serving.import_users(options, folder, environment, shape.rooms * shape.members)
    server = serving.start_confab(options, environment)
    try:
        if shape.warm:
            warm_up(options, folder, server, tokens, shape.warm)
        targets = serving.join_all(server.url, tokens, shape.rooms, shape.ephemeral)
        report = serving.generate(options, folder, f"{name} confab", server, targets, seconds, shape.load)
    finally:
        status = server.stop()
    if status != 0:
        report["faults"]["exit status"] = status
    return report, targets


def measure_ceiling(options, folder, name, shape, seconds, targets, *flags):
    server = serving.start_ceiling(options, *flags)
    try:
        return serving.generate(options, folder, name, server, targets, seconds, shape.load, "--no-acks", "--no-joins")
    finally:
        server.stop()


def run(name, options):
    shape = SHAPES[name]
    seconds = options.seconds or shape.seconds
    print(f"{seconds} s, 128-byte posts{', TLS' if options.tls else ''}", flush=True)
    raw, rows, ceiling = {}, [table.HEAD], None
    with serving.temporary_folder() as folder:
        raw["confab"], targets = measure_confab(options, folder, name, shape, seconds)
        if shape.ceiling:
            ceiling = raw["ceiling-send"] = measure_ceiling(options, folder, f"{name} ceiling-send", shape, seconds, targets)
            rows.append(table.row("ceiling-send", ceiling, ceiling))
            if "inflight" in shape.load:
                raw["ceiling-coalesce"] = measure_ceiling(options, folder, f"{name} ceiling-coalesce", shape, seconds,
                                                          targets, "--coalesce")
                rows.append(table.row("ceiling-coalesce", raw["ceiling-coalesce"], ceiling))
    confab = raw["confab"]
    rows.append(table.row("confab", confab, ceiling))
    if name == "P":
        print(f"{confab['acked_per_s']:,.0f} acked posts/s")
    if name == "D":
        print(f"{(confab['rss_kib'] or [0])[-1] / confab['clients']:.2f} KiB of the process for each client")
    return registry.Outcome(rows, table.faults(confab), raw=raw)


for key, one in SHAPES.items():
    registry.add(registry.Scenario(key, one.text, functools.partial(run, key)))
