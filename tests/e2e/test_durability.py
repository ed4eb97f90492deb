"""P1, P4, P5, P11: what was acked is stored, whatever dies; proven by the ledger.

bench/load posts with client keys, reconnects, and sends again what has no ack; meanwhile the server
or its store is killed, frozen or told to stop. Afterwards ledger, history and table must agree."""

import random
import signal
import time

import pytest

import ledger
import runs
import server as servers
import ws
from runs import NO_FAULTS, judge

# in_migrate and in_drain are passed once in a process's life, not once in a post's.
CRASH_POINTS = ["after_recv", "before_begin", "after_insert", "before_commit", "after_commit", "before_ack",
                "after_ack", "mid_fanout", "after_fanout"]
ROUNDS = runs.rounds(5)
KILLS = runs.rounds(20)


@pytest.fixture
def under_load(make_server, load):
    """A server with a room in which eight clients post and listen."""
    def begin(env=None, flags=("reconnect",), members=8, **options):
        server = make_server(env)
        rooms = runs.Rooms(server, members=members)
        return load(server, rooms, flags=flags, **{"rate": 400, "window": 8, "seconds": 600, "drain_limit": 60,
                                                   **options})
    return begin


@pytest.mark.on_partitions_too
@pytest.mark.parametrize("point", CRASH_POINTS)
def test_a_crash_at_any_point_loses_nothing_acked(store_kind, under_load, point):
    run = under_load()
    run.wait_acks(20)
    run.crash_at(point, ROUNDS)
    run.stop()
    judge(run)


def test_a_crash_while_migrating_leaves_a_store_that_starts(store_kind, make_server, load):
    server = make_server()
    for passes in range(1, ROUNDS + 1):
        server.launch(CONFAB_CRASH_AT=f"in_migrate:{passes}")
        if server.wait_log(lambda entry: entry.get("msg") == "serving"):
            server.kill()  # fewer passes than that: the schema is complete
            break
        assert server.wait_exit() == servers.CRASHED
    rooms = runs.Rooms(server, members=4)
    run = load(server, rooms, posts=200, seconds=120)
    judge(run, NO_FAULTS)


def test_a_crash_while_draining_loses_nothing_acked(store_kind, under_load):
    run = under_load()
    server = run.server
    for _ in range(ROUNDS):
        server.kill()
        server.start(CONFAB_CRASH_AT="in_drain:1")
        run.wait_acks(run.lines("ACK") + 20)
        server.signal(signal.SIGTERM)
        assert server.wait_exit() == servers.CRASHED
        server.start()
        run.wait_acks(run.lines("ACK") + 20)
    run.stop()
    judge(run)


def test_random_kills_lose_nothing_acked(store_kind, under_load):
    run = under_load()
    run.kill_at_random(KILLS)
    run.stop()
    judge(run)


# The shortest time there is, odd ones, and the default: each drains in the same order.
TIMES = ["1s", "2s", "5s", "6s", "30s"]


@pytest.mark.parametrize("timeout", TIMES)
def test_any_time_to_drain_ends_in_order(store_kind, under_load, timeout):
    run = under_load(env={"CONFAB_SHUTDOWN_TIMEOUT": timeout}, flags=(), members=5, rate=0, window=40)
    run.wait_acks(200)
    assert run.server.terminate() == 0
    assert run.finish()["closes"] == {"1001": 5}, run.text()
    run.server.start()
    assert run.judge() == []


@pytest.mark.over_tls_too
def test_sigterm_under_load_flushes_closes_1001_and_exits_0(store_kind, under_load):
    run = under_load(flags=())  # who is told to go stays away: each connection's end is seen
    run.wait_acks(200)
    assert run.server.terminate() == 0
    report = run.finish()
    assert report["closes"] == {"1001": 8}, run.text()
    run.server.start()
    assert run.judge() == []


def test_sigterm_twice_ends_at_once_and_loses_nothing_acked(store_kind, under_load):
    run = under_load()
    run.wait_acks(200)
    run.terminate_twice()
    run.stop()
    judge(run)


def test_many_drains_lose_nothing_acked(store_kind, under_load):
    run = under_load()
    for _ in range(ROUNDS):
        run.wait_acks(run.lines("ACK") + random.randint(1, 200))
        assert run.server.terminate() == 0
        run.server.start()
    run.wait_acks(run.lines("ACK") + 20)
    run.stop()
    judge(run)


# The clocks by which a server that stood still could judge who was there all the time, as short as may be.
HASTY = {"CONFAB_WS_PING": "1s", "CONFAB_WS_IDLE": "3s", "CONFAB_ROOMS_VERDICT_TIMEOUT": "500ms",
         "CONFAB_ROOMS_ANSWER_TIMEOUT": "500ms"}
FROZEN_S = 3.6  # beyond all of them; a call of the store may take longer


def test_a_frozen_server_goes_on_where_it_was(store_kind, under_load):
    run = under_load(env=HASTY)
    for _ in range(min(ROUNDS, 3)):
        run.wait_acks(run.lines("ACK") + 1000)  # at 400 a second: it has looked at its clocks again
        run.server.freeze()
        thaw_at = time.monotonic() + FROZEN_S
        acks = run.lines("ACK")
        servers.until(lambda: time.monotonic() > thaw_at, "the freeze to outlast the server's clocks")
        run.server.thaw()
        run.wait_acks(acks + 50)
    run.stop()
    report = judge(run, NO_FAULTS)
    assert report["closes"] == {}


