"""What operators switch on beside the chat: spans for a collector (`traces`), and a backup of the SQLite store while clients
post (`backup`). Each against the same load without it, in the same run."""

import contextlib
import http.server
import statistics
import subprocess
import threading

import durable
import registry
import serving
import table

WRITERS, SECONDS, PACE, ROUNDS = 200, 8, 5_000, 3


class Taker(http.server.BaseHTTPRequestHandler):
    """A collector that reads and thanks; what it makes of spans is not measured."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def collector():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Taker) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1/traces"
        finally:
            server.shutdown()
            thread.join()


def medians(label, reports, base=None):
    """A row: the middle of the rounds, and, beside the first, the ratio to that."""
    acked, p50, p99, cpu = (statistics.median(values) for values in zip(*(
        (report["acked_per_s"], report["ack_us"]["p50"] / 1e3, report["ack_us"]["p99"] / 1e3, report["cpu_us_per_delivery"]) for report in reports)))
    ratios = ("", "") if base is None else (f"{acked / base[0]:.2f}", f"{cpu / base[1]:.2f}")
    return (label, f"{acked:,.0f}", ratios[0], f"{p50:.1f}", f"{p99:.1f}", f"{cpu:.2f}", ratios[1]), (acked, cpu)


HEAD = ("", "acked/s", "of that without", "ack p50 ms", "p99", "CPU us", "of that without")


def compare(options, cases, load):
    """Each case in turn, and that several times, so that all of them meet the same machine."""
    writers, seconds = max(10, WRITERS // options.scale), options.seconds or SECONDS
    reports, found = {label: [] for label, _ in cases}, []
    for _ in range(ROUNDS):
        for label, kwargs in cases:
            with serving.temporary_folder() as folder:
                report = durable.measure(options, folder, None, label, writers, seconds, load, **kwargs)
            reports[label].append(report)
            found += [f"{label}: {fault}" for fault in table.faults(report | {"rss_kib": []})]
    rows, base = [HEAD], None
    for label, _ in cases:
        shown, figures = medians(label, reports[label], base)
        base = base or figures
        rows.append(shown)
    return registry.Outcome(rows, found, [], {label: same[0] for label, same in reports.items()})


def run_traces(options):
    print(f"{options.seconds or SECONDS} s, SQLite, {ROUNDS} rounds; a thread tells 1,000 spans a second at most", flush=True)
    with collector() as url:
        return compare(options, (
            ("no collector", {}),
            ("one trace in 100 sampled", {"more": {"trace.url": url}}),
            ("every trace sampled", {"more": {"trace.url": url, "trace.sample_one_in": "1"}}),
            ("every trace sampled, every span told", {"more": {"trace.url": url, "trace.sample_one_in": "1",
                                                               "trace.spans_per_second": "1000000", "trace.queue_max": "1000000",
                                                               "trace.batch_max": "4096", "trace.interval": "100ms"}}),
        ), dict(window=durable.WINDOW))


@contextlib.contextmanager
def backups(options, environment):
    """One behind the other, until what is done meanwhile has ended."""
    over = threading.Event()

    def work():
        with serving.temporary_folder() as folder:
            while not over.is_set():
                done = subprocess.run([str(options.build / "confab"), "backup", str(folder / "copy.db")], env=environment,
                                      capture_output=True, text=True, check=False)
                if done.returncode:
                    raise serving.Failed(f"confab backup: {done.stderr}")
                (folder / "copy.db").unlink()
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def run_backup(options):
    print(f"{options.seconds or SECONDS} s, SQLite, {PACE:,} posts a second, {ROUNDS} rounds; backups one behind the other", flush=True)
    return compare(options, (
        ("no backup", {}),
        ("while a backup is made", {"meanwhile": lambda environment: backups(options, environment)}),
    ), dict(window=durable.WINDOW * 4, rate=PACE / options.scale))


registry.add(registry.Scenario("traces", "what spans for a collector cost", run_traces))
registry.add(registry.Scenario("backup", "posts while the SQLite store is backed up", run_backup))
