"""Fixtures of the end-to-end tests and of those with hosts of their own: one store and one server for each test, ended
and judged by their log afterwards."""

import os

import pytest

import planted
import runs
import server as servers
import stores
import tls
from nodes import Nodes, keys, make_host_node  # noqa: F401 (fixtures)
from slow_names import names  # noqa: F401 (fixture)

# The end-to-end tests of the acceptance list have three nodes for a server (tests/support/with_hosts).
OVER_NODES = "CONFAB_TEST_OVER_NODES" in os.environ


def pytest_generate_tests(metafunc):
    """A test that asks for store_kind runs on every store; without a PostgreSQL only that half is skipped."""
    if "store_kind" in metafunc.fixturenames:
        marks = [] if "CONFAB_TEST_POSTGRES_URL" in os.environ else [
            pytest.mark.skip(reason="no PostgreSQL: run under tests/support/with_postgres")]
        only = metafunc.definition.get_closest_marker("only_store")
        kinds = only.args if only else ("sqlite", "postgres")
        if metafunc.definition.get_closest_marker("on_partitions_too"):
            kinds = (*kinds, "partitions")
        names, cases = ["store_kind"], [(kind,) for kind in kinds]
        if metafunc.definition.get_closest_marker("over_tls_too"):
            names, cases = ["store_kind", "transport"], [(kind, "plain") for kind in kinds] + [("sqlite", "tls")]
        metafunc.parametrize(names, [
            pytest.param(*case, marks=[] if case[0] == "sqlite" else marks, id="-".join(case).removesuffix("-plain"))
            for case in cases])


def skip_reason_of_hosts():
    """None where there are hosts."""
    why = os.environ.get("CONFAB_TEST_NO_HOSTS") or (
        None if "CONFAB_TEST_HOSTS" in os.environ else "run under tests/support/with_hosts")
    return why and f"no hosts: {why}"


def skip_without_hosts(items):
    why = skip_reason_of_hosts()
    for item in items if why else ():
        item.add_marker(pytest.mark.skip(reason=why))


def pytest_collection_modifyitems(config, items):
    """Over nodes: the acceptance list of the rooms contract, on the store that they share."""
    if not OVER_NODES:
        return
    from test_acceptance import ONE_SERVER, points
    listed = {pair for tests in points().values() for pair in tests if pair[1] not in ONE_SERVER}
    kept = [item for item in items if (item.path.name, item.originalname) in listed
            and item.callspec.params["store_kind"] == "postgres"]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept
    skip_without_hosts(items)


def pytest_configure(config):
    config.addinivalue_line("markers", "only_store(kind...): run only on these stores")
    config.addinivalue_line("markers", "over_tls_too: run once more with a server that speaks TLS")
    config.addinivalue_line("markers", "on_partitions_too: run once more on PostgreSQL with posts in partitions")
    config.addinivalue_line("markers", "own_cluster: on PostgreSQL, a cluster of the test's own, for it to harm")
    config.addinivalue_line("markers", "server_env(**variables): settings of the server under test")


@pytest.fixture
def store(store_kind, tmp_path, request):
    own_cluster = request.node.get_closest_marker("own_cluster") is not None
    made = stores.KINDS[store_kind](tmp_path, own_cluster)
    yield made
    made.drop()


@pytest.fixture
def transport():
    """How clients reach the server: "plain" or "tls"; tests marked over_tls_too have it set for them."""
    return "plain"


@pytest.fixture
def certificate(transport, tmp_path):
    """The server's; None without TLS."""
    return tls.Certificate(tmp_path) if transport == "tls" else None


@pytest.fixture
def faults(store, tmp_path):
    """What the store does wrong, one line each; see store/faulty.h."""
    script = tmp_path / "faults"
    script.write_text("")
    store.url = f"faulty:{script}:{store.url}"
    return script


@pytest.fixture
def make_one(store, certificate, tmp_path, request):
    """Makes single servers on the test's store; they are ended, and their logs judged, after the test."""
    made = []
    marker = request.node.get_closest_marker("server_env")

    def make(env=None, wrap=(), host=None, kind=servers.Server):
        folder = tmp_path / f"node{len(made)}"
        folder.mkdir()
        made.append(kind(store, folder, {**(marker.kwargs if marker else {}), **(env or {})}, wrap, certificate, host))
        return made[-1]

    yield make
    problems = [f"a secret, {secret}, in the command line" for one in made if one.is_running()
                for secret in planted.found_in(one.command_line())]
    for one in made:
        one.close()
    problems += [problem for one in made for problem in one.log_problems()]
    planted.forget_all()
    assert problems == []


@pytest.fixture
def make_server(make_one, request):
    """What a test has for a server: one, or three nodes as if they were one."""
    if not OVER_NODES:
        return make_one
    make_node = request.getfixturevalue("make_host_node")

    def make(env=None, wrap=()):
        return Nodes([make_node(number, wrap=wrap, **(env or {})) for number in range(3)])
    return make


@pytest.fixture
def server(make_server):
    """A server that serves."""
    return make_server().start()


@pytest.fixture
def load(tmp_path):
    """Runs of bench/load; ended after the test."""
    made = []

    def make(server, rooms, **options):
        made.append(runs.Run(server, rooms, tmp_path / f"run{len(made)}", **options))
        return made[-1]

    yield make
    for one in made:
        one.close()
