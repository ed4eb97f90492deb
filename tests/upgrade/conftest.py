"""The fixtures of the end-to-end tests, and servers of the previous version beside those under test."""

import os
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE.parent / "e2e")]

import server as servers  # noqa: E402 (from the folder just named)
from fixtures import *  # noqa: E402,F401,F403
from fixtures import pytest_configure, pytest_generate_tests  # noqa: E402,F401

PREVIOUS = pathlib.Path(os.environ["CONFAB_PREVIOUS"])


class Version(servers.Server):
    """A server that may go on with another binary when it is started again."""

    binary = PREVIOUS

    def program(self, words, extra):
        _, env = super().program(words, extra)
        return [str(self.binary), *words], env


@pytest.fixture
def make_version(make_one):
    return lambda env=None: make_one(env, kind=Version)
