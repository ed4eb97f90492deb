"""What .ci/run and sum_results.py make of steps and reports, by invented ones: nothing that did not run looks as if it had passed."""

import json
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
STEPS = ("test", "lint", "upgrade", "package", "image", "chart", "reproducible")
GOOD = "echo 2 passed, 0 failed"
LEFT_OUT = "echo 'dev: LEFT OUT: {}, as it may not' >&2; exit 69"


@pytest.fixture
def run(tmp_path):
    """run(step=what it does, in shell): exit code and lines of .ci/run where ./dev is played; what is not said is good."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/run", tmp_path / ".ci/run")

    def play(**steps):
        assert set(steps) <= set(STEPS)
        cases = "".join(f"{name}) echo {name} >>ran; {steps.get(name, GOOD)} ;;\n" for name in STEPS)
        (tmp_path / "dev").write_text(f"#!/bin/bash\ncase $1 in\n{cases}*) exit 2 ;;\nesac\n")
        (tmp_path / "dev").chmod(0o755)
        (tmp_path / "ran").unlink(missing_ok=True)
        done = subprocess.run([tmp_path / ".ci/run"], cwd="/", text=True, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode, done.stdout.splitlines(), (tmp_path / "ran").read_text().split()
    return play


def test_steps_are_added_up(run):
    status, lines, ran = run(lint="echo 3 passed, 0 failed")
    assert (status, lines[-1]) == (0, "13 passed, 0 failed")
    assert ran == ["test", "lint", "upgrade", "package", "image", "chart"]


@pytest.mark.parametrize("does, last", [
    ("echo 2 passed, 3 failed; exit 1", "12 passed, 3 failed"),
    ("echo 2 passed, 0 failed; exit 1", "12 passed, 1 failed"),
    ("echo 2 passed, 0 failed; echo and then something", "10 passed, 1 failed"),
    ("exit 69", "10 passed, 1 failed"),
    ("echo dev: LEFT OUT: but not with that code; exit 1", "10 passed, 1 failed"),
    ("echo dev: LEFT OUT: not at its end; echo Killed; exit 69", "10 passed, 1 failed"),
    ("true", "10 passed, 1 failed"),
    ("kill -9 $$", "10 passed, 1 failed"),
])
def test_one_that_fails_in_whatever_way_is_a_failure_and_the_others_run(run, does, last):
    status, lines, ran = run(test=does)
    assert (status, lines[-1]) == (1, last)
    assert ran == ["test", "lint", "upgrade", "package", "image", "chart"]


def test_what_is_left_out_is_named_at_the_end_and_counts_as_nothing(run):
    status, lines, _ = run(image=LEFT_OUT.format("image"), chart=LEFT_OUT.format("chart"), test="echo '4 skipped: no hosts'; " + GOOD)
    assert status == 0
    assert lines[-4:] == ["4 skipped: no hosts", "dev: LEFT OUT: image, as it may not", "dev: LEFT OUT: chart, as it may not",
                          "8 passed, 0 failed"]


def test_a_package_that_cannot_be_installed_is_built_twice_all_the_same(run):
    status, lines, ran = run(package=LEFT_OUT.format("package"), reproducible="echo 3 passed, 0 failed")
    assert (status, lines[-1]) == (0, "13 passed, 0 failed")
    assert ran == ["test", "lint", "upgrade", "package", "reproducible", "image", "chart"]


def test_when_nothing_ran_nothing_has_passed(run):
    status, lines, _ = run(**{name: LEFT_OUT.format(name) for name in STEPS})
    assert (status, lines[-1]) == (1, "0 passed, 0 failed")


# -- reports

PASSES, FAILS = '<testcase classname="a" name="b"/>', '<testcase classname="a" name="c"><failure message="why"/></testcase>'
SKIPPED = '<testcase classname="a" name="d"><skipped message="no hosts"/></testcase>'
BREAKS = '<testcase classname="a" name="e"><error message="at setup"/></testcase>'


def summed(*words):
    done = subprocess.run([ROOT / "tests/support/sum_results.py", *words], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.splitlines()


@pytest.mark.parametrize("cases, status, lines", [
    ([PASSES, PASSES], 0, ["2 passed, 0 failed"]),
    ([PASSES, FAILS, BREAKS], 1, ["FAILED a::c: why", "FAILED a::e: at setup", "1 passed, 2 failed"]),
    ([PASSES, SKIPPED, SKIPPED], 0, ["2 skipped: no hosts", "1 passed, 0 failed"]),
    ([SKIPPED], 1, ["1 skipped: no hosts", "0 passed, 0 failed"]),
    ([], 1, ["0 passed, 0 failed"]),
])
def test_a_report_of_pytest(tmp_path, cases, status, lines):
    report = tmp_path / "report.xml"
    report.write_text(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")
    assert summed("--pytest", report) == (status, lines)


def test_no_report_of_pytest_is_a_failure(tmp_path):
    status, lines = summed("--pytest", tmp_path / "none.xml")
    assert status == 1 and lines[-1] == "0 passed, 1 failed"


CRITERION = {"test_suites": [{"name": "room", "tests": [{"name": "opens", "status": "PASSED"}, {"name": "closes", "status": "PASSED"}]}]}
TAP = "ok 1 - one\n1..1\n"


@pytest.mark.parametrize("criterion, tap, extra, last", [
    (json.dumps(CRITERION), TAP, "0", "3 passed, 0 failed"),
    (json.dumps(CRITERION).replace("PASSED", "ERRORED", 1), TAP, "0", "2 passed, 1 failed"),
    (json.dumps(CRITERION), TAP, "2", "3 passed, 2 failed"),
    (json.dumps(CRITERION), "not ok 1 - one\n1..1\n", "0", "2 passed, 1 failed"),
    (json.dumps(CRITERION), "ok 1 - one\n", "0", "3 passed, 1 failed"),
    ("{", TAP, "0", "1 passed, 1 failed"),
    (None, TAP, "0", "1 passed, 1 failed"),
])
def test_a_build_whose_one_program_has_two_tests(tmp_path, criterion, tap, extra, last):
    (tmp_path / "CTestTestfile.cmake").write_text('add_test([=[test_room]=] "true")\n')
    results = tmp_path / "results"
    results.mkdir()
    if criterion is not None:
        (results / "test_room.json").write_text(criterion)
    (results / "web.tap").write_text(tap)
    assert summed(tmp_path, extra)[1][-1] == last
