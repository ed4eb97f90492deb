"""Scenario P: posts that are stored, on SQLite and PostgreSQL. Every writer is alone in a room of its own, so that a
post costs an ack and one copy."""

import contextlib
import subprocess

import fanout
import memory
import registry
import scenarios
import serving
import table

WRITERS, WINDOW, PACE, SECONDS = 200, 8, 10_000, 10
WITH_POSTGRES = serving.ROOT / "tests" / "support" / "with_postgres"

# store, options of bench/load, label
RUNS = (
    ("sqlite", dict(window=WINDOW), f"SQLite, {WINDOW} in flight each"),
    ("sqlite", dict(window=WINDOW * 4, rate=PACE), f"SQLite, {PACE:,} a second"),
    ("postgres", dict(window=WINDOW), f"PostgreSQL, {WINDOW} in flight each"),
    ("postgres", dict(window=WINDOW * 4, rate=PACE), f"PostgreSQL, {PACE:,} a second"),
)


@contextlib.contextmanager
def postgres():
    """The address of a cluster of its own, which the kernel places where it likes."""
    process = subprocess.Popen([str(WITH_POSTGRES), "sh", "-c", 'echo "$CONFAB_TEST_POSTGRES_URL"; exec sleep infinity'],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        url = process.stdout.readline().strip()
        if not url:
            raise serving.Failed("PostgreSQL does not start")
        yield url
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def sqlite():
    yield None  # in the server's folder


STORES = {"sqlite": sqlite, "postgres": postgres}


def measure(options, folder, store_url, label, writers, seconds, load, more=None, meanwhile=lambda _: contextlib.nullcontext()):
    """more: settings besides; meanwhile(environment) is done while it is measured."""
    environment = serving.settings(folder, store_url, {**serving.RAISED, **(more or {})})
    tokens = serving.import_users(options, folder, environment, writers)
    own = memory.terms(options, environment)
    server = serving.start_confab(options, environment)
    try:
        start_kib = memory.rss_kib(server.pid)
        targets = serving.join_all(server.url, tokens, writers, False)
        before = scenarios.scrape(server.url)
        with meanwhile(environment):
            report = serving.generate(options, folder, label, server, targets, seconds, load)
        after = scenarios.scrape(server.url)
    finally:
        status = server.stop()
    if status != 0:
        report["faults"]["exit status"] = status
    if report["rss_kib"]:
        report["memory"] = fanout.judge_memory(own, start_kib, report)
        print(report["memory"][1], flush=True)
    rows, commits = (scenarios.total(after, name) - scenarios.total(before, name)
                     for name in ("confab_store_posts_written_total", "confab_store_commits_total"))
    report["rows_per_commit"] = rows / commits if commits else 0
    return report


HEAD = ("", "acked/s", "ack p50 ms", "p99", "p99.9", "CPU us", "rows/commit", "RSS MiB", "to", "lost")


def row(label, report):
    rss = report["rss_kib"] or [0]
    return (label, f"{report['acked_per_s']:,.0f}", *(table.milliseconds(report["ack_us"], at) for at in ("p50", "p99", "p999")),
            f"{report['cpu_us_per_delivery']:.2f}", f"{report['rows_per_commit']:.1f}", f"{rss[0] / 1024:.1f}",
            f"{rss[-1] / 1024:.1f}", f"{table.lost(report)}")


def bars(reports):
    free, paced = {}, {}
    for store, load, label in RUNS:
        (paced if "rate" in load else free)[store] = reports[label]
    return [registry.Bar("P: posts/s acknowledged, PostgreSQL", free["postgres"]["acked_per_s"], 25_000),
            registry.Bar(f"P: ack p99 at {PACE:,}/s, PostgreSQL", paced["postgres"]["ack_us"]["p99"] / 1e3, 25, at_most=True,
                         unit=" ms"),
            registry.Bar("P: posts/s acknowledged, SQLite", free["sqlite"]["acked_per_s"], 20_000)]


def run(options):
    writers, seconds = max(10, WRITERS // options.scale), options.seconds or SECONDS
    print(f"{seconds} s, 128-byte posts, {writers} writers", flush=True)
    reports, found = {}, []
    for store, load, label in RUNS:
        load = dict(load, **({"rate": load["rate"] / options.scale} if "rate" in load else {}))
        with serving.temporary_folder() as folder, STORES[store]() as url:
            reports[label] = measure(options, folder, url, label, writers, seconds, load)
        # The store's page cache fills in the first 60,000 posts; that memory is flat behind them is measured by `room`.
        found += [f"{label}: {fault}" for fault in table.faults(reports[label] | {"rss_kib": []})]
    return registry.Outcome([HEAD] + [row(label, report) for label, report in reports.items()], found,
                            bars(reports) if options.scale == 1 else [], reports)


registry.add(registry.Scenario("P", f"{WRITERS} writers, each alone in a durable room, on SQLite and PostgreSQL", run))
