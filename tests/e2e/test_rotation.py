"""Secrets are changed while people chat, in the steps that docs/operations.md gives ("Certificates, secrets and their rotation"); for
the certificate see test_tls.py."""

import secrets
import signal
import urllib.parse

import pytest

import planted
import runs
from nodes import LINKS, await_metric, keys  # noqa: F401 (fixture)
from test_durability import judge
from test_mesh import make_node  # noqa: F401 (fixture)

pytestmark = pytest.mark.only_store("postgres")


@pytest.fixture
def under_load(store_kind, make_node, load):  # noqa: F811
    """Two nodes that know each other's keys alone, and clients that post, listen and go to the other when they are told to."""
    pair = [make_node(i, allowed=range(2)) for i in range(2)]
    rooms = runs.Rooms(pair[0], rooms=4, members=6)
    pair[1].start()
    for node in pair:
        await_metric(node, LINKS, 1)
    run = load(pair[0], rooms, urls=[node.url for node in pair], flags=("reconnect", "heed"), rate=100, window=8, seconds=600, drain_limit=60)
    return pair, run


def restart(pair, node, run, **env):
    """As a rolling restart does: it drains, and comes back linked."""
    run.wait_acks(run.lines("ACK") + 50)
    node.signal(signal.SIGTERM)
    assert node.wait_exit() == 0
    node.start(**env)
    for each in pair:
        await_metric(each, LINKS, 1)


def ends_well(run):
    run.wait_acks(run.lines("ACK") + 50)
    run.stop()
    report = judge(run)
    assert set(report["closes"]) <= {"1001", "1006"}, run.text()


def test_a_nodes_key_is_changed_in_three_steps(under_load, keys):  # noqa: F811
    pair, run = under_load
    old, other, new = keys
    everybody = ",".join(pair_[1] for pair_ in (old, other, new))
    for node in pair:
        restart(pair, node, run, CONFAB_MESH_ALLOWED_KEYS=everybody)
    restart(pair, pair[0], run, CONFAB_MESH_ALLOWED_KEYS=everybody, CONFAB_MESH_SECRET_KEY=new[0])
    final = {"CONFAB_MESH_ALLOWED_KEYS": ",".join((new[1], other[1]))}
    restart(pair, pair[0], run, CONFAB_MESH_SECRET_KEY=new[0], **final)
    restart(pair, pair[1], run, **final)
    ends_well(run)


def test_the_stores_password_is_changed_by_a_second_role(under_load, store):
    """As the documentation says, but that the first role is the cluster's own: its connections are ended, and it stays."""
    pair, run = under_load
    name, word = f"confab_{secrets.token_hex(6)}", planted.plant(secrets.token_hex(16))
    owner = urllib.parse.urlsplit(store.url).username
    store.run(f"CREATE ROLE {name} LOGIN PASSWORD '{word}' IN ROLE {owner}")
    try:
        store.run(f"ALTER ROLE {name} SET role {owner}")
        url = store.url.replace(store.url.rpartition("@")[0].partition("//")[2], f"{name}:{word}")
        for node in pair:
            restart(pair, node, run, CONFAB_STORE_URL=url)
        users = {user for (user,) in store.run(f"SELECT usename FROM pg_stat_activity WHERE datname = '{store.database}' "
                                               "AND backend_type = 'client backend' AND pid <> pg_backend_pid()")}
        assert users == {name}, "every connection is the new role's"
        store.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{owner}' AND datname = '{store.database}' "
                  "AND pid <> pg_backend_pid()")
        ends_well(run)
        for node in pair:
            assert node.terminate() == 0
        assert store.run(f"SELECT count(*) FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE r.rolname = '{name}'") == [(0,)]
    finally:
        for node in pair:
            if node.is_running():
                node.kill()
        store.run(f"DROP ROLE {name}")
