"""What a run of bench/load came to: what is wrong with it, and its row of a table."""

import scenarios


def faults(report):
    """Of a report of bench/load; nothing of this may be."""
    found = [f"{name} {count}" for name, count in report["faults"].items() if count]
    found += [f"refused {report['refused']}"] if report["refused"] else []
    found += [f"closed {report['closes']}"] if report["closes"] else []
    found += [f"{report['skipped']} posts could not be sent in time"] if report["skipped"] else []
    if report["ready"] != report["clients"]:
        found.append(f"only {report['ready']} of {report['clients']} clients connected")
    growth = scenarios.memory_growth(report["rss_kib"])
    if growth > 0.05 * report["rss_kib"][0] + 1024:
        found.append(f"memory grew by {growth:.0f} KiB in a third of the run")
    return found


HEAD = ("", "deliveries/s", "x", "CPU us", "x", "p50 ms", "p99 ms", "p99.9 ms", "x", "ack p50", "ack p99", "RSS MiB", "to")


def row(label, report, ceiling):
    """One row below HEAD; ceiling: the report to which it is held, or None."""
    def ratio(value, base):
        return f"{value / base:.2f}" if ceiling and base else "-"
    delivery, ack = report["delivery_us"], report["ack_us"]
    base = ceiling["delivery_us"]["p99"] if ceiling else 0
    rss = report["rss_kib"] or [0]
    return (label, f"{report['deliveries_per_s']:,.0f}", ratio(report["deliveries_per_s"], ceiling and ceiling["deliveries_per_s"]),
            f"{report['cpu_us_per_delivery']:.2f}", ratio(report["cpu_us_per_delivery"], ceiling and ceiling["cpu_us_per_delivery"]),
            f"{delivery['p50'] / 1e3:.2f}", f"{delivery['p99'] / 1e3:.2f}", f"{delivery['p999'] / 1e3:.2f}",
            ratio(delivery["p99"], base), f"{ack['p50'] / 1e3:.2f}", f"{ack['p99'] / 1e3:.2f}",
            f"{rss[0] / 1024:.1f}", f"{rss[-1] / 1024:.1f}")


def show(rows):
    """Prints rows of equally many cells in columns; the first cell of each is a label."""
    widths = [max(len(line[i]) for line in rows) for i in range(len(rows[0]))]
    for line in rows:
        print("  ".join(cell.rjust(width) if i else cell.ljust(width) for i, (cell, width) in enumerate(zip(line, widths))))
