"""P2: one gapless order per room, the same on every socket and in history."""

import pytest

import runs


@pytest.mark.on_partitions_too
def test_fifty_writers_and_twenty_readers_see_one_order(store_kind, make_server, load):
    rooms = runs.Rooms(make_server(), members=70)
    run = load(rooms.server, rooms, writers=50, posts=10_000, window=8, seconds=240)
    report = run.finish()
    assert report["faults"] == dict.fromkeys(report["faults"], 0), run.text()
    assert report["acked"] == report["posts"] >= 10_000
    assert run.judge() == []


@pytest.mark.on_partitions_too
def test_many_rooms_keep_their_orders_apart(store_kind, make_server, load):
    rooms = runs.Rooms(make_server(), rooms=20, members=6)
    run = load(rooms.server, rooms, posts=2_000, window=4, seconds=240)
    report = run.finish()
    assert report["faults"] == dict.fromkeys(report["faults"], 0), run.text()
    assert run.judge() == []
