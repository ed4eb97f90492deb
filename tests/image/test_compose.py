"""docker/compose.yaml and docker/compose.full.yaml: valid by docker-compose's own schema, hardened, without a secret that stands
in them; the servers of the second one are a chat with the settings that it gives them."""

import os
import pathlib
import re
import shutil
import stat
import subprocess
import urllib.parse

import pytest
import yaml

import ports
import server as servers
from container import Container
from fixtures import skip_reason_of_hosts
from hosts import BASE, all_hosts
from image import ROOT
from nodes import LINKS, await_metric
from talking import members, talk

FILES = ("compose.yaml", "compose.full.yaml")
SECRETS = "/run/secrets"
CONFAB = ("confab", "confab-1", "confab-2")


@pytest.fixture
def folder(tmp_path, root):
    """docker/ and what make-secrets puts there; keys are made by the server in the image."""
    copied = shutil.copytree(ROOT / "docker", tmp_path / "docker", ignore=shutil.ignore_patterns("secrets", ".env"))
    subprocess.run([copied / "make-secrets"], check=True, env={**os.environ, "CONFAB": f"/usr/sbin/chroot {root} /usr/bin/confab"})
    return copied


def resolve(file, environment=".env"):
    """What docker-compose makes of it: extended, with its variables; of a version that did not have names of projects yet."""
    text = file.read_text()
    assert re.search(r"^name: [a-z-]+$", text, re.M)
    file.with_suffix(".unnamed").write_text(re.sub(r"^name: .*$", "", text, flags=re.M))
    run = subprocess.run(["docker-compose", "--env-file", environment, "-f", file.with_suffix(".unnamed"), "config"],
                         cwd=file.parent, capture_output=True, text=True,
                         env={name: value for name, value in os.environ.items() if not name.startswith(("CONFAB_", "COMPOSE_"))})
    assert run.returncode == 0, run.stderr
    return yaml.safe_load(run.stdout.replace("$$", "$"))


@pytest.fixture(params=FILES)
def project(request, folder):
    return resolve(folder / request.param)


@pytest.fixture
def full(folder):
    return resolve(folder / "compose.full.yaml")


def test_every_service_is_held(project):
    for name, service in project["services"].items():
        assert service["read_only"] is True and service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"] and service["pids_limit"] and service["restart"] == "unless-stopped", name
        assert service["logging"]["driver"] == "local", f"{name}: the default driver keeps logs without a bound"
        assert not {"privileged", "cap_add", "devices", "network_mode", "pid", "ipc", "userns_mode"} & set(service), name


def test_every_service_tells_how_it_is(project, image):
    for name, service in project["services"].items():
        assert service["healthcheck"]["test"][0] == "CMD", name
        assert name not in CONFAB or service["healthcheck"]["test"] == image.config["Healthcheck"]["Test"]


def test_ports_are_of_this_host_alone(project):
    published = [port for service in project["services"].values() for port in service.get("ports", [])]
    assert published and all(port.startswith("127.0.0.1:") for port in published)
    assert len({port.rpartition(":")[0] for port in published}) == len(published)


def test_images_have_a_version_and_no_digest(project):
    """A digest would be one that nobody looked up."""
    for name, service in project["services"].items():
        image, _, tag = service["image"].rpartition(":")
        assert image and "@" not in service["image"]
        assert name in CONFAB or re.fullmatch(r"v?\d+(\.\d+)*", tag), name


def test_a_stop_is_longer_than_a_drain(project):
    for name in set(CONFAB) & set(project["services"]):
        assert project["services"][name]["stop_grace_period"] == "45s"


