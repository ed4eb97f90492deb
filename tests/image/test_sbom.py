"""The SBOM that docker/build leaves beside the archive: CycloneDX 1.5 as scanners require it, and true."""

import hashlib
import json
import re
import subprocess
import uuid

import pytest

from image import ARCHIVE, ROOT, SBOM, packages, sums

KINDS = {"application", "container", "library", "operating-system"}
PURL = re.compile(r"pkg:(deb/debian|npm|generic)/[^@?#\s]+@[^@?#\s]+(\?([a-z]+=[^&\s]+)(&[a-z]+=[^&\s]+)*)?")


@pytest.fixture(scope="module")
def document():
    return json.loads(SBOM.read_text())


@pytest.fixture(scope="module")
def everything(document):
    """Every component, that of the metadata included."""
    return [document["metadata"]["component"], *document["components"]]


def test_it_says_what_it_is(document, image):
    assert document["bomFormat"] == "CycloneDX" and document["specVersion"] == "1.5" and document["version"] == 1
    assert set(document) <= {"$schema", "bomFormat", "specVersion", "serialNumber", "version", "metadata", "components", "dependencies"}
    assert uuid.UUID(document["serialNumber"].removeprefix("urn:uuid:")).version == 5
    assert document["metadata"]["timestamp"] == image.config["Labels"]["org.opencontainers.image.created"]


def test_components_have_what_the_format_requires(everything):
    for one in everything:
        assert one["type"] in KINDS and one["name"] and one["version"] and one["bom-ref"]
        assert "purl" not in one or PURL.fullmatch(one["purl"]), one["purl"]
        for licence in one.get("licenses", []):
            [(kind, text)] = licence["license"].items()
            assert kind in ("id", "name") and text
    references = [one["bom-ref"] for one in everything]
    assert len(references) == len(set(references))


def test_dependencies_name_components(document, everything):
    known = {one["bom-ref"] for one in everything}
    graph = {one["ref"]: one["dependsOn"] for one in document["dependencies"]}
    assert set(graph) == known and len(graph) == len(document["dependencies"])
    assert all(set(others) <= known and len(others) == len(set(others)) for others in graph.values())
    reached, ahead = set(), ["image"]
    while ahead:
        reached.add(one := ahead.pop())
        ahead += set(graph[one]) - reached
    assert reached == known


def test_it_lists_every_package_and_its_files(document, root):
    listed = {one["name"]: one for one in document["components"] if one.get("purl", "").startswith("pkg:deb/")}
    there = packages(root)
    assert {name: one["version"] for name, one in listed.items()} == {name: fields["Version"] for name, fields in there.items()}
    assert {occurrence["location"]: name for name, one in listed.items()
            for occurrence in one.get("evidence", {}).get("occurrences", [])} == {
                f"/{path}": package for path, (package, _) in sums(root).items()}


def test_a_package_names_the_source_that_advisories_name(document):
    [one] = [one for one in document["components"] if one["name"] == "libssl3"]
    assert one["purl"].endswith("&upstream=openssl") and "&distro=debian-12&" in one["purl"]


def test_it_lists_what_is_compiled_in(document, image, root):
    of_npm = {one["name"] for one in document["components"] if one.get("purl", "").startswith("pkg:npm/")}
    assert of_npm == set(json.loads((ROOT / "web/package.json").read_text())["dependencies"])
    assert {"uthash-dev", "libmsgpack-dev"} <= {one["name"] for one in document["components"]}
    [server] = [one for one in document["components"] if one["bom-ref"] == "confab"]
    assert server["hashes"] == [{"alg": "SHA-256", "content": hashlib.sha256((root / "usr/bin/confab").read_bytes()).hexdigest()}]
    assert document["metadata"]["component"]["hashes"] == [
        {"alg": "SHA-256", "content": hashlib.sha256(image.config_bytes).hexdigest()}]


def test_the_same_archive_gives_the_same_document():
    again = subprocess.run([ROOT / "docker/sbom", ARCHIVE], check=True, capture_output=True, text=True).stdout
    assert again == SBOM.read_text()
