"""What cmake/version makes of a commit, a tag, a change and an exported tree."""

import os
import re
import shutil
import subprocess

import pytest

import debian

NEXT = re.search(r"^project\(confab VERSION ([0-9.]+)", (debian.ROOT / "CMakeLists.txt").read_text(), flags=re.M)[1]
AT = "2026-11-29T01:44:15+00:00"


@pytest.fixture
def tree(tmp_path):
    folder = tmp_path / "tree"
    (folder / "cmake").mkdir(parents=True)
    for name in ("CMakeLists.txt", ".gitattributes", "cmake/version"):
        shutil.copy(debian.ROOT / name, folder / name)
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "one")
    return folder


def git(folder, *words):
    env = {"PATH": os.environ["PATH"], "GIT_AUTHOR_DATE": AT, "GIT_COMMITTER_DATE": AT, "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    return subprocess.run(["git", "-C", folder, "-c", "user.name=n", "-c", "user.email=e@example.org", *words], env=env, check=True,
                          capture_output=True).stdout


def version(folder, **env):
    """(version, seconds) of the tree, asked from elsewhere."""
    said = subprocess.run([folder / "cmake/version"], env={"PATH": os.environ["PATH"], **env}, check=True, capture_output=True, text=True,
                          cwd="/").stdout
    return tuple(said.split())


def exported(folder, what, target):
    target.mkdir()
    subprocess.run(["tar", "-x", "-C", target], input=git(folder, "archive", what), check=True)
    return target


def of_the_commit(folder):
    return f"{NEXT}-dev.20261129014415+g{git(folder, 'rev-parse', 'HEAD').decode()[:7]}", "1795916655"


def test_a_commit_has_its_time_and_name(tree):
    assert version(tree) == of_the_commit(tree)


def test_a_tag_is_the_version_but_of_a_changed_tree(tree):
    git(tree, "tag", "v1.2.3")
    assert version(tree) == ("1.2.3", "1795916655")
    (tree / "CMakeLists.txt").write_text(f"project(confab VERSION {NEXT})\n")
    plain, seconds = of_the_commit(tree)
    assert version(tree) == (f"{plain}-dirty", seconds)


def test_other_tags_are_none(tree):
    git(tree, "tag", "v1.2")
    git(tree, "tag", "release-1")
    assert version(tree) == of_the_commit(tree)


def test_an_exported_tree_knows_it_too(tree, tmp_path):
    assert version(exported(tree, "HEAD", tmp_path / "commit")) == of_the_commit(tree)
    git(tree, "tag", "v1.2.3")
    assert version(exported(tree, "v1.2.3", tmp_path / "tag")) == ("1.2.3", "1795916655")


def test_without_any_of_it_the_builder_says_so_or_nobody(tree):
    shutil.rmtree(tree / ".git")
    assert version(tree) == (f"{NEXT}-dev", "0")
    assert version(tree, CONFAB_VERSION="7.8.9", SOURCE_DATE_EPOCH="12") == ("7.8.9", "12")
