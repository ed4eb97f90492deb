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


def test_an_append_that_has_begun_goes_on_beside_the_migration(store_kind, make_version, store, session):
    """It has the table of rooms and wants that of posts; the migration begins with posts."""
    before, after = make_version(servers.BINARY), make_version(NEXT)
    assert before.command("migrate").returncode == 0
    session.execute("LOCK TABLE rooms IN ROW SHARE MODE")
    after.launch()
    servers.until(lambda: is_waited_for(store, session), "the migration to wait")
    session.execute("LOCK TABLE posts IN ROW EXCLUSIVE MODE NOWAIT")
    session.connection.rollback()
    after.wait_serving()
    assert len(made_up(migrated_by(after))) == 1


@pytest.mark.own_cluster
def test_an_autovacuum_in_the_way_is_ended(store_kind, make_version, store):
    before, after = make_version(servers.BINARY), make_version(NEXT)
    assert before.command("migrate").returncode == 0
    store.run("ALTER SYSTEM SET autovacuum_naptime = '1s'")
    store.run("SELECT pg_reload_conf()")
    store.run("ALTER TABLE posts SET (autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0,"
              " autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1)")  # minutes for what follows
    store.run("INSERT INTO posts SELECT gen_random_uuid(), 1, gen_random_uuid(), gen_random_uuid(), 1, 1, repeat('x', 900)"
              " FROM generate_series(1, 3000)")
    store.run("DELETE FROM posts WHERE ctid IN (SELECT ctid FROM posts LIMIT 1500)")
    servers.until(lambda: store.run("SELECT 1 FROM pg_stat_progress_vacuum WHERE relid = 'posts'::regclass"), "an autovacuum")
    after.start()
    assert len(made_up(migrated_by(after))) == 1
    assert store.run("SELECT last_autovacuum FROM pg_stat_user_tables WHERE relname = 'posts'") == [(None,)], "it came to its end"
