"""A start while the store cannot be used yet: the server lives, says so, and can be ended."""

import json
import re
import signal
import socket
import threading

import pytest

import server as servers

MIGRATE_LOCK = 7309453117221  # of store/postgres.c


def status(server, path):
    return server.client().raw("GET", path)[0]


def check_waiting(server):
    """It is there, and its store is not."""
    assert status(server, "/livez") == 200
    assert status(server, "/readyz") == 503
    assert server.client().raw("POST", "/api/v1/auth/login", b'{"username":"ann","password":"password123"}',
                               {"Content-Type": "application/json"})[0] == 503


@pytest.fixture
def silent():
    """The address of one who accepts connections and says nothing."""
    listener = socket.create_server(("127.0.0.1", 0))
    taken = []

    def accept():
        while True:
            try:
                taken.append(listener.accept()[0])
            except OSError:
                return
    thread = threading.Thread(target=accept)
    thread.start()
    yield listener.getsockname()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()
    for connection in taken:
        connection.close()


@pytest.fixture
def mute(make_server, store, silent):
    """A server whose store is silent."""
    def make(**env):
        store.url = f"postgres://nobody@{silent[0]}:{silent[1]}/nothing"
        server = make_server(env)
        server.allow_errors("^cannot open the store$|^the store was not reachable in time$")
        return server.listen()
    return make


@pytest.mark.only_store("sqlite")
def test_a_silent_store_is_waited_for_alive_and_not_ready(store_kind, mute):
    server = mute(CONFAB_STORE_START_WAIT="7s")  # past the first attempt, and past what a silent actor is given
    check_waiting(server)
    assert server.wait_log(lambda entry: entry["msg"] == "cannot open the store")
    check_waiting(server)
    assert server.wait_exit() == 69
    assert not any(entry["msg"] == "serving" for entry in server.lines)


@pytest.mark.only_store("sqlite")
def test_a_start_on_a_silent_store_is_ended_by_a_signal(store_kind, mute):
    server = mute()
    server.allowed_errors.clear()
    check_waiting(server)
    assert server.terminate() == 0
    assert not any(entry["msg"] == "cannot open the store" for entry in server.lines), "the attempt was not given up"


@pytest.fixture
def migrating(make_server, store):
    """A server, and the session of another node that holds the lock of the migrations."""
    import psycopg2
    session = psycopg2.connect(store.url)
    cursor = session.cursor()
    cursor.execute(f"SELECT pg_advisory_xact_lock({MIGRATE_LOCK})")
    yield make_server().listen(), session
    session.close()


@pytest.mark.only_store("postgres")
def test_the_migration_of_another_node_is_waited_for(store_kind, migrating):
    server, session = migrating
    check_waiting(server)
    session.rollback()
    server.wait_serving()
    assert status(server, "/readyz") == 200
    assert server.user("ann").id


@pytest.mark.only_store("postgres")
def test_a_start_behind_the_migration_of_another_node_is_ended_by_a_signal(store_kind, migrating):
    server, _ = migrating
    check_waiting(server)
    assert server.terminate() == 0


def test_a_newer_schema_is_refused_with_69(store_kind, make_server, store):
    server = make_server().start()
    assert server.terminate() == 0
    store.run("INSERT INTO schema_version VALUES (1000, 'from later', 1)")
    server.allow_errors("schema is newer than this program|^cannot open the store$|^cannot start$")
    server.launch()
    assert server.wait_exit() == 69
    assert [entry["msg"] for entry in server.lines].count("cannot start") == 1


@pytest.mark.parametrize("older", [0, 1])
def test_a_newer_schema_that_serves_this_version_is_used(store_kind, make_server, store, older):
    """As its migrations say: all that are newer have to."""
    server = make_server().start()
    ann = server.user("ann")
    room = ann.create_room()
    assert server.terminate() == 0
    applied = f"(SELECT max(version) FROM schema_version WHERE version < 1000) - {older}"
    store.run("INSERT INTO schema_version VALUES (1000, 'from later', 1)")
    store.run("INSERT INTO schema_version VALUES (1001, 'from later still', 1)")
    store.run(f"INSERT INTO schema_serves SELECT 1000, {applied}")
    server.allow_errors("schema is newer than this program|^cannot open the store$|^cannot start$")
    server.launch()
    assert server.wait_exit() == 69, "one of the two does not say whom it serves"
    store.run(f"INSERT INTO schema_serves SELECT 1001, {applied} + {older} + 1")
    server.launch()
    assert server.wait_exit() == 69, "one of the two serves a later version"
    store.run(f"UPDATE schema_serves SET serves = {applied} WHERE version = 1001")
    server.start()
    bob = server.user("bob")
    bob.join(room)
    assert [entry["id"] for entry in bob.messages(room)] == []
    assert server.terminate() == 0
    assert server.command("migrate").returncode == 0


@pytest.mark.only_store("sqlite")
def test_an_url_that_no_store_can_read_is_refused_with_78(store_kind, make_server, store):
    store.url = "postgres://nobody@127.0.0.1:1/d?no_such_option=1"
    server = make_server()
    server.allow_errors("^postgres: cannot read the URL of the store$|^cannot open the store$|^cannot start$")
    server.launch()
    assert server.wait_exit() == 78


