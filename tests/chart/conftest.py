"""The chart, rendered by the real helm: ./dev chart, or with helm and schemas there (tests/chart/tools)

    tests/support/with_postgres /usr/bin/python3 -m pytest tests/chart

CONFAB_BINARY: the server that has to understand what is rendered, default build/debug/confab."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
pytest.register_assert_rewrite("fixtures", "schemas")

from fixtures import *  # noqa: E402, F401, F403
