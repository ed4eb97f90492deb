"""What a server may hold of memory, by its own `confab memory` (docs/memory.md): the sum of its terms, with the
numbers that a scenario knows in place of the greatest that its settings allow."""

import json
import os
import subprocess

# What is there before the first client comes; measured then, and held to the terms by itself.
AT_START = ("process", "thread", "deep thread", "link")
LINKS_USED = 64  # ways between actors that the first messages open, for each thread of rooms in use

# Requests that nobody sends in a scenario.
NONE = dict.fromkeys(("exchange", "slow connection", "byte of commands", "byte of requests", "byte of messages", "kept byte",
                      "unsettled byte", "login", "hash", "room lookup", "quote", "waiting quote", "remembered words",
                      "ended session", "byte of posts", "byte of events on the way"), 0)


def rss_kib(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


class Terms(dict):
    """name -> (bytes of one, how many at most). is_held: the process is; not where a sanitizer keeps records of its own,
    which grow with whatever is used."""

    is_held = True


def terms(options, environment):
    """The process's own, with these settings."""
    binary = options.build / "confab"
    text = subprocess.run([str(binary), "memory"], env=environment, check=True, capture_output=True, text=True).stdout
    rows = [json.loads(line) for line in text.splitlines()]
    own = Terms({row["term"]: (row["bytes"], row["most"]) for row in rows if row["of"] == "process" and row["term"] != "all"})
    code = binary.read_bytes()
    own.is_held = b"libasan.so" not in code and b"libtsan.so" not in code
    return own


def bound_kib(own, counts, names=None):
    """Of these terms, or all. counts: name -> how many, where that is known."""
    unknown = set(counts) - set(own)
    assert not unknown, unknown
    return sum(each * min(counts.get(name, most), most) for name, (each, most) in own.items()
               if names is None or name in names) / 1024


def judge(own, start_kib, most_kib, counts, besides_kib=0):
    """What is wrong; a line that says how it stands. besides_kib: what is not of the terms, but of a scenario."""
    counts = NONE | {"link": LINKS_USED} | counts
    at_start = bound_kib(own, {}, AT_START)
    grown = [name for name in own if name not in AT_START or name == "link"]
    bound = start_kib + bound_kib(own, counts, grown) + besides_kib
    line = (f"memory: {start_kib / 1024:.1f} MiB at start, at most {at_start / 1024:.1f}; {most_kib / 1024:.1f} MiB then, "
            f"at most {bound / 1024:.1f}")
    wrong = []
    if not own.is_held:
        return wrong, f"{line}; not held to it in this build"
    if start_kib > at_start:
        wrong.append(f"{start_kib / 1024:.1f} MiB of memory at start, {at_start / 1024:.1f} are declared")
    if most_kib > bound:
        wrong.append(f"{most_kib / 1024:.1f} MiB of memory, {bound / 1024:.1f} are declared for this")
    return wrong, line