def test_it_serves_when_every_connection_is_there(store_kind, make_server):
    """Nothing that follows "serving" is refused because a reader has not come so far."""
    server = make_server({"CONFAB_STORE_READERS": "8"})
    for n in range(3):
        server.start()
        server.user(f"ann{n}")
        for _ in range(16):
            assert server.client().raw("GET", "/readyz")[0] == 200
        assert server.terminate() == 0
    assert not any(entry["level"] == "warn" for entry in server.lines)


@pytest.mark.only_store("sqlite")
def test_a_hangup_is_heard_while_the_store_is_silent(store_kind, mute):
    server = mute()
    server.signal(signal.SIGHUP)
    assert server.wait_log(lambda entry: entry["msg"].startswith("nothing can be reloaded"))
    assert server.terminate() == 0


# ---- names


@pytest.fixture
def named(make_server, store, names):
    """A server that knows its store by these host names."""
    def make(*hosts):
        assert "127.0.0.1" in store.url
        store.url = re.sub(r"@127\.0\.0\.1:(\d+)", "@" + ",".join(f"{host}:\\1" for host in hosts), store.url)
        server = make_server(names.env)
        server.allow_errors("^cannot open the store$|^the store is away$")
        return server
    return make


def looked_up_in_vain(server):
    return [entry for entry in server.lines
            if entry["msg"] == "postgres: no address for the host" and entry["reason"] == "deadline passed"]


@pytest.mark.only_store("postgres")
def test_a_name_that_cannot_be_looked_up_delays_only_the_store(store_kind, named, names):
    server = named("db.test").listen()
    check_waiting(server)
    servers.until(lambda: len(looked_up_in_vain(server)) >= 2, "two look-ups to be waited for in vain")
    check_waiting(server)
    names.answer("db.test 127.0.0.1\n")
    server.wait_serving()
    ann = server.user("ann")
    # It has served for long; now its connections end, and the resolver hangs again.
    names.hang()
    before = server.metrics()["confab_store_errors_total"]
    for pid in server.store.backends():
        server.store.kill_backend(pid)
    servers.until(lambda: status(server, "/readyz") == 503, "readiness to turn red")
    servers.until(lambda: server.metrics()["confab_store_errors_total"] >= before + 12,
                  "look-ups to be waited for in vain")
    check_waiting(server)
    names.answer("db.test 127.0.0.1\n")
    servers.until(lambda: status(server, "/readyz") == 200, "readiness to turn green")
    servers.until(lambda: ann.raw("GET", "/api/v1/chatrooms", headers={"Cookie": f"session_id={ann.token}"})[0] == 200,
                  "every reader to be back")
    assert server.terminate() == 0


@pytest.mark.only_store("postgres")
def test_a_signal_ends_a_start_whose_look_up_hangs(store_kind, named):
    server = named("db.test").listen()
    assert server.terminate() == 0
    assert not looked_up_in_vain(server)


@pytest.mark.only_store("postgres")
def test_of_several_hosts_one_that_is_there_will_do(store_kind, named, names):
    names.answer("two.test ::1\ntwo.test 127.0.0.1\n")  # nothing listens at ::1
    server = named("none.test", "two.test").start()
    assert server.user("ann").id


@pytest.mark.only_store("postgres")
def test_a_name_without_an_address_is_named(store_kind, named, names):
    names.answer("")
    server = named("db.test")
    server.allow_errors("^the store was not reachable in time$")
    server.launch(CONFAB_STORE_START_WAIT="1s")
    assert server.wait_exit() == 69
    assert {entry["reason"] for entry in server.lines if entry["msg"] == "postgres: no address for the host"} == \
        {"db.test: Name or service not known"}


@pytest.mark.only_store("sqlite")
@pytest.mark.parametrize("gateways", ["1", "2"])
def test_a_port_that_another_server_has_is_not_shared(store_kind, make_server, tmp_path, gateways):
    """Also with the store of the first, whose clients would else meet both for a moment."""
    first = make_server({"CONFAB_GATEWAY_COUNT": "2"}).start()
    for folder in (first.folder, tmp_path / "another"):
        second = make_server({"CONFAB_GATEWAY_COUNT": gateways, "CONFAB_HTTP_LISTEN": f"127.0.0.1:{first.port}",
                              "CONFAB_NODE_DATA_DIR": str(folder)})
        second.allow_errors("^cannot (listen|start|open the store)$|another process (owns|has)")
        assert second.launch().wait_exit() == 1
        assert any(line["msg"] == "cannot listen" and "in use" in json.dumps(line) for line in second.lines)
    assert status(first, "/readyz") == 200


@pytest.mark.only_store("sqlite")
def test_too_few_descriptors_are_named(store_kind, make_server):
    server = make_server()
    server.wrap = ["prlimit", "--nofile=200:200"]
    server.allow_errors("^too few descriptors|^cannot start$")
    assert server.launch().wait_exit() == 69
    [said] = [line for line in server.lines if line["msg"].startswith("too few descriptors")]
    assert said["taken"] + said["left"] == 200 and said["left"] < 1
