"""Every combination of values that makes another shape: what helm lint says, what Kubernetes would take, and what confab
itself says to the settings that its pods get."""

import os
import pathlib
import subprocess

import pytest
import yaml

import chart
import schemas
from chart import MATRIX, NEW, OLD

BINARY = pathlib.Path(os.environ.get("CONFAB_BINARY", chart.ROOT / "build/debug/confab"))


@pytest.mark.parametrize("name", MATRIX)
def test_helm_lint_has_nothing_to_say(name):
    assert "0 chart(s) failed" in chart.run("lint", "--strict", str(chart.CHART), values=MATRIX[name])


def test_helm_lint_needs_no_values():
    assert "0 chart(s) failed" in chart.run("lint", "--strict", str(chart.CHART))


@pytest.mark.parametrize("schema, version", [("old", OLD), ("new", NEW)])
@pytest.mark.parametrize("name", MATRIX)
def test_every_manifest_is_what_kubernetes_takes(name, schema, version):
    manifests = chart.render(MATRIX[name], version)
    assert {"StatefulSet", "Service", "ConfigMap"} <= {one["kind"] for one in manifests}
    assert [fault for one in manifests for fault in schemas.faults(schema, one)] == []
    named = [(one["kind"], one["metadata"]["name"]) for one in manifests]
    assert len(set(named)) == len(named)


@pytest.mark.parametrize("spoil, word", [
    (lambda one: one["spec"].update(replica=1), "replica"),
    (lambda one: one["spec"]["template"]["spec"]["containers"][0].pop("name"), "'name' is a required property"),
    (lambda one: one["spec"].update(replicas="two"), "'two' is not of type 'integer'"),
    (lambda one: one.pop("metadata"), "'metadata' is a required property"),
    (lambda one: one.update(apiVersion="apps/v0"), "there is no apps/v0 StatefulSet"),
])
def test_a_manifest_that_is_wrong_would_be_found(spoil, word):
    wrong = chart.render(MATRIX["postgres"]).one("StatefulSet")
    spoil(wrong)
    assert any(word in fault for fault in schemas.faults("new", wrong))


def documented(values, path=()):
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from documented(value, (*path, key))
        else:
            yield (*path, key)


def test_the_matrix_has_every_value_that_is_a_choice():
    values = yaml.safe_load((chart.CHART / "values.yaml").read_text())
    used = set()
    for entry in MATRIX.values():
        used |= set(documented(entry))
    for path in documented(values):
        value = values
        for key in path:
            value = value[key]
        if not path[0].lower().endswith("securitycontext") and (isinstance(value, bool) or value in ([], {})):
            assert any(one[:len(path)] == path for one in used), f"{'.'.join(path)} is in no entry of the matrix"


@pytest.mark.parametrize("name", MATRIX)
def test_confab_takes_the_settings_of_its_pods(name, tmp_path):
    manifests = chart.render(MATRIX[name])
    settings = ["--set", f"node.data_dir={tmp_path / 'data'}"]
    if "tls" in MATRIX[name]:  # its files are not there
        settings += ["--set", "http.tls_cert_file=", "--set", "http.tls_key_file="]
    done = subprocess.run([str(BINARY), "check-config", *settings], env=chart.in_a_pod(manifests, tmp_path), cwd=tmp_path,
                          capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "OK\n"), done.stdout + done.stderr


def test_confab_would_refuse_settings_that_are_wrong(tmp_path):
    manifests = chart.render(MATRIX["postgres"])
    manifests.one("ConfigMap", "confab")["data"]["confab.yaml"] += "\nhttp:\n  listn: x\n"
    done = subprocess.run([str(BINARY), "check-config"], env=chart.in_a_pod(manifests, tmp_path), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 78
