#!/usr/bin/python3
"""Writes the corpus of fuzz_reliable anew: what two ends of a link say to each other, by lot."""

import pathlib
import random
import struct

FOLDER = pathlib.Path(__file__).parent / "corpus" / "reliable"


def step(what, body=b""):
    return bytes([what, len(body)]) + body


def whole(kind, number, read, body=b"", version=(1, 1), nodes=(2, 1)):
    return struct.pack("<BBBBIIIQQ", *version, kind, 0, len(body), *nodes, number, read) + body


def script(lot):
    """Some things that happen; every second frame of the other side is what it would say next."""
    steps, came, sent = [], 0, 0
    for _ in range(lot.randint(2, 20)):
        what = lot.randrange(6)
        if what == 0:
            steps.append(step(0, bytes(lot.randint(1, 40))))
            sent += 1
        elif what == 1:
            steps.append(bytes([1, lot.randrange(256)]))
        elif what == 2:
            steps.append(bytes([4, 0]))
        elif what == 3:
            came += 1
            steps.append(step(3, bytes([1, came & 255, lot.randint(0, sent)]) + bytes(lot.randint(1, 20))))
        elif what == 4:
            steps.append(step(3, bytes([lot.randint(2, 3), 0, lot.randint(0, sent + 1)])))
        else:
            steps.append(step(2, whole(lot.randint(0, 4), lot.randint(0, 3), lot.randint(0, 2), bytes(lot.randint(0, 9)))))
    return b"".join(steps)


FOLDER.mkdir(exist_ok=True)
for old in FOLDER.iterdir():
    old.unlink()
for seed in range(60):
    (FOLDER / f"talk-{seed:02}").write_bytes(script(random.Random(seed)))
