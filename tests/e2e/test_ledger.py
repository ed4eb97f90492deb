"""The judge itself: a clean run passes, and each rule, broken once, is caught by its name."""

import copy
import zlib

import pytest

import ledger

ROOM = "11111111-1111-4111-8111-111111111111"
RUN = 7


def text(writer, n, pad="00000000000000000001x"):
    return f"L|{RUN}|{writer}|{n}|{len(pad):03}|{zlib.crc32(pad.encode()):08x}|{pad}"


CRC = f"{zlib.crc32(b'00000000000000000001x'):08x}"


def clean_lines():
    """Two clients, each posts twice; the second is cut off and comes back."""
    lines = [f"1 RUN {RUN}", f"2 OPEN 0 {ROOM}", f"3 OPEN 1 {ROOM}"]
    order = [(0, 1), (1, 1), (0, 2), (1, 2)]
    for seq, (writer, n) in enumerate(order, start=1):
        lines.append(f"{seq}0 SENT {writer} {n} {CRC}")
        if seq == 3:
            lines += ["31 CLOSE 1 1006", f"32 OPEN 1 {ROOM}", "33 RESUME 1 0 reload"]
        lines.append(f"{seq}4 ACK {writer} {n} id{seq} {seq}")
        lines += [f"{seq}5 RECV {reader} id{seq} {seq} {writer} {n} {CRC}" for reader in (0, 1)]
    return [line + "\n" for line in lines]


def clean_history():
    return [ledger.Post(seq, f"id{seq}", text(writer, n))
            for seq, (writer, n) in enumerate([(0, 1), (1, 1), (0, 2), (1, 2)], start=1)]


def judge(lines, history, table=None):
    return ledger.judge(ledger.read(lines), {ROOM: history},
                        {ROOM: table if table is not None else copy.copy(history)})


def without(lines, part):
    kept = [line for line in lines if part not in line]
    assert len(kept) == len(lines) - 1
    return kept


def replaced(lines, old, new):
    assert sum(old in line for line in lines) == 1
    return [line.replace(old, new) for line in lines]


def renumbered(posts):
    return [ledger.Post(seq, post.id, post.text) for seq, post in enumerate(posts, start=1)]


def test_a_clean_run_has_no_problem():
    assert judge(clean_lines(), clean_history()) == []


def test_a_line_cut_short_is_left_out():
    assert judge(clean_lines() + ["50 RECV 0 id"], clean_history()) == []


def test_an_unacked_post_may_be_there_or_not():
    lines = clean_lines() + [f"60 SENT 0 3 {CRC}\n"]
    assert judge(lines, clean_history()) == []
    stored = clean_history() + [ledger.Post(5, "id5", text(0, 3))]
    assert judge(lines + ["70 CLOSE 0 1006\n", "70 CLOSE 1 1006\n"], stored) == []
    assert rules(judge(lines, stored)) == {"rule 6"}  # who stayed must have got it


def rules(problems):
    return {problem.split(":")[0] for problem in problems}


@pytest.mark.parametrize("rule, break_it", [
    ("rule 1", lambda lines, h: (lines, h[:3])),
    ("rule 1", lambda lines, h: (replaced(lines, "ACK 1 2 id4 4", "ACK 1 2 other 4"), h)),
    ("rule 1", lambda lines, h: (replaced(lines, "ACK 1 2 id4 4", "ACK 1 2 id4 3"), h)),
    ("rule 2", lambda lines, h: (lines, h + [ledger.Post(5, "id5", text(3, 1))])),
    ("rule 2", lambda lines, h: (lines, h + [ledger.Post(5, "id5", "from nowhere")])),
    ("rule 2", lambda lines, h: (lines, h[:3] + [ledger.Post(4, "id4", text(1, 2)[:-1] + "y")])),
    ("rule 3", lambda lines, h: (lines, h + [ledger.Post(5, "id5", text(1, 2))])),
    ("rule 3", lambda lines, h: (lines + ["90 ACK 1 2 other 9\n"], h)),
    ("rule 4", lambda lines, h: (lines, renumbered([h[2], h[1], h[0], h[3]]))),
    ("rule 5", lambda lines, h: (lines, h[:3] + [ledger.Post(5, "id4", h[3].text)])),
    ("rule 6", lambda lines, h: (without(lines, "RECV 0 id2"), h)),
    ("rule 6", lambda lines, h: (without(lines, "RECV 0 id4"), h)),
    ("rule 6", lambda lines, h: (without(lines, "RECV 0 id1"), h)),
    ("rule 6", lambda lines, h: (lines + [f"90 RECV 0 id4 4 1 2 {CRC}\n"], h)),
    ("rule 6", lambda lines, h: (replaced(lines, f"RECV 0 id2 2 1 1 {CRC}", "RECV 0 id2 2 1 1 00000000"), h)),
    ("rule 6", lambda lines, h: (without(lines, "RESUME"), h)),
    ("rule 6", lambda lines, h: ([line for line in lines if "RECV 1 id3" not in line and "RECV 1 id4" not in line], h)),
    ("rule 7", lambda lines, h: (replaced(lines, "RECV 1 id4 4", "RECV 1 other 4"), h)),
    ("rule 7", lambda lines, h: (without(lines, "ACK 0 1 ") + ["90 ACK 0 1 id1 1\n"], h)),
])
def test_each_broken_rule_is_caught(rule, break_it):
    lines, history = break_it(clean_lines(), clean_history())
    assert rule in rules(judge(lines, history))


def test_a_swap_on_the_wire_is_caught():
    lines = clean_lines()
    first = next(i for i, line in enumerate(lines) if "RECV 0 id1" in line)
    second = next(i for i, line in enumerate(lines) if "RECV 0 id2" in line)
    lines[first], lines[second] = lines[second], lines[first]
    assert "rule 6" in rules(judge(lines, clean_history()))


def test_a_table_that_differs_from_history_is_caught():
    table = clean_history()
    assert rules(judge(clean_lines(), clean_history(), table[:3])) == {"rule 8"}
    table[0] = ledger.Post(1, "id1", text(0, 1, pad="00000000000000000002x"))
    assert rules(judge(clean_lines(), clean_history(), table)) == {"rule 8"}
