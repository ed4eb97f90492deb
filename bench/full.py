"""bench/run full: every scenario with all peers, then how cost grows with the work, as docs/bench.md with plots and raw
figures beside it. What docs/bench.md says under WORDS is written by people and kept."""

import dataclasses
import json
import os
import pathlib
import platform
import re
import subprocess

import fanout
import peers
import plots
import registry
import scale
import serving
import storm
import table

WORDS = "## Where the time goes"
UNPINNED = ("A1", "A16", "A64", "B", "C10", "C2", "D", "P", "R", "S")
SWEEP_SECONDS = 4


@dataclasses.dataclass(frozen=True)
class Sweep:
    """One plot: points are (x, Shape, changes of the options)."""
    name: str
    title: str
    x: str
    points: tuple
    figures: tuple = ("deliveries_per_s", "cpu_us_per_delivery")
    peers: str = "all"


def shape(rooms, members, **more):
    payload = more.pop("payload", 128)
    return fanout.Shape("", rooms, members, more, payload=payload)


def in_flight(rooms, members):
    return min(256, 4 * rooms * members)


SWEEPS = (
    Sweep("members", "Members of one room, 16 posts in flight", "members",
          tuple((n, shape(1, n, inflight=16), {}) for n in (10, 30, 100, 300, 1000, 2000, 5000))),
    Sweep("rooms", "Rooms of two, up to 256 posts in flight", "rooms",
          tuple((n, shape(n, 2, inflight=in_flight(n, 2)), {}) for n in (1, 10, 100, 1000, 3000, 9500))),
    Sweep("rooms-of-one", "Rooms of one, up to 256 posts in flight", "rooms",
          tuple((n, shape(n, 1, inflight=in_flight(n, 1)), {}) for n in (1, 10, 100, 1000, 10000)), peers="none"),
    Sweep("connections", "Connections in rooms of ten, 64 posts in flight", "connections",
          tuple((10 * n, shape(n, 10, inflight=64), {}) for n in (10, 30, 100, 300, 1000, 1900)),
          ("deliveries_per_s", "cpu_us_per_delivery", "connection_kib")),
    Sweep("gateways", "Gateway threads: 1,000 rooms of 10, 256 in flight, not pinned", "gateways",
          tuple((n, shape(1000, 10, inflight=256), {"gateways": n, "unpinned": True}) for n in (1, 2)), peers="none"),
    Sweep("room-threads", "Room threads: 1,000 rooms of 2, 256 in flight", "threads",
          tuple((n, shape(1000, 2, inflight=256), {"room_threads": n}) for n in (1, 2, 4, 8, 16, 32)), peers="none"),
    Sweep("room-threads-unpinned", "Room threads: 1,000 rooms of 2, 256 in flight, not pinned", "threads",
          tuple((n, shape(1000, 2, inflight=256), {"room_threads": n, "unpinned": True}) for n in (1, 2, 4, 8, 16, 32)),
          peers="none"),
    Sweep("in-flight", "Posts in flight, one room of 1,000", "in flight",
          tuple((n, shape(1, 1000, inflight=n), {}) for n in (1, 2, 4, 8, 16, 32, 64))),
    Sweep("payload", "Bytes of a post, one room of 1,000, 1 in flight", "bytes",
          tuple((n, shape(1, 1000, inflight=1, payload=n), {}) for n in (32, 128, 512, 1000, 2000, 3700))),
)


# ---- measuring

def sweep(options, one):
    """[(x, name -> report)], faults."""
    points, found = [], []
    for x, point, changes in one.points:
        here = registry.changed(options, **changes)
        print(f"\n{one.name} {x}", flush=True)
        point = point.scaled(options.scale) if options.scale > 1 else point
        try:
            reports = fanout.contest(here, point, options.seconds or SWEEP_SECONDS)
        except (RuntimeError, OSError) as problem:
            found.append(f"{one.name} {x}: {problem}")
            continue
        table.show(table.rows(reports))
        found += [f"{one.name} {x}: {fault}" for fault in fanout.faults(point, reports)]
        points.append((x, reports))
    return points, found


FIGURES = {
    "deliveries_per_s": ("deliveries/s", lambda report: report["deliveries_per_s"]),
    "cpu_us_per_delivery": ("CPU us per delivery", lambda report: report["cpu_us_per_delivery"]),
    "connection_kib": ("KiB for each connection", table.connection_kib),
}


def draw(folder, one, points):
    panels = []
    for figure in one.figures:
        label, value = FIGURES[figure]
        names = dict.fromkeys(name for _, reports in points for name in reports)
        lines = {name: [(x, value(reports[name])) for x, reports in points if name in reports] for name in names}
        panels.append((label, lines))
    plots.draw(folder / f"{one.name}.svg", one.title, one.x, panels)


# ---- writing

def said_by(*command):
    try:
        return subprocess.run(command, check=False, capture_output=True, text=True, cwd=serving.ROOT).stdout.strip()
    except OSError:
        return ""


def first(pattern, text):
    found = re.search(pattern, text, re.M)
    return found[1] if found else "unknown"


def commit():
    """The latest that changed more than docs/, where this writes."""
    here = (".", ":(exclude)docs")
    return said_by("git", "log", "-1", "--format=%h", "--", *here) + (
        "-dirty" if said_by("git", "status", "--porcelain", "--", *here) else "")


PACKAGES = ("libzmq5", "libczmq4", "libwebsockets17", "libuv1", "libsqlite3-0", "postgresql-15")


