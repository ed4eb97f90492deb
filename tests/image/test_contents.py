"""What the image says and holds: nothing that the server does not need, and nothing without a known origin."""

import gzip
import hashlib
import re
import ssl
import stat
import subprocess

import pytest

from image import ROOT, is_elf, may, md5, packages, sums

BINARY = "usr/bin/confab"
MAX_BYTES = 40_000_000
LABELS = "org.opencontainers.image."

# Of no package, and made by docker/collect
OWN = {BINARY, "usr/share/doc/confab/copyright", "etc/passwd", "etc/group", "etc/nsswitch.conf"}
SECRETS = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/]{40}|AKIA[0-9A-Z]{16}|ghp_[0-9A-Za-z]{36}|"
                     rb"postgres(ql)?://[^\s:@/]+:(?!PASSWORD@)[^\s:@/]+@")


def test_it_is_small(image):
    layers = list(image.layer_bytes())
    assert image.diff_ids == [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]
    size, compressed = sum(map(len, layers)), sum(len(gzip.compress(layer, 6)) for layer in layers)
    print(f"{size / 1e6:.1f} MB, compressed {compressed / 1e6:.1f} MB")
    assert size <= MAX_BYTES


def test_it_runs_as_a_user_by_number(image):
    user, group = image.config["User"].split(":")
    assert int(user) > 0 and int(group) > 0


def test_its_server_is_hardened(root):
    """As that of the build is: relocations, stack, fortified calls, as the linker left them in here."""
    run = subprocess.run([ROOT / "tests/lint/hardening", root / BINARY], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_one_volume_and_one_port(image):
    assert set(image.config["Volumes"]) == {"/data"}
    assert set(image.config["ExposedPorts"]) == {"8080/tcp"}


def test_it_starts_without_a_shell_and_ends_by_sigterm(image):
    assert image.config["Entrypoint"] == [f"/{BINARY}"] and image.config["Cmd"] == ["serve"]
    assert image.config["StopSignal"] == "SIGTERM"


def test_engines_are_told_how_to_ask_whether_it_lives(image):
    check = image.config["Healthcheck"]
    assert check["Test"] == ["CMD", f"/{BINARY}", "healthcheck"]
    assert check["Timeout"] > 2_000_000_000 and check["Retries"] == 3  # nanoseconds; it takes 2 s at most itself


def test_its_environment(image):
    assert image.environment() == {"PATH": "/usr/bin", "CONFAB_NODE_DATA_DIR": "/data", "CONFAB_HTTP_LISTEN": "0.0.0.0:8080"}


def test_labels(image, root):
    labels = {name.removeprefix(LABELS): text for name, text in image.config["Labels"].items() if name.startswith(LABELS)}
    assert set(labels) == {"title", "description", "version", "revision", "created", "licenses", "base.name"}
    assert labels["licenses"] == "Apache-2.0" and labels["title"] == "confab" and labels["description"]
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?", labels["revision"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", labels["created"])
    said = subprocess.run(["/usr/sbin/chroot", root, f"/{BINARY}", "version"], check=True, capture_output=True, text=True, env={})
    assert said.stdout == f"confab {labels['version']}\n"


def test_the_server_is_the_only_program(root, image):
    """And the loader, which is a library that is executed, the only other thing with a right to be."""
    executable = {path for path, entry in image.files().items() if may(entry.mode, 0o111)}
    assert executable - {path for path in executable if re.fullmatch(r"usr/lib(64)?/ld-linux-[^/]+", path)} <= {BINARY} | {
        path for path in executable if ".so" in path}
    programs = {path for path in image.files() if is_elf(root / path) and not re.search(r"\.so(\.|$)", path)}
    assert programs == {BINARY}
    scripts = [path for path in image.files() if (root / path).open("rb").read(2) == b"#!"]
    assert scripts == []


def test_nothing_gives_rights(image):
    wrong = [path for path, entry in image.entries.items() if entry.isfile() and may(entry.mode, stat.S_ISUID | stat.S_ISGID)]
    assert wrong == []
    assert [path for path, entry in image.entries.items() if "security.capability" in str(entry.pax_headers)] == []
    assert [path for path, entry in image.entries.items() if not (entry.isfile() or entry.isdir() or entry.issym())] == []


def test_all_but_the_data_is_roots(image):
    assert {path for path, entry in image.entries.items() if (entry.uid, entry.gid) != (0, 0)} == {"data"}
    loose = {path for path, entry in image.entries.items() if not entry.issym() and may(entry.mode, 0o022)}
    assert loose == {"data", "tmp"}
    data = image.entries["data"]
    assert (data.uid, data.gid, stat.S_IMODE(data.mode)) == (10001, 0, 0o770)
    assert stat.S_IMODE(image.entries["tmp"].mode) == 0o1777


def test_every_file_is_a_packages_or_known(root, image):
    of_packages = sums(root)
    other = {path for path in image.files() if path not in of_packages} - OWN
    assert {path for path in other if not re.fullmatch(
        r"var/lib/dpkg/status\.d/[^/]+|usr/share/doc/[^/]+/copyright|usr/share/common-licenses/[^/]+|etc/os-release", path)} == set()
    assert {path: md5(root / path) for path in of_packages} == {path: digest for path, (_, digest) in of_packages.items()}


def test_every_package_comes_with_its_licence(root):
    assert {path.parent.name for path in root.glob("usr/share/doc/*/copyright")} == {*packages(root), "confab"}
    assert "Apache License" in (root / "usr/share/doc/confab/copyright").read_text()


def needed(path):
    printed = subprocess.run(["readelf", "-d", path], check=True, capture_output=True, text=True).stdout
    return re.findall(r"\(NEEDED\).*\[(.*)\]", printed)


def test_the_libraries_are_those_that_are_needed(root, image):
    """All of them, and none besides: by walking from the server and the event loop that libwebsockets loads by name."""
    there = {path.rsplit("/", 1)[1]: path for path in image.files() if is_elf(root / path) and path != BINARY}
    plugin = "libwebsockets-evlib_uv.so"
    reached, ahead = {plugin}, [BINARY, there[plugin]]
    while ahead:
        for name in needed(root / ahead.pop()):
            assert name in there, f"{name} is missing"
            if name not in reached:
                reached.add(name)
                ahead.append(there[name])
    assert set(there) - reached - {"ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"} == set()


def test_it_knows_who_signs_certificates(root):
    context = ssl.create_default_context(cafile=root / "etc/ssl/certs/ca-certificates.crt")
    assert len(context.get_ca_certs()) > 100


def test_no_secrets(image, root):
    """Of ours; in a package are keys that its library tests itself with."""
    of_packages = sums(root)
    assert [path for path in image.files() if path not in of_packages and SECRETS.search((root / path).read_bytes())] == []
    assert not SECRETS.search(image.config_bytes)
    assert [path for path in image.entries if re.search(r"(^|/)(\.env|\.git|\.netrc|\.npmrc|id_[a-z0-9]+)$", path)] == []


@pytest.mark.parametrize("name", [".git", ".env", "data", "build", "web/node_modules"])
def test_what_may_hold_secrets_is_not_sent_to_the_build(name):
    """Everything is left out but what is named, and none of that is or holds this."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    admitted = [rule[1:] for rule in rules if rule.startswith("!")]
    assert not any(name == rule or rule.startswith(f"{name}/") for rule in admitted)
    parent = name.partition("/")[0]
    assert parent == name or parent not in admitted or name in rules
