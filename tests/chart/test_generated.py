"""README and schema are those of the values, and the schema lets nothing through that has no meaning."""

import json
import os
import subprocess

import pytest
import yaml

import chart

VALUES = yaml.safe_load((chart.CHART / "values.yaml").read_text())
SCHEMA = json.loads((chart.CHART / "values.schema.json").read_text())


def test_readme_and_schema_are_current():
    done = subprocess.run([str(chart.ROOT / "helm/generate"), "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def objects(schema, path=()):
    """Every object of the schema whose members the chart names."""
    if "properties" in schema:
        yield path, schema
        for key, part in schema["properties"].items():
            yield from objects(part, (*path, key))
    if isinstance(schema.get("items"), dict):
        yield from objects(schema["items"], (*path, "[]"))


def test_no_object_takes_members_that_the_chart_does_not_name():
    found = list(objects(SCHEMA))
    assert len(found) > 30
    assert [path for path, schema in found if schema.get("additionalProperties") is not False] == []


def test_every_value_is_in_the_schema_and_in_the_readme():
    readme = (chart.CHART / "README.md").read_text()

    def look(values, schema, path):
        for key, value in values.items():
            here = ".".join((*path, key))
            part = schema.get("properties", {}).get(key)
            assert part, f"{here} is not in the schema"
            if f"| `{here}` |" not in readme:
                assert isinstance(value, dict), f"{here} is not in the README"
                look(value, part, (*path, key))
    look(VALUES, SCHEMA, ())


def test_keys_of_the_chart_are_those_of_the_configuration():
    """A setting that is new in confab can be set at once."""
    known = {name: set(section["properties"]) for name, section in SCHEMA["properties"]["config"]["properties"].items()}
    text = (chart.ROOT / "docs/configuration.md").read_text()
    assert "buckets_max" in known["limits"] and "secret_key" not in known["mesh"] and "url" not in known["store"]
    for section, keys in known.items():
        for key in keys:
            assert f"\n## {section}\n" in text and f"| `{key}` |" in text



@pytest.fixture
def confab():
    return os.environ.get("CONFAB_BINARY", str(chart.ROOT / "build/debug/confab"))


def mesh_keys(confab, *arguments, ok=True):
    done = subprocess.run([str(chart.ROOT / "helm/mesh-keys"), *arguments], env={**os.environ, "CONFAB": confab}, capture_output=True,
                          text=True, check=False)
    assert (done.returncode == 0) == ok, done.stderr
    return done.stdout if ok else done.stderr


def test_keys_for_pods_are_values_of_the_chart(confab):
    keys = yaml.safe_load(mesh_keys(confab, "3"))
    manifests = chart.render(chart.merged({"store": {"existingSecret": "pg"}, "replicas": 3}, keys))
    assert manifests.config["mesh"]["allowed_keys"] == keys["mesh"]["publicKeys"]
    assert len({*keys["mesh"]["publicKeys"], *keys["mesh"]["secretKeys"]}) == 6


def test_keys_for_pods_in_a_secret_of_their_own(confab, tmp_path):
    mesh_keys(confab, "2", str(tmp_path), "talk")
    secret = yaml.safe_load((tmp_path / "secret.yaml").read_text())
    values = yaml.safe_load((tmp_path / "values.yaml").read_text())
    assert (tmp_path / "secret.yaml").stat().st_mode & 0o777 == 0o600
    assert secret["metadata"]["name"] == values["mesh"]["existingSecret"] == "talk-mesh-keys"
    assert sorted(secret["stringData"]) == ["talk-0", "talk-1"]
    pod = chart.render(chart.merged({"store": {"existingSecret": "pg"}, "fullnameOverride": "talk"}, values)).pod
    assert next(one for one in pod["volumes"] if one["name"] == "mesh")["secret"]["secretName"] == "talk-mesh-keys"


@pytest.mark.parametrize("arguments", [(), ("0",), ("65",), ("three",), ("1", "a", "b", "c", "d")])
def test_keys_for_pods_in_a_wrong_way(confab, arguments):
    assert "helm/mesh-keys N" in mesh_keys(confab, *arguments, ok=False)


def test_keys_of_a_command_that_makes_none():
    assert "has printed no pair of keys" in mesh_keys("echo", "1", ok=False)
