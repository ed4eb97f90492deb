"""Before anything is measured: what the server is started with, and that in this build nobody has switched off what costs
time and shows in no delivery. One who says more than he may has to be refused by the limiter, and not to be read on
while so much of his is not answered."""

import re
import subprocess

import serving
import storm

SECTIONS = ("http", "ws", "gateway", "limits", "storage", "store", "rooms")
POSTS_PER_MINUTE, POSTS, WINDOW = 60, 200, 64  # more than he may say, and more at once than he has credits


# ---- settings

def defaults(options):
    """section -> {key: default}, by the build's own reference."""
    found, section = {}, {}
    reference = subprocess.run([str(options.build / "confab"), "config-doc"], check=True, capture_output=True, text=True).stdout
    for line in reference.splitlines():
        if line.startswith("## "):
            section = found.setdefault(line[3:], {})
        elif row := re.match(r"\| `(\w+)` \| [^|]* \| `?([^|`]*)`? \|", line):
            section[row[1]] = row[2].strip()
    return found


def show_settings(options, ours):
    """All that the server has of what decides its speed; ours: key -> value, what is not at its default."""
    found = defaults(options)
    for section in SECTIONS:
        values = {key: ours.get(f"{section}.{key}", value) for key, value in found[section].items()}
        print(f"{section}:", *(f"{key}={value}" for key, value in values.items() if value != "empty"), flush=True)


# ---- limits and credits

def judge(report, credit_stops):
    """What is missing in a run of one who says too much."""
    found = [f"{name} {count}" for name, count in report["faults"].items() if count]
    found += [] if "RATE_LIMIT_EXCEEDED" in report["refusals"] else ["the limiter refused nothing"]
    return found + ([] if credit_stops else ["nobody came to the end of his credits"])


def missing(options):
    """What is switched off in this build. The room stores, so that posts wait for their answers."""
    with serving.temporary_folder() as folder:
        environment = serving.settings(folder, more=serving.RAISED | {"limits.posts_per_minute": str(POSTS_PER_MINUTE)})
        tokens = serving.import_users(options, folder, environment, 1)
        server = serving.start_confab(options, environment)
        try:
            targets = serving.join_all(server.url, tokens, 1, False)
            report = serving.generate(options, folder, "proof", server, targets, 10, dict(posts=POSTS, window=WINDOW))
            stops = storm.figures(server.url)["confab_credit_stops_total"]
        finally:
            server.stop()
    return judge(report, stops)