def machine(options):
    cpu = first(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text())
    memory = int(first(r"^MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())) / 2 ** 20
    files = first(r"^Max open files\s+\d+\s+(\d+)", pathlib.Path("/proc/self/limits").read_text())
    found = [f"{cpu}, {os.cpu_count()} processors, {memory:.0f} GiB; Linux {platform.release()}; {files} descriptors at most",
             f"confab at commit {commit()}, {said_by(str(options.build / 'confab'), 'version').splitlines()[0]}; "
             f"{said_by('cc', '--version').splitlines()[0]}"]
    found.append(", ".join(f"{name} {said_by('dpkg-query', '-W', '-f', '${Version}', name) or 'unknown'}" for name in PACKAGES))
    found.append(", ".join(f"{peer.name} " + (f"(not installed: {peer.missing()})" if peer.missing() else peer.version())
                           for peer in peers.PEERS))
    return found


def words_of(path):
    """What people wrote, up to the next heading."""
    text = path.read_text() if path.exists() else ""
    found = re.search(re.escape(WORDS) + r"\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    return found[1].strip() if found else ""


def told(settings):
    return ", ".join(f"`{key}={value}`" for key, value in settings.items())


def section(title, part, name):
    """A measured scenario with what it says of itself."""
    plot = [f"![{title}](bench/{name}.svg)", ""] if part.get("has_plot") else []
    return [f"### {title}", "", *table.markdown(part["rows"]), *wrong(part), *plot, f"[Raw](bench/{name}.json), at commit {part['commit']}", ""]


def wrong(part):
    """What it was found to have done, which stays on the page until it is measured anew."""
    return [f"**Failed: {'; '.join(part['faults'])}.**", ""] if part["faults"] else []


def write_page(options, folder):
    """Out of what is there, measured now or before: a part at a time can be measured anew."""
    path = folder / "bench.md"
    scenarios = {name: part for name in registry.SCENARIOS if (part := read_part(folder, name))}
    unpinned = {name: part for name in UNPINNED if (part := read_part(folder, f"{name}-unpinned"))}
    sweeps = [(one, part) for one in SWEEPS if (part := read_part(folder, one.name))]
    lines = ["# Measurements", "",
             "Written by `./dev bench full`; what is measured and how is said in [performance.md](performance.md). Absolute",
             "figures drift with the machine; ratios to the bare loops of the same run are what counts.", ""]
    lines += [f"- {line}" for line in machine(options)]
    lines += ["- confab with default settings ([configuration.md](configuration.md)) but for "
              + told(serving.RAISED) + "; S, S1 and R also with "
              + told(dict(storm.RAISED.items() - serving.RAISED.items())) + ", R with `rooms.idle` at an hour",
              "- server on the first processor, load generator on the last, unless said otherwise", ""]
    bars = [registry.Bar(**bar) for part in scenarios.values() for bar in part["bars"]]
    lines += ["## What has to be reached", ""] + table.markdown(registry.bar_rows(bars)) if bars else []
    words = words_of(path)
    lines += [WORDS, ""] + ([words, ""] if words else [])
    lines += ["## Scenarios", "", "`lost` counts all that was lost, doubled, swapped, misrouted or changed.", ""]
    for name, part in scenarios.items():
        lines += section(f"{name}: {registry.SCENARIOS[name].text}", part, name)
    lines += ["## Not pinned to processors", ""] if unpinned else []
    for name, part in unpinned.items():
        lines += section(f"{name}, not pinned", part, f"{name}-unpinned")
    lines += ["## How cost grows", ""]
    for one, part in sweeps:
        lines += [f"![{one.title}](bench/{one.name}.svg)", "", *wrong(part),
                  f"[Raw](bench/{one.name}.json), at commit {part['commit']}", ""]
    path.write_text("\n".join(lines).rstrip() + "\n")


def part_path(folder, name):
    return folder / "bench" / f"{name}.json"


def write_part(folder, name, **part):
    part_path(folder, name).write_text(json.dumps({"commit": commit(), **part}, separators=(",", ":")) + "\n")


def read_part(folder, name):
    path = part_path(folder, name)
    return json.loads(path.read_text()) if path.exists() else None


def run(options, measure, names=()):
    """measure(name, options) measures one scenario, prints it and returns its Outcome; names: some scenarios and sweeps,
    the others stay as they were measured last, or none for all. The faults found. What cannot be measured is one, and the
    rest goes on."""
    folder, found = options.out.resolve(), []
    beside = options.peers or "all"
    (folder / "bench").mkdir(parents=True, exist_ok=True)

    def try_all(wanted, label, **changes):
        for name in wanted:
            try:
                outcome = measure(name, registry.changed(options, **changes))
            except (RuntimeError, OSError) as problem:
                found.append(f"{name}{label}: {problem}")
                continue
            write_part(folder, name + label, rows=outcome.rows, bars=[dataclasses.asdict(bar) for bar in outcome.bars],
                       faults=outcome.faults, raw=outcome.raw, has_plot=outcome.plot is not None)
            if outcome.plot:
                plot = outcome.plot
                plots.draw(part_path(folder, name + label).with_suffix(".svg"), plot.title, plot.x, plot.panels, plot.is_log)
            found.extend(f"{name}{label}: {fault}" for fault in outcome.faults)

    wanted = [name for name in registry.SCENARIOS if not names or name in names]
    try_all(wanted, "", peers=beside)
    try_all([name for name in UNPINNED if name in wanted], "-unpinned", unpinned=True, peers="none")
    for one in SWEEPS:
        if names and one.name not in names:
            continue
        points, faults = sweep(registry.changed(options, peers=beside if one.peers == "all" else one.peers), one)
        found += faults
        if points:
            write_part(folder, one.name, faults=faults, points=points)
            draw(folder / "bench", one, points)
    write_page(options, folder)
    scale.write(folder)
    return found
