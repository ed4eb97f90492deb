"""Three nodes on hosts of their own, and PostgreSQL on a fourth:

    tests/support/with_hosts /usr/bin/python3 -m pytest tests/hosts

How often and for how long things go wrong is set below; docs/testing.md says what ./dev test and ./dev nightly set."""

import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
pytest.register_assert_rewrite("fixtures", "runs")

from fixtures import *  # noqa: E402, F401, F403
from hosts import BASE, all_hosts  # noqa: E402
from nodes import Nodes, keys, settings  # noqa: E402, F401 (keys is a fixture)

HTTP_PORT, MESH_PORT = 8000, 8001
# Clients find out within four seconds that a node is frozen or cut off. How they are spread is what they begin with, so
# that no client is held to limits of one address.
OURS = {"CONFAB_WS_PING": "1s", "CONFAB_METRICS_ALLOW": f"{BASE}/32"}
SILENCE_S = 4
# Each node is without the database, or without the others, when that is what the test does to it.
EXPECTED = ("^this node was marked gone$|^was (late for|cut off from) the others, and is gone; begins anew$"
            "|^the store is away$|^cut off another node$")


def pytest_collection_modifyitems(items):
    why = os.environ.get("CONFAB_TEST_NO_HOSTS") or (
        None if "CONFAB_TEST_HOSTS" in os.environ else "run under tests/support/with_hosts")
    if why:
        for item in items:
            item.add_marker(pytest.mark.skip(reason=f"no hosts: {why}"))


@pytest.fixture
def make_node(make_server, keys):  # noqa: F811
    """A node on the host of this number, which lets the nodes with these keys in. Its ports stay, whatever becomes of it."""
    def make(number, allowed=range(3), **env):
        host = all_hosts()[number]
        node = make_server({**OURS, **settings(keys, number, allowed), "CONFAB_HTTP_LISTEN": f"{host.address}:{HTTP_PORT}",
                            "CONFAB_MESH_LISTEN": f"{host.address}:{MESH_PORT}", **env}, host=host)
        node.allow_errors(EXPECTED)
        return node
    return make


@pytest.fixture
def nodes(make_node):
    """Three of them, not started; what was cut is mended behind the test."""
    yield Nodes([make_node(number) for number in range(3)])
    for host in all_hosts():
        host.mend()
