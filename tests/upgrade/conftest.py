"""The fixtures of the end-to-end tests, and servers of the previous and the next version beside those under test."""

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
NEXT = pathlib.Path(os.environ["CONFAB_NEXT"])  # this one with one migration more: CMakeLists.txt


class Version(servers.Server):
    """A server that may go on with another binary when it is started again."""

    binary = servers.BINARY

    def program(self, words, extra):
        _, env = super().program(words, extra)
        return [str(self.binary), *words], env


@pytest.fixture
def make_version(make_one):
    def make(binary, env=None):
        server = make_one(env, kind=Version)
        server.binary = binary
        return server
    return make
