"""    /usr/bin/python3 -m pytest tests/e2e
    tests/support/with_postgres /usr/bin/python3 -m pytest tests/e2e     (also on PostgreSQL)

CONFAB_BINARY: the server, default build/debug/confab, which has the crash points. CONFAB_LOAD: the
load generator, default bench/load beside it. CONFAB_TEST_ROUNDS: how often the random parts run."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
pytest.register_assert_rewrite("fixtures", "runs")

from fixtures import *  # noqa: E402, F401, F403
