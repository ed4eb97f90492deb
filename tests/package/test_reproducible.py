"""The package again, by somebody else: in another folder with a longer name, with another umask, time zone and language, later.
Every byte has to be the same, so that whoever has the sources can tell whether a package was made from them."""

import hashlib
import os
import shutil
import subprocess

import pytest

import debian

LIMIT_S = 1200
BUILT = debian.ROOT / "build/package"


@pytest.fixture(scope="module")
def again():
    """The folder of the second build; the tree with what is changed in it, and its history, which the version comes from."""
    tree = debian.ROOT / "build/again/in-a-folder/of-another-name" / ("x" * 40)
    shutil.rmtree(tree, ignore_errors=True)
    tree.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "clone", "-q", "--shared", debian.ROOT, tree], check=True)
    subprocess.run(f'git ls-files -z --cached --others --exclude-standard | tar -c --null --ignore-failed-read -T - | tar -x -C "{tree}"', shell=True, check=True, cwd=debian.ROOT)
    env = {**os.environ, "TZ": "Pacific/Kiritimati", "LC_ALL": "C", "CCACHE_DISABLE": "1"}
    done = subprocess.run(["bash", "-c", "umask 027 && cmake --preset package && cmake --build --preset package"], cwd=tree, env=env,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=LIMIT_S)
    assert done.returncode == 0, done.stdout[-4000:]
    yield tree / "build/package"
    shutil.rmtree(tree)


@pytest.mark.timeout(LIMIT_S)
@pytest.mark.parametrize("pattern", ["confab", "confab_*.deb"])
def test_two_builds_are_the_same(again, pattern):
    (first,), (second,) = BUILT.glob(pattern), again.glob(pattern)
    assert first.name == second.name
    assert hashlib.sha256(first.read_bytes()).hexdigest() == hashlib.sha256(second.read_bytes()).hexdigest(), \
        f"see diffoscope {first} {second}"


def test_it_does_not_tell_where_it_was_built(again):
    for folder in (BUILT, again):
        assert str(debian.ROOT).encode() not in (folder / "confab").read_bytes()
