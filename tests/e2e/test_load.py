"""The load generator itself: it passes an honest server and names what a lying one did."""

import json
import subprocess
import uuid

import pytest

import liar
import server as servers


def run_against(lie, folder):
    server = liar.Liar(lie)
    room = uuid.uuid4()
    (folder / "targets").write_text("".join(f"{room} token{i}\n" for i in range(4)))
    try:
        ended = subprocess.run([str(servers.LOAD), "--url", server.url, "--targets", str(folder / "targets"), "--posts", "40",
                                "--rate", "100", "--drain-limit", "1", "--json", str(folder / "report")],
                               check=False, timeout=servers.LIMIT_S, stdout=subprocess.DEVNULL)
    finally:
        server.close()
    report = json.loads((folder / "report").read_text())
    return ended.returncode, {name for name, count in report["faults"].items() if count}


def test_an_honest_server_passes(tmp_path):
    assert run_against(None, tmp_path) == (0, set())


@pytest.mark.parametrize("lie, fault", [
    ("drop_one_copy", "lost"), ("double_one_copy", "doubled"), ("swap_with_the_next", "lost"),
    ("swap_with_the_next", "out_of_order"), ("change_one_copy", "differing"), ("change_every_copy", "broken"),
    ("show_before_the_ack", "ack_after_copy"), ("never_ack", "unsettled"), ("ack_another_id", "ack_wrong"),
    ("ack_without_a_number", "ack_wrong"),
    ("post_it_twice", "doubled"), ("another_room", "misrouted"), ("show_what_nobody_said", "broken")])
def test_each_lie_is_named(tmp_path, lie, fault):
    status, faults = run_against(lie, tmp_path)
    assert status == 1 and fault in faults, faults


# ---- servers that number nothing


def run_plain(lie, folder, *flags, rooms=("room",) * 4):
    server = liar.PlainLiar(lie)
    (folder / "targets").write_text("".join(f"{room} -\n" for room in rooms))
    try:
        ended = subprocess.run([str(servers.LOAD), "--url", server.url, "--targets", str(folder / "targets"), "--dialect",
                                "plain", "--path", "/rooms/%s", "--posts", "40", "--rate", "100", "--drain-limit", "1",
                                "--json", str(folder / "report"), *flags],
                               check=False, timeout=servers.LIMIT_S, stdout=subprocess.DEVNULL)
    finally:
        server.close()
    report = json.loads((folder / "report").read_text())
    return ended.returncode, {name for name, count in report["faults"].items() if count}, report


@pytest.mark.parametrize("payload", ["32", "128", "3700"])
def test_an_honest_server_without_numbers_passes(tmp_path, payload):
    status, faults, report = run_plain(None, tmp_path, "--payload", payload)
    assert (status, faults) == (0, set())
    assert report["deliveries"] == 4 * 40 and report["frame_bytes"] == int(payload) and report["crossed"] == 0


@pytest.mark.parametrize("lie, fault, flags", [
    ("drop_one_copy", "lost", ()), ("double_one_copy", "doubled", ()), ("double_an_older_copy", "doubled", ()),
    ("hold_one_copy_back", "out_of_order", ("--writers", "1")), ("change_one_copy", "broken", ()),
    ("show_what_nobody_said", "broken", ())])
def test_each_lie_without_numbers_is_named(tmp_path, lie, fault, flags):
    status, faults, _ = run_plain(lie, tmp_path, *flags)
    assert status == 1 and fault in faults, faults


def test_posts_of_two_writers_may_cross_without_numbers(tmp_path):
    status, faults, report = run_plain("hold_one_copy_back", tmp_path)
    assert (status, faults) == (0, set()) and report["crossed"] > 0


def test_a_server_that_mixes_rooms_is_named(tmp_path):
    status, faults, _ = run_plain(None, tmp_path, rooms=("room", "room", "other", "other"))
    assert status == 1 and "misrouted" in faults, faults