def test_files_and_volumes_are_there(project, folder):
    for service in project["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in project["volumes"] or (ROOT / pathlib.Path(source).relative_to(folder.parent)).exists(), volume


def test_secrets_are_files_and_stand_nowhere_else(full, folder):
    values = [path.read_text().strip() for path in (folder / "secrets").iterdir()]
    assert len(set(values)) == len(values) == len(full["secrets"]) and all(len(value) >= 40 for value in values)
    text = yaml.safe_dump(full["services"])
    assert [value for value in values if value in text] == []
    for service in full["services"].values():
        for name, value in service.get("environment", {}).items():
            secret = name.endswith(("_FILE", "__FILE"))
            assert not re.search("PASSWORD|SECRET|TOKEN|STORE_URL", name) or secret, name
            assert not secret or value.removeprefix(f"{SECRETS}/") in {
                one.get("target", one["source"]) for one in service["secrets"]}, name
    for one in full["secrets"].values():
        mode = pathlib.Path(one["file"]).stat().st_mode
        assert stat.S_IMODE(mode) == 0o444  # for the users in the containers
    assert stat.S_IMODE((folder / "secrets").stat().st_mode) == 0o700


def test_without_secrets_nothing_begins(folder):
    (folder / ".env").write_text("")
    with pytest.raises(AssertionError, match="make-secrets"):
        resolve(folder / "compose.full.yaml")


def test_secrets_are_made_once(folder):
    before = {path: path.read_bytes() for path in (folder / "secrets").iterdir()}
    again = subprocess.run([folder / "make-secrets"], capture_output=True, text=True)
    assert again.returncode == 1 and "is there" in again.stderr
    assert before == {path: path.read_bytes() for path in (folder / "secrets").iterdir()}


def test_secrets_are_never_half_made(tmp_path):
    shutil.copy(ROOT / "docker/make-secrets", tmp_path)
    run = subprocess.run([tmp_path / "make-secrets"], capture_output=True, text=True, env={**os.environ, "CONFAB": "echo no"})
    assert run.returncode == 1 and "has printed no pair of keys" in run.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["make-secrets"]


def test_secrets_enter_neither_history_nor_image(folder):
    made = ["docker/.env", *(f"docker/secrets/{path.name}" for path in (folder / "secrets").iterdir())]
    ignored = subprocess.run(["git", "check-ignore", *made], cwd=ROOT, capture_output=True, text=True)
    assert ignored.stdout.splitlines() == made
    rules = (ROOT / ".dockerignore").read_text().splitlines()
    assert "docker/secrets" in rules and "**/.env" in rules


def test_the_inner_network_is_closed(full):
    assert full["networks"]["inner"]["internal"] is True
    for name, service in full["services"].items():
        assert "inner" in service["networks"]
        assert ("front" in service["networks"]) == bool(service.get("ports")), name


def prometheus(folder):
    return yaml.safe_load((folder / "prometheus/prometheus.yml").read_text())


def test_prometheus_asks_the_servers_and_grafana_asks_prometheus(full, folder):
    config = prometheus(folder)
    [job] = config["scrape_configs"]
    assert job["job_name"] == "confab" and 'job="confab"' in (ROOT / "docs/alerts.yml").read_text()
    [targets] = job["static_configs"]
    assert targets["targets"] == [f"{name}:9090" for name in CONFAB if name in full["services"]]
    mounted = {volume.split(":")[1]: volume.split(":")[0] for volume in full["services"]["prometheus"]["volumes"]}
    assert [mounted[path].endswith("docs/alerts.yml") for path in config["rule_files"]] == [True]
    [source] = yaml.safe_load((folder / "grafana/datasources.yaml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090" and "prometheus" in full["services"]


class Service(Container):
    """A server as docker-compose would start it: by the image's user, with the settings of the file and no others."""

    def __init__(self, service, secrets, *rest):
        super().__init__(*rest)
        self.uid, self.gid = map(int, self.image.config["User"].split(":"))
        self.service = service
        for one in service["secrets"]:
            self.mounts[f"{SECRETS}/{one.get('target', one['source'])}"] = secrets[one["source"]]["file"]
        self.metrics_port = ports.Port(9090)
        self.metrics_port.host = self.address

    def environment(self, extra=None):
        return {**self.image.environment(), **self.service["environment"]}


@pytest.mark.skipif(bool(skip_reason_of_hosts()), reason=skip_reason_of_hosts() or "")
@pytest.mark.only_store("postgres")
def test_the_servers_of_the_full_one_are_one_chat(store_kind, store, full, folder, make_one, image, root):
    store_url = urllib.parse.urlsplit(store.url)
    secret = folder / "secrets/store-url"
    assert urllib.parse.urlsplit(secret.read_text().strip()).hostname in full["services"]
    secret.chmod(0o644)
    secret.write_text(f"{store_url._replace(netloc=store_url.netloc.replace(store_url.hostname, 'postgres')).geturl()}\n")
    hosts = dict(zip(CONFAB[1:], all_hosts()))
    running = [make_one(host=host, kind=lambda *rest, name=name: Service(full["services"][name], full["secrets"], image, root, *rest))
               for name, host in hosts.items()]
    for one in running:
        one.names("127.0.0.1 localhost", f"{BASE} postgres", *(f"{host.address} {name}" for name, host in hosts.items()))
        assert one.command("check-config").stdout == "OK\n"
        one.launch()
    for one in running:
        one.wait_serving()
        assert one.port == 8080
        await_metric(one, LINKS, 1)
        assert one.check_health() == (0, "")
    talk(*members(*running))
    for one in running:
        one.signal(servers.signal.SIGTERM)
        assert one.wait_exit() == 0
