#!/usr/bin/python3
"""sum_results.py BUILD_DIR [EXTRA_FAILURES]: adds up what the tests of one run reported.
sum_results.py --pytest REPORT: the same of one report of pytest.

Reads BUILD_DIR/results: <name>.json of each Criterion executable, web.tap of the page's tests, e2e.xml and
hosts.xml of pytest. What left no report (an executable that ctest knows and that did not start, a runner that
died) is one failure, so nothing that did not run can look as if it had passed. Names what failed, and
ends with the line "N passed, N failed"; exits with 0 only if something passed and nothing failed.
"""
import collections
import json
import pathlib
import re
import subprocess
import sys
import xml.etree.ElementTree as xml


def expected_executables(build):
    listing = subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1"],
                             capture_output=True, text=True, check=True)
    return [test["name"] for test in json.loads(listing.stdout)["tests"]]


def criterion_outcomes(path):
    """(name, outcome, text) of each single test; what is no report counts as failed."""
    try:
        suites = json.loads(path.read_text(errors="replace"))["test_suites"]
    except (OSError, ValueError, KeyError) as error:
        yield path.stem, "failed", f"no report ({error.__class__.__name__})"
        return
    for suite in suites:
        for test in suite["tests"]:
            outcome = {"PASSED": "passed", "SKIPPED": "skipped"}.get(test["status"], "failed")
            yield f"{suite['name']}::{test['name']}", outcome, "; ".join(test.get("messages", []))


def pytest_outcomes(path):
    for case in xml.parse(path).getroot().iter("testcase"):
        kinds = {child.tag for child in case}
        outcome = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        found = [child.get("message", "") for child in case if child.tag in ("failure", "error", "skipped")]
        yield f"{case.get('classname')}::{case.get('name')}", outcome, " ".join(found)[:300]


def tap_outcomes(path):
    """Of node's reporter: one line of no indentation for each test, and their number at the end."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError as error:
        lines = [f"no report ({error.__class__.__name__})"]
    found = [re.match(r"(not )?ok \d+ - (.*?)(?: # ([A-Z]+).*)?$", line) for line in lines]
    outcomes = [(f"web::{one[2]}", "failed" if one[1] else "skipped" if one[3] else "passed", "") for one in found if one]
    if not outcomes or f"1..{len(outcomes)}" not in lines:
        outcomes.append(("web", "failed", f"the report does not reach its end: {lines[-1] if lines else 'empty'}"))
    return outcomes


def of_a_build(build):
    results = pathlib.Path(build, "results")
    outcomes = [o for name in expected_executables(build)
                for o in criterion_outcomes(results / f"{name}.json")]
    outcomes += tap_outcomes(results / "web.tap")
    for report in ("e2e.xml", "hosts.xml"):
        if (results / report).exists():
            outcomes += pytest_outcomes(results / report)
    return outcomes


def of_pytest(report):
    return list(pytest_outcomes(report)) if pathlib.Path(report).exists() else [(report, "failed", "no report")]


def main():
    is_one = sys.argv[1] == "--pytest"
    outcomes = of_pytest(sys.argv[2]) if is_one else of_a_build(sys.argv[1])
    count = {"passed": 0, "failed": int(sys.argv[2]) if not is_one and len(sys.argv) > 2 else 0, "skipped": 0}
    skipped = collections.Counter()  # by reason
    for name, outcome, text in outcomes:
        count[outcome] += 1
        if outcome == "failed":
            print(f"FAILED {name}: {text}")
        elif outcome == "skipped":
            skipped[text] += 1
    for reason, times in skipped.items():
        print(f"{times} skipped" + (f": {reason}" if reason else ""))
    print(f"{count['passed']} passed, {count['failed']} failed")
    return 0 if count["passed"] and not count["failed"] else 1


if __name__ == "__main__":
    sys.exit(main())
