"""Processes that start in the same moment, and find that there is something to migrate."""

import pytest

import server as servers
import ws
from conftest import NEXT
from nodes import LINKS, await_metric, keys, settings  # noqa: F401 (fixture)
from test_start import MIGRATE_LOCK
from test_upgrade import QUICK, migrated_by

migrating = pytest.mark.parametrize("binary", [pytest.param(servers.BINARY, id="empty"), pytest.param(NEXT, id="older")])
STARTERS = 3


@migrating
@pytest.mark.only_store("postgres")
def test_of_three_starters_one_migrates_and_all_serve(store_kind, make_version, store, keys, binary):  # noqa: F811
    """They are let go together, when all of them wait for the lock."""
    import psycopg2
    if binary is NEXT:
        assert make_version(servers.BINARY).command("migrate").returncode == 0
    nodes = [make_version(binary, {**QUICK, **settings(keys, number, range(STARTERS))}) for number in range(STARTERS)]
    session = psycopg2.connect(store.url)
    session.cursor().execute(f"SELECT pg_advisory_xact_lock({MIGRATE_LOCK})")
    for node in nodes:
        node.launch()
    servers.until(lambda: store.run("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database ="
                                    " (SELECT oid FROM pg_database WHERE datname = current_database())") == [(STARTERS,)],
                  "all of them to wait")
    session.close()
    for node in nodes:
        node.wait_serving()
    for node in nodes:
        await_metric(node, LINKS, STARTERS - 1)
    migrated = [migrated_by(node) for node in nodes]
    applied = store.run("SELECT version, name FROM schema_version ORDER BY version")
    assert [version for version, _ in applied] == list(range(1, len(applied) + 1))
    assert sorted(map(len, migrated))[:-1] == [0] * (STARTERS - 1), "two have migrated"
    assert max(migrated, key=len) == [name for _, name in applied][-1 if binary is NEXT else 0:]
    assert store.run("SELECT count(*) FROM schema_serves") == [(len(applied),)]
    ann = nodes[0].user("ann")
    room = ann.create_room("a room")
    for number, node in enumerate(nodes):
        there = node.user(f"bob{number}")
        there.join(room)
        chat = ws.Chat(there, room)
        chat.say(str(number), key=str(number))
        chat.close()
    assert [post.text for post in ann.history_posts(room)] == [str(number) for number in range(STARTERS)]
    for node in nodes:
        assert node.terminate() == 0
    assert not [entry for node in nodes for entry in node.lines if entry["level"] == "warn" and "postgres" in entry["msg"]]


@pytest.mark.only_store("sqlite")
def test_of_two_starters_on_an_older_file_one_migrates_and_the_other_says_why_not(store_kind, make_version):
    """On an empty file: test_commands.py."""
    assert make_version(servers.BINARY).command("migrate").returncode == 0
    pair = [make_version(NEXT).launch() for _ in range(2)]
    for one in pair:
        one.allow_errors("another process owns the file|^cannot open the store$|^cannot start$")
    serving = [one for one in pair if one.wait_log(lambda entry: entry["msg"] == "serving")]
    assert len(serving) == 1
    (other,) = [one for one in pair if one is not serving[0]]
    assert other.wait_exit() == 69
    assert any(entry["msg"] == "sqlite: another process owns the file" for entry in other.lines)
    assert [len(migrated_by(one)) for one in (serving[0], other)] == [1, 0]
    assert serving[0].terminate() == 0
    assert not [entry for entry in serving[0].lines if entry["level"] in ("warn", "error")]
