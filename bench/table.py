"""What a run of bench/load came to: what is wrong with it, and its row of a table."""

import scenarios


def losses(report):
    """What no server may do, whatever it promises beyond that."""
    found = [f"{name} {count}" for name, count in report["faults"].items() if count]
    if report["ready"] != report["clients"]:
        found.append(f"only {report['ready']} of {report['clients']} clients connected")
    return found + ([f"closed {report['closes']}"] if report["closes"] else [])


def faults(report):
    """Nothing of this may be in a run of confab."""
    found = losses(report)
    found += [f"refused {report['refused']}"] if report["refused"] else []
    found += [f"{report['skipped']} posts could not be sent in time"] if report["skipped"] else []
    found += report.get("memory", ([], ""))[0]
    growth = scenarios.memory_growth(report["rss_kib"])
    if growth > 0.05 * (report["rss_kib"] or [0])[0] + 1024:
        found.append(f"memory grew by {growth:.0f} KiB in a third of the run")
    return found


# ---- figures

def connects_per_s(report):
    return report["ready"] / report["connect_s"] if report["connect_s"] else 0


def connection_kib(report):
    """Memory of the server from before the first connection to the end, for each of them."""
    return ((report["rss_kib"] or [0])[-1] - report["rss_before_kib"]) / max(1, report["ready"])


def lost(report):
    """All of what was lost, doubled, swapped, misrouted or changed."""
    return sum(report["faults"].values())


# ---- tables

def ratio(report, base, figure):
    return f"{figure(report) / figure(base):.2f}" if base and figure(base) else "-"


def milliseconds(histogram, at):
    return f"{histogram[at] / 1e3:.2f}" if histogram["count"] else "-"


HEAD = ("", "deliveries/s", "x send", "x coalesce", "CPU us", "x send", "p50 ms", "p99 ms", "p99.9 ms", "ack p50", "ack p99",
        "RSS MiB", "to", "lost")


def rows(reports):
    """A table of everyone's deliveries; reports: name -> report."""
    send, coalesce = reports.get("ceiling-send"), reports.get("ceiling-coalesce")
    return [HEAD] + [row(name, report, send, coalesce) for name, report in reports.items()]


def row(name, report, send, coalesce):
    delivery, ack, rss = report["delivery_us"], report["ack_us"], report["rss_kib"] or [0]
    return (name, f"{report['deliveries_per_s']:,.0f}", ratio(report, send, lambda one: one["deliveries_per_s"]),
            ratio(report, coalesce, lambda one: one["deliveries_per_s"]), f"{report['cpu_us_per_delivery']:.2f}",
            ratio(report, send, lambda one: one["cpu_us_per_delivery"]),
            *(milliseconds(delivery, at) for at in ("p50", "p99", "p999")),
            *(milliseconds(ack, at) for at in ("p50", "p99")),
            f"{rss[0] / 1024:.1f}", f"{rss[-1] / 1024:.1f}", f"{lost(report)}")


IDLE_HEAD = ("", "connects/s", "x send", "CPU us", "RSS MiB before", "after", "KiB each", "lost")


def idle_rows(reports):
    """A table of what connections cost that do nothing."""
    send = reports.get("ceiling-send")
    return [IDLE_HEAD] + [
        (name, f"{connects_per_s(report):,.0f}", ratio(report, send, connects_per_s), f"{report['connect_cpu_us']:.1f}",
         f"{report['rss_before_kib'] / 1024:.1f}", f"{(report['rss_kib'] or [0])[-1] / 1024:.1f}",
         f"{connection_kib(report):.2f}", f"{lost(report)}") for name, report in reports.items()]


def show(table):
    """Prints rows of equally many cells in columns; the first cell of each is a label."""
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    for line in table:
        print("  ".join(cell.rjust(width) if i else cell.ljust(width)
                        for i, (cell, width) in enumerate(zip(line, widths))))


def markdown(rows):
    """The same as lines of a page, and an empty one."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return [lines[0], "|---" + "|---:" * (len(rows[0]) - 1) + "|", *lines[1:], ""]
