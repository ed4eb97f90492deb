"""From the previous version to this one and back, and the same from this one to the next, which migrates; with people in it."""

import pytest

import runs
import server as servers
from conftest import NEXT, PREVIOUS
from nodes import LINKS, REFUSED, await_metric, keys, settings  # noqa: F401 (fixture)

QUICK = {"CONFAB_NODE_HEARTBEAT": "100ms", "CONFAB_NODE_GONE_AFTER": "1s", "CONFAB_MESH_LISTEN": "127.0.0.1:0"}

steps = pytest.mark.parametrize("older, newer", [
    pytest.param(PREVIOUS, servers.BINARY, id="to-this"), pytest.param(servers.BINARY, NEXT, id="to-next")])


def migrated_by(server):
    """The binary's migrations in the order in which this server's processes applied them."""
    return [entry["migration"] for entry in server.lines if entry["msg"].endswith(": migrated")]


def made_up(names):
    return [name for name in names if name.endswith("_next")]


@steps
def test_what_the_older_version_stored_the_newer_one_has_and_back(store_kind, make_version, load, older, newer):
    server = make_version(older)
    rooms = runs.Rooms(server, rooms=2, members=4)
    run = load(server, rooms, flags=("reconnect",), rate=200, window=8, seconds=600, drain_limit=60)
    for binary in (newer, older, newer):
        run.wait_acks(run.lines("ACK") + 50)
        assert server.terminate() == 0
        assert made_up(migrated_by(server)) == [] or newer is NEXT
        server.binary = binary
        server.start()
    run.wait_acks(run.lines("ACK") + 50)
    run.stop()
    runs.judge(run)
    assert len(made_up(migrated_by(server))) == (newer is NEXT)


@steps
@pytest.mark.only_store("postgres")
def test_nodes_are_replaced_one_by_one_under_load_and_back(store_kind, make_version, load, keys, older, newer):  # noqa: F811
    nodes = [make_version(older, {**QUICK, **settings(keys, number, range(3))}) for number in range(3)]
    for node in nodes[1:]:
        node.start()
    rooms = runs.Rooms(nodes[0], rooms=6, members=4)
    for node in nodes:
        await_metric(node, LINKS, 2)
    stays, *rolled = nodes
    run = load(stays, rooms, rate=200, window=8, seconds=600, drain_limit=60)
    for binary in (newer, older, newer):
        for node in rolled:
            run.wait_acks(run.lines("ACK") + 50)
            assert node.terminate() == 0
            node.binary = binary
            node.start()
            for one in nodes:
                await_metric(one, LINKS, 2)
        for node, room in zip(nodes, rooms.ids):  # each writes posts while the others do
            moved = stays.command("ctl", "rooms", "move", room, node.env["CONFAB_NODE_NAME"])
            assert moved.returncode == 0 or "it is there already" in moved.stderr, moved.stderr
    run.wait_acks(run.lines("ACK") + 50)
    report = run.stop().finish()
    assert report["closes"] == {}, run.text()
    assert run.judge() == []
    assert all(node.metrics()[REFUSED] == 0 for node in nodes)
    assert [len(made_up(migrated_by(node))) for node in nodes] == [0, newer is NEXT, 0]


def test_a_schema_of_a_later_version_is_refused_and_left_alone(store_kind, make_version, store):
    server = make_version(servers.BINARY).start()
    assert server.terminate() == 0
    assert server.command("migrate").returncode == 0  # what is done is not done again
    store.run("INSERT INTO schema_version SELECT max(version) + 1, 'later', 0 FROM schema_version")
    server.allow_errors("schema is newer|cannot")
    server.launch()
    assert server.wait_exit() == 69
    assert any("schema is newer" in entry["msg"] for entry in server.lines)
    done = server.command("migrate")
    assert done.returncode == 69 and "schema is newer" in done.stderr
