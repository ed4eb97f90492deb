"""A resolver that answers when a test lets it: shims/slow_names.c."""

import re

import pytest

import server as servers


class Names:
    """What the names under .test stand for, lines of NAME ADDRESS; while it is not there to look one up hangs."""

    def __init__(self, path):
        self._path = path

    @property
    def env(self):
        """Of a server that asks this resolver."""
        sanitizers = [found.decode() for found in re.findall(rb"lib[at]san\.so\.\d+", servers.BINARY.read_bytes())[:1]]
        shim = servers.BINARY.parent / "tests/slow_names.so"
        return {"LD_PRELOAD": " ".join([*sanitizers, str(shim)]), "CONFAB_TEST_NAMES": str(self._path)}

    def answer(self, text):
        """All at once: half of it would be another answer."""
        new = self._path.with_suffix(".new")
        new.write_text(text)
        new.rename(self._path)

    def hang(self):
        self._path.unlink()


@pytest.fixture
def names(tmp_path):
    return Names(tmp_path / "names")
