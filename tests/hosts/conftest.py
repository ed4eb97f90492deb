"""Three nodes on hosts of their own, and PostgreSQL on a fourth:

    tests/support/with_hosts /usr/bin/python3 -m pytest tests/hosts

How often and for how long things go wrong is set below; docs/testing.md says what ./dev test and ./dev nightly set."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
pytest.register_assert_rewrite("fixtures", "runs")

from fixtures import *  # noqa: E402, F401, F403
from fixtures import skip_without_hosts  # noqa: E402
from hosts import all_hosts  # noqa: E402
from nodes import Nodes, keys, make_host_node  # noqa: E402, F401 (fixtures)

# What happens to nodes here says so in their logs. The rooms of one without a lease are silent, to whom asks whether
# they live as well.
EXPECTED = ("^this node was marked gone$|^was (late for|cut off from) the others, and is gone; begins anew$"
            "|^the store is away$|^cut off another node$")


def pytest_collection_modifyitems(items):
    skip_without_hosts(items)


@pytest.fixture
def make_node(make_host_node):  # noqa: F811
    """Its clients hear something every second, or nothing when it is frozen or cut off."""
    def make(number, **kwargs):
        node = make_host_node(number, CONFAB_WS_PING="1s", **kwargs)
        node.allow_errors(EXPECTED)
        return node
    return make


@pytest.fixture
def nodes(make_node):
    """Three of them, not started; what was cut is mended behind the test."""
    yield Nodes([make_node(number) for number in range(3)])
    for host in all_hosts():
        host.mend()
