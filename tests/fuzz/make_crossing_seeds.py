#!/usr/bin/python3
"""Writes the corpus of fuzz_crossing anew: what actors of node 2 say to those of node 1, by lot, and slips in it."""

import pathlib
import random
import struct

FOLDER = pathlib.Path(__file__).parent / "corpus" / "crossing"
GATEWAY, LOBBY, ROOMS, NODES, SUPERVISOR = 2, 3, 4, 15, 1
GOOD = [(GATEWAY, LOBBY, 0x0301), (LOBBY, GATEWAY, 0x0305), (GATEWAY, ROOMS, 0x0407), (ROOMS, GATEWAY, 0x0409), (NODES, NODES, 0x0d05)]
BAD = [(SUPERVISOR, LOBBY, 0x0101), (GATEWAY, ROOMS, 0x0301), (ROOMS, ROOMS, 0x0407)]


def message(lot, row, nodes=(2, 1), index=0, version=1):
    sender, goal, kind = row
    body = bytes(lot.randrange(256) for _ in range(lot.randint(1, 60)))
    return struct.pack("<BBHIQ16sQQ16s", version, 0, kind, len(body), lot.randrange(9), bytes(16),
                       nodes[0] << 32 | sender << 16, nodes[1] << 32 | goal << 16 | index, bytes(16)) + body


def script(lot):
    parts = [message(lot, lot.choice(GOOD)) for _ in range(lot.randint(1, 5))]
    slip = lot.randrange(8)
    if slip == 0:
        parts.append(message(lot, lot.choice(BAD)))
    elif slip == 1:
        parts.append(message(lot, lot.choice(GOOD), nodes=lot.choice([(1, 1), (3, 1), (2, 2)])))
    elif slip == 2:
        parts.append(message(lot, lot.choice(GOOD), index=2))
    elif slip == 3:
        parts.append(message(lot, lot.choice(GOOD), version=2))
    elif slip == 4:
        parts[-1] = parts[-1][:lot.randrange(len(parts[-1]))]
    return b"".join(parts)


FOLDER.mkdir(parents=True, exist_ok=True)
for number in range(24):
    (FOLDER / f"talk-{number:02}").write_bytes(script(random.Random(number)))
