"""The bench itself at a size that says nothing about speed: that it runs, writes its page, and takes nothing for good
that is not."""

import argparse
import json
import subprocess
import sys

import pytest

import server as servers

sys.path.insert(0, str(servers.ROOT / "bench"))

import failover  # noqa: E402
import fanout  # noqa: E402
import memory  # noqa: E402
import peers  # noqa: E402
import proof  # noqa: E402
import registry  # noqa: E402
import scale  # noqa: E402
import several_nodes  # noqa: E402


def test_a_scenario_runs_and_its_page_is_written(tmp_path):
    (tmp_path / "bench.md").write_text("# Old\n\n## Where the time goes\n\nIn sends.\n\n## Scenarios\n\nOld.\n")
    (tmp_path / "bench").mkdir()
    earlier = {"commit": "c0ffee", "rows": [["", "a"], ["earlier", "1"]], "bars": [], "faults": ["lost 3"], "raw": {}}
    (tmp_path / "bench" / "A1.json").write_text(json.dumps(earlier))
    ended = subprocess.run([str(servers.ROOT / "bench" / "run"), "--no-build", "--build", str(servers.BINARY.parent),
                            "--seconds", "1", "--scale", "500", "--peers", "none", "--out", str(tmp_path), "full", "C2"],
                           check=False, timeout=servers.LIMIT_S, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    raw = json.loads((tmp_path / "bench" / "C2.json").read_text())["raw"]
    assert set(raw) == {"confab", "ceiling-send", "ceiling-coalesce"}
    assert all(report["deliveries"] > 0 and not any(report["faults"].values()) for report in raw.values())
    page = (tmp_path / "bench.md").read_text()
    assert "| confab | " in page and "In sends." in page and "Old." not in page
    assert "| earlier | 1 |" in page and "at commit c0ffee" in page, "what was not measured anew stays"
    assert page.count("Failed") == page.count("Failed: lost 3.") == 1, "with what was wrong with it"


@pytest.mark.only_store("postgres")
def test_several_nodes_are_measured(store_kind, tmp_path):
    ended = subprocess.run([str(servers.ROOT / "bench" / "run"), "--no-build", "--build", str(servers.BINARY.parent),
                            "--seconds", "1", "--scale", "100", "--out", str(tmp_path), "full", "nodes-cross"],
                           check=False, timeout=3 * servers.LIMIT_S, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    raw = json.loads((tmp_path / "bench" / "nodes-cross.json").read_text())["raw"]
    for shape in several_nodes.SHAPES:
        (near,), (far,) = raw[f"{shape}-local"], raw[f"{shape}-cross"]
        assert far["acked"] > 0 and not any(far["faults"].values())
        assert several_nodes.more_from_owner(near, far) > 1, "an ack and an event, but for what crosses anyway"


def test_a_link_and_the_death_of_a_node_are_measured(store_kind):
    ended = subprocess.run([str(servers.ROOT / "bench" / "run"), "--no-build", "--build", str(servers.BINARY.parent),
                            "--seconds", "1", "--scale", "10", "nodes-link", "nodes-failover", "nodes-idle"],
                           check=False, timeout=3 * servers.LIMIT_S, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    rows = [line.split() for line in ended.stdout.splitlines()]
    cases = [row for row in rows if row[1:2] == ["bytes"]]
    assert len(cases) == 6 and all(float(row[4].replace(",", "")) > 0 and float(row[-1]) > 0 for row in cases)
    killed = next(row for row in rows if row[:1] == ["confab"])
    assert int(killed[2]) > 0 and float(killed[3]) > 0
    assert [row[0] for row in rows if row[1:2] in (["node"], ["nodes"]) and len(row) == 5] == ["1", "2"]


@pytest.mark.only_store("postgres")
def test_a_rolling_restart_is_measured(store_kind):
    ended = subprocess.run([str(servers.ROOT / "bench" / "run"), "--no-build", "--build", str(servers.BINARY.parent),
                            "--scale", "10", "nodes-rolling"],
                           check=False, timeout=3 * servers.LIMIT_S, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    row = next(line.split() for line in ended.stdout.splitlines() if line.startswith("confab "))
    assert int(row[1]) == int(row[2]) > 0 and int(row[7]) > 0  # closed by nodes, all of them more than once


def test_what_was_acknowledged_and_is_not_there_once_is_a_fault(monkeypatch):
    class Client:
        def __init__(self, *_, **__):
            pass

        def history(self, _room):
            return [{"content": text} for text in ("once", "twice", "twice")]
    monkeypatch.setattr(failover.rest, "Client", Client)
    running = argparse.Namespace(servers=[argparse.Namespace(url="http://127.0.0.1:1/")])
    for said, faults_found in (["once"], 0), (["twice"], 1), (["never"], 1):
        assert len(failover.lost_or_doubled(running, ["room"], ["token"], {"room": said})) == faults_found


def test_the_members_of_each_room_are_spread_over_the_nodes():
    spread = several_nodes.Spread("", (0, 1), (0, 2))
    targets = several_nodes.targets_of(spread, ["r0", "r1"], [f"t{i}" for i in range(8)])
    assert sorted((room, node) for room, _, node in targets) == [("r0", 0), ("r0", 0), ("r0", 2), ("r0", 2),
                                                                 ("r1", 0), ("r1", 0), ("r1", 2), ("r1", 2)]


COSTS = scale.Costs(post=50, copy=5, crossing=2, elsewhere=10, crossing_bytes=200, connect=100, link_us_a_s=500, connection_kib=4, room_kib=2,
                    room_us=100, connects_a_s=10_000, stored_a_s=40_000)


def test_what_a_million_connections_take():
    """By hand: 16,667 posts/s, a tenth of a room's members on 4 nodes by chance."""
    one = scale.reckon(10 ** 6, COSTS)
    assert (one["nodes"], one["links"], one["databases"]) == (4, 6, 1)
    assert one["talk"] == pytest.approx(16_667 * (50 + 9 * 5) / 1e6, rel=1e-4)
    assert one["messages"] == pytest.approx(16_667 * (2 * 3 / 4 + 3 * (1 - 0.75 ** 10)), rel=1e-4)
    assert one["memory"] == pytest.approx((10 ** 6 * 4 + 10 ** 5 * 2) / 2 ** 20)


def test_one_node_has_nobody_to_tell():
    one = scale.reckon(scale.ON_NODE, COSTS)
    assert (one["links"], one["messages"], one["idle"], one["counts"]) == (0, 0, 0, 0)


def test_the_page_on_scale_says_what_was_measured():
    docs = servers.ROOT / "docs"
    text = (docs / "scale.md").read_text()
    assert scale.page(text, scale.read_costs(docs)) == text, "bench/run full makes it anew"
    assert scale.page(text, COSTS).count("## ") == text.count("## "), "and leaves what people wrote"


def test_a_group_of_scenarios_goes_by_its_first_word():
    assert registry.named(["A1", "nodes", "nothing"]) == [
        "A1", *(name for name in registry.SCENARIOS if name.startswith("nodes-")), "nothing"]
    assert "nodes-cross" in registry.named(["nodes"])


REPORT = {"faults": {"lost": 0, "doubled": 0}, "ready": 4, "clients": 4, "closes": {}, "refused": 0, "skipped": 0,
          "rss_kib": [1000], "acked": 7, "foreign": 0, "told_counts": 4, "told_joins": 6,
          "frame_bytes": 400}


def faults(who, **changes):
    reports = {"confab": dict(REPORT), "ceiling-send": REPORT | {"acked": 0, "told_counts": 0},
               "Node ws": REPORT | {"acked": 0, "told_counts": 0, "foreign": 0}}
    reports[who] = reports[who] | changes
    return fanout.faults(fanout.SHAPES["A1"], reports)


def test_a_good_run_has_no_faults():
    assert faults("confab") == []


@pytest.mark.parametrize("who, changes", [
    ("confab", {"faults": {"lost": 1}}), ("ceiling-send", {"faults": {"lost": 1}}), ("Node ws", {"faults": {"doubled": 1}}),
    ("confab", {"ready": 3}), ("Node ws", {"ready": 3}), ("Node ws", {"closes": {"1006": 1}}), ("confab", {"refused": 1}),
    ("confab", {"skipped": 1}), ("confab", {"acked": 0}), ("confab", {"foreign": 1}), ("confab", {"told_counts": 0}),
    ("confab", {"told_joins": 0}),
    ("confab", {"rss_kib": [1000] * 60 + [9000] * 30}), ("ceiling-send", {"frame_bytes": 128}),
    ("confab", {"memory": (["too much"], "")})])
def test_what_is_wrong_is_a_fault(who, changes):
    assert len(faults(who, **changes)) == 1


@pytest.mark.parametrize("posts, most_kib, faults", [(0, 60_900, 0), (0, 61_000, 1), (9, 159_300, 0), (9, 159_400, 1)])
def test_memory_is_held_to_what_so_many_may_take(posts, most_kib, faults):
    """By a made-up bound: 20,000 KiB at start, 4 for each of 10,000 connections, 977 for who came; with posts 82 for each of
    1,000 rings and 16,384 for who lags."""
    names = ("link", "room", "membership", "session", "bucket", "account lookup", "byte of events on the way", *memory.NONE)
    own = memory.Terms(dict.fromkeys(names, (0, 0)) | {
        "process": (20 << 20, 1), "thread": (0, 0), "deep thread": (0, 0), "connection": (4 << 10, 20_000),
        "event of a room": (0, 0), "byte of events of a room": (1, 1 << 30)})
    report = {"clients": 10_000, "rooms": 1000, "posts": posts, "payload": 128, "rss_kib": [most_kib]}
    assert len(fanout.judge_memory(own, 20_000, report)[0]) == faults
    own.is_held = False
    assert fanout.judge_memory(own, 20_000, report)[0] == []


@pytest.mark.parametrize("bar, met", [
    (registry.Bar("", 0.85, 0.85), True), (registry.Bar("", 0.849, 0.85), False),
    (registry.Bar("", 3.5, 3.5, at_most=True), True), (registry.Bar("", 3.51, 3.5, at_most=True), False)])
def test_a_bar_is_met_at_its_bound(bar, met):
    assert bar.met() is met and bar.row()[-1] == ("met" if met else "NOT MET")


def test_what_counts_is_the_median():
    assert registry.median([registry.Bar("x", value, 0.85) for value in (0.9, 0.2, 0.86)]).value == 0.86


def test_a_peer_that_is_not_installed_is_left_out_with_a_word(monkeypatch, capsys):
    monkeypatch.setattr(peers, "where", lambda program: None)
    assert fanout.wanted_peers(argparse.Namespace(peers="nats,ws")) == []
    said = capsys.readouterr().out
    assert "nats-server is left out" in said and "Node ws is left out" in said


@pytest.mark.parametrize("setting", [{"limits.posts_per_minute": "0"}, {"gateway.credits_requests": "1024"}])
def test_limits_and_credits_cannot_be_switched_off(tmp_path, setting):
    with pytest.raises(ValueError):
        fanout.serving.settings(tmp_path, more=setting)


def test_a_server_that_has_its_limits_and_credits_is_measured():
    assert proof.missing(argparse.Namespace(build=servers.BINARY.parent, unpinned=True, tls=False)) == []


@pytest.mark.parametrize("refusals, stops, missing", [
    ({"RATE_LIMIT_EXCEEDED": 140}, 3, 0), ({}, 3, 1), ({"ROOM_BUSY": 9}, 3, 1), ({"RATE_LIMIT_EXCEEDED": 140}, 0, 1), ({}, 0, 2)])
def test_one_without_is_not(refusals, stops, missing):
    assert len(proof.judge({"faults": {}, "refusals": refusals}, stops)) == missing


def test_what_is_in_effect_is_told(capsys):
    proof.show_settings(argparse.Namespace(build=servers.BINARY.parent), {"limits.posts_per_minute": "77"})
    said = capsys.readouterr().out
    assert "posts_per_minute=77 " in said and "credits_requests=32 " in said and "send_buffer_bytes=128KiB" in said
