"""A migration while others have locks that it needs: it waits, and nobody else."""

import psycopg2
import pytest

import runs
import server as servers
from conftest import NEXT
from nodes import LINKS, await_metric, keys, settings  # noqa: F401 (fixture)
from test_upgrade import QUICK, made_up, migrated_by

pytestmark = pytest.mark.only_store("postgres")


@pytest.fixture
def session(store):
    """Of somebody else in the database."""
    made = psycopg2.connect(store.url)
    yield made.cursor()
    made.close()


def is_waited_for(store, session):
    """Does somebody wait for what this session has?"""
    return store.run("SELECT 1 FROM pg_stat_activity"
                     f" WHERE application_name = 'confab' AND {session.connection.get_backend_pid()} = ANY (pg_blocking_pids(pid))")


def test_a_backup_delays_the_migration_and_nobody_else(store_kind, make_version, store, session, load, keys):  # noqa: F811
    nodes = [make_version(binary, {**QUICK, **settings(keys, number, range(2))})
             for number, binary in enumerate((servers.BINARY, NEXT))]
    rooms = runs.Rooms(nodes[0], rooms=6, members=4)
    run = load(nodes[0], rooms, rate=200, window=8, seconds=600, drain_limit=60)
    session.execute("LOCK TABLE rooms, posts IN ACCESS SHARE MODE")  # as pg_dump does
    nodes[1].launch()
    for _ in range(3):  # longer than a call may take
        servers.until(lambda: is_waited_for(store, session), "the migration to try")
        run.wait_acks(run.lines("ACK") + 200)
        assert nodes[0].client().raw("GET", "/readyz")[0] == 200
    assert not any(entry["msg"] == "serving" for entry in nodes[1].lines)
    session.connection.rollback()
    nodes[1].wait_serving()
    await_metric(nodes[0], LINKS, 1)
    run.wait_acks(run.lines("ACK") + 50)
    report = run.stop().finish()
    assert report["closes"] == {} and report["refused"] == 0, run.text()
    assert run.judge() == []
    assert not [entry for entry in nodes[0].lines if entry["level"] == "warn" and "store" in entry["msg"]]
    assert len(made_up(migrated_by(nodes[1]))) == 1
    said = [entry["msg"] for entry in nodes[1].lines if entry["level"] == "warn" and "postgres" in entry["msg"]]
    assert said == ["postgres: the migration waits for a table that somebody else uses"]


def test_a_migration_that_meets_an_append_gives_in(store_kind, make_version, store, session):
    """It has the table of posts, and waits for that of rooms, of which an append has a row, and waits for the table of posts."""
    before, after = make_version(servers.BINARY), make_version(NEXT)
    assert before.command("migrate").returncode == 0
    session.execute("LOCK TABLE rooms IN ROW SHARE MODE")
    after.launch()
    servers.until(lambda: is_waited_for(store, session), "the migration to wait")
    session.execute("LOCK TABLE posts IN ROW EXCLUSIVE MODE")
    session.connection.rollback()
    after.wait_serving()
    assert len(made_up(migrated_by(after))) == 1
