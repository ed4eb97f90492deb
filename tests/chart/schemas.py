"""What a manifest has to look like, by the schemas that Kubernetes, the gateway API and the Prometheus operator publish.
They are made strict: a member that a schema does not name is a fault, where an API server would drop it or refuse it.

    schemas.py FOLDER KUBERNETES KUBERNETES GATEWAY-API PROMETHEUS-OPERATOR     folders of their sources; the first is the older

writes FOLDER/old.json and FOLDER/new.json: {"definitions": ..., "kinds": {"apps/v1 StatefulSet": name of a definition}}."""

import functools
import json
import pathlib
import sys

import jsonschema
import yaml

FOLDER = pathlib.Path(__file__).resolve().parent.parent.parent / "build/tools/schemas"
META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
# An OpenAPI document of version 2 cannot say these.
LOOSE = {"io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"type": ["string", "integer"]},
         "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": ["string", "number"]}}


class Loader(yaml.CSafeLoader):
    """Takes a bare = for what it is in a list of choices: text."""


Loader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: node.value)


def strict(schema):
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: {name: strict(part) for name, part in value.items()} if key == "properties" else strict(value)
            for key, value in schema.items() if key not in ("description", "default", "format")}
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["string", "integer"]}
    if "properties" in schema and "additionalProperties" not in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        made["additionalProperties"] = False
    if schema.get("nullable") and "type" in made:
        made["type"] = [made["type"], "null"]
    return made


def of_kubernetes(folder):
    swagger = json.loads((folder / "api/openapi-spec/swagger.json").read_text())
    definitions = {name: LOOSE.get(name) or strict(schema) for name, schema in swagger["definitions"].items()}
    kinds = {}
    for name, schema in swagger["definitions"].items():
        for kind in schema.get("x-kubernetes-group-version-kind", []):
            version = "/".join(filter(None, (kind["group"], kind["version"])))
            kinds[f"{version} {kind['kind']}"] = name
            if "kind" in schema.get("properties", {}):  # the published schema does not require them
                definitions[name]["required"] = sorted({*schema.get("required", []), "apiVersion", "kind", "metadata"})
    return definitions, kinds


def of_resources(files):
    """Custom resources in these files."""
    definitions, kinds = {}, {}
    for file in files:
        for resource in yaml.load_all(file.read_text(), Loader):
            if not resource or resource.get("kind") != "CustomResourceDefinition":
                continue
            spec = resource["spec"]
            for version in spec["versions"]:
                schema = strict(version["schema"]["openAPIV3Schema"])
                schema["properties"]["metadata"] = {"$ref": f"#/definitions/{META}"}
                name = f"{spec['group']}.{version['name']}.{spec['names']['kind']}"
                definitions[name] = schema
                kinds[f"{spec['group']}/{version['name']} {spec['names']['kind']}"] = name
    return definitions, kinds


def make(folder, old, new, gateway, operator):
    custom = of_resources([*(gateway / "config/crd/standard").glob("*.yaml"),
                           *(operator / "example/prometheus-operator-crd").glob("*.yaml")])
    folder.mkdir(parents=True, exist_ok=True)
    for name, kubernetes in (("old", old), ("new", new)):
        definitions, kinds = of_kubernetes(kubernetes)
        (folder / f"{name}.json").write_text(json.dumps({"definitions": {**definitions, **custom[0]},
                                                         "kinds": {**kinds, **custom[1]}}))


@functools.lru_cache
def load(name):
    return json.loads((FOLDER / f"{name}.json").read_text())


@functools.lru_cache
def validator(name, kind):
    schemas = load(name)
    schema = {"$ref": f"#/definitions/{schemas['kinds'][kind]}", "definitions": schemas["definitions"]}
    return jsonschema.Draft7Validator(schema)


def faults(name, manifest):
    """What is wrong with it, in the version `old` or `new`; empty: nothing."""
    kind = f"{manifest.get('apiVersion')} {manifest.get('kind')}"
    if kind not in load(name)["kinds"]:
        return [f"there is no {kind}"]
    return [f"{kind} {'.'.join(map(str, fault.absolute_path))}: {fault.message[:200]}"
            for fault in validator(name, kind).iter_errors(manifest)]


if __name__ == "__main__":
    make(*map(pathlib.Path, sys.argv[1:]))