def readiness(server):
    return server.client().raw("GET", "/readyz")[0]


def liveness(server):
    return server.client().raw("GET", "/livez")[0]


def outage_checks(run):
    """While the store is away: alive, not ready, sockets stay, and nothing is acked."""
    server = run.server
    servers.until(lambda: readiness(server) == 503, "readiness to turn red")
    acks = run.lines("ACK")
    refused = run.lines("REFUSED")
    servers.until(lambda: run.lines("REFUSED") > refused or run.lines("SENT") > acks + 64,
                  "posts to be refused or held")
    assert liveness(server) == 200
    assert server.is_running()
    assert run.lines("ACK") == acks, "an ack while the store was away"
    return acks


def survives_outages(run, outages):
    """Each is a function that takes the store away, and one that brings it back."""
    run.server.allow_errors("store|storage|statement|reader|append")
    for take_away, bring_back in outages:
        run.wait_acks(run.lines("ACK") + 100)
        taken = take_away()
        try:
            acks = outage_checks(run)
        finally:
            bring_back(taken)
        run.wait_acks(acks + 100)
        servers.until(lambda: readiness(run.server) == 200, "readiness to turn green again")
    run.stop()
    report = judge(run)
    assert report["closes"] == {}, "sockets stay up while the store is away"


@pytest.mark.only_store("postgres")
@pytest.mark.own_cluster
def test_postgres_hung_is_survived(store_kind, under_load, store):
    cluster = store.cluster
    survives_outages(under_load(window=4), [(cluster.freeze, cluster.thaw)] * min(ROUNDS, 3))


@pytest.mark.only_store("postgres")
@pytest.mark.own_cluster
def test_postgres_stopped_and_restarted_is_survived(store_kind, under_load, store):
    cluster = store.cluster
    survives_outages(under_load(window=4),
                     [(take_away, lambda taken: cluster.start()) for take_away in (cluster.stop_fast, cluster.kill)])


@pytest.mark.only_store("postgres")
@pytest.mark.own_cluster
def test_both_killed_at_once_lose_nothing_acked(store_kind, under_load, store):
    run = under_load()
    for _ in range(min(ROUNDS, 3)):
        run.wait_acks(run.lines("ACK") + random.randint(1, 200))
        run.server.kill()
        store.cluster.kill()
        store.cluster.start()
        run.server.start()
    run.wait_acks(run.lines("ACK") + 20)
    run.stop()
    judge(run)


@pytest.mark.only_store("postgres")
def test_one_postgres_backend_killed_is_survived(store_kind, under_load, store):
    run = under_load(window=4)
    run.server.allow_errors("store|storage|statement|reader|append|connection")
    for _ in range(ROUNDS):
        run.wait_acks(run.lines("ACK") + 50)
        for pid in random.sample(store.backends(), 1):
            store.kill_backend(pid)
        run.wait_acks(run.lines("ACK") + 50)
    run.stop()
    report = judge(run)
    assert report["closes"] == {}


@pytest.mark.only_store("sqlite")
@pytest.mark.parametrize("fault", ["write fail", "write hang", "write lose", "write refuse", "write late 6000"])
def test_a_store_that_fails_acks_nothing_false(store_kind, under_load, fault, faults):
    run = under_load(window=4)
    run.server.allow_errors("store|storage|append|post")
    for _ in range(min(ROUNDS, 2)):
        run.wait_acks(run.lines("ACK") + 50)
        faults.write_text(fault + " 3\n" if "late" not in fault else fault + " 2\n")
        sent = run.lines("SENT")
        servers.until(lambda: run.lines("SENT") > sent + 8 or run.lines("REFUSED"), "the fault to be met")
        servers.until(lambda: run.lines("ACK") >= sent, "acks again")
        faults.write_text("")
    run.stop()
    judge(run)


@pytest.mark.only_store("sqlite")
@pytest.mark.parametrize("timeout", TIMES)
def test_sigterm_while_the_store_hangs_ends_in_order(store_kind, under_load, timeout, faults):
    run = under_load(env={"CONFAB_SHUTDOWN_TIMEOUT": timeout}, flags=(), members=5, rate=0, window=40)
    run.server.allow_errors("^the store is away$")
    run.wait_acks(200)
    faults.write_text("write hang\n")
    servers.until(lambda: readiness(run.server) == 503, "the write that hangs")
    acks = run.lines("ACK")
    assert run.server.terminate() == 0
    assert run.finish()["closes"] == {"1001": 5}, run.text()
    assert run.lines("ACK") == acks
    faults.write_text("")
    run.server.start()
    assert run.judge() == []


def test_a_repeated_key_gives_the_same_post_after_a_kill(store_kind, make_server, load):
    """The whole ledger sent a second time, as by a client that lost every ack."""
    server = make_server()
    rooms = runs.Rooms(server, members=2)
    run = load(server, rooms, posts=100, seconds=60, writers=1)
    judge(run, NO_FAULTS)
    sent = ledger.read_file(run.ledger_path)
    assert len(sent.acks) >= 100
    history = {post.id: post for post in rooms.owner.history_posts(rooms.ids[0])}
    server.kill()
    server.start()
    chat = ws.Chat(server.client(token=rooms.tokens["load0"]), rooms.ids[0])
    for (writer, n), (post_id, _) in list(sent.acks.items())[:50]:
        assert chat.say(history[post_id].text, key=f"{sent.run}-{writer}-{n}") == post_id
    chat.close()
    assert run.judge() == []
