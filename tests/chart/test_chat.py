"""What `helm test` runs, against servers that run as the pods of the rendered chart do: with its settings file, the variables
of its container, each pod's own key, and a migration before the first start. Their addresses alone are this machine's."""

import pathlib
import signal

import pytest

import chart
import planted
import rest
import server as servers
from nodes import LINKS, await_metric
from ports import free_port

pytestmark = pytest.mark.only_store("postgres")
REPLICAS = 2


@pytest.fixture
def rendered(make_server):
    pairs = [make_server().command("token", "mesh-key").stdout.split() for _ in range(REPLICAS)]
    for secret, _ in pairs:
        planted.plant(secret)
    manifests = chart.render({"store": {"existingSecret": "pg"}, "replicas": REPLICAS, "mesh": {
        "secretKeys": [secret for secret, _ in pairs], "publicKeys": [public for _, public in pairs]}})
    manifests.keys = [secret for secret, _ in pairs]
    return manifests


def mesh_at(port):
    return {"CONFAB_MESH_LISTEN": f"127.0.0.1:{port}", "CONFAB_MESH_ENDPOINT": f"tcp://127.0.0.1:{port}"}


def replace_pod(pod, **env):
    """The next one has the same name and another address."""
    pod.signal(signal.SIGTERM)
    assert pod.wait_exit() == 0
    pod.start(**mesh_at(free_port()), **env)


@pytest.fixture
def make_pod(make_server, rendered, store, tmp_path):
    def make(number):
        folder = tmp_path / f"pod{number}"
        folder.mkdir()
        env = chart.in_a_pod(rendered, folder, number, store.url, rendered.keys[number], "127.0.0.1")
        for ours in ("CONFAB_HTTP_LISTEN", "CONFAB_NODE_DATA_DIR"):
            env.pop(ours)
        made = make_server({**env, **mesh_at(free_port()), "CONFAB_STORE_URL": "", "CONFAB_METRICS_LISTEN": f"127.0.0.1:{free_port()}"})
        made.metrics_port = int(made.env["CONFAB_METRICS_LISTEN"].rpartition(":")[2])
        return made
    return make


@pytest.fixture
def pods(make_pod, store_kind):
    made = [make_pod(number) for number in range(REPLICAS)]
    for one in made:
        assert one.command("migrate").returncode == 0
        one.start()
    for one in made:
        await_metric(one, LINKS, REPLICAS - 1)
    return made


def chat(rendered, pods, seconds=60):
    """Runs what the test's pod does, with these pods where it names them."""
    (container,) = rendered.one("Pod")["spec"]["containers"]
    words = container["args"]
    assert words[:3] == ["smoke", "--seconds", "60"] and len(words) == 3 + len(pods)
    return pods[0].command(*words[:2], str(seconds), *(one.url for one in pods))


def test_helm_test_chats_through_two_pods(rendered, pods):
    for _ in range(2):  # and may be repeated
        done = chat(rendered, pods)
        assert done.returncode == 0 and done.stdout.startswith("ok: two users have logged in"), done.stderr
        assert all(one.url in done.stdout for one in pods)
    assert chat(rendered, [pods[0], pods[0]]).returncode == 0, "as with one pod"


def test_the_pod_of_helm_test_asks_two_pods_by_their_names(rendered):
    spec = rendered.one("Pod")["spec"]["containers"][0]
    assert spec["args"][3:] == ["http://confab-0.confab-mesh:8080", "http://confab-1.confab-mesh:8080"]
    assert spec["image"] == rendered.server["image"] and "command" not in spec and "env" not in spec, "nothing but the server's image"
    annotations = rendered.one("Pod")["metadata"]["annotations"]
    assert annotations["helm.sh/hook"] == "test"
    assert annotations["helm.sh/hook-delete-policy"] == "before-hook-creation", "helm reads its log when it has ended"


def test_probes_and_metrics_answer_where_the_chart_looks_for_them(rendered, pods):
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        path = rendered.server[probe]["httpGet"]["path"]
        client = rest.Client(pods[0].metrics_port)
        servers.until(lambda where=path, one=client: one.raw("GET", where)[0] == 200, f"200 of {path}")


def test_a_pod_whose_database_is_away_lives_and_is_not_ready(rendered, make_pod, store_kind):
    """So it is not started over and over: probes see it from the beginning."""
    pod = make_pod(0)
    pathlib.Path(pod.env["CONFAB_STORE_URL_FILE"]).write_text("postgres://chat:word@127.0.0.1:9/chat")
    pod.allow_errors("^cannot open the store$")
    pod.launch()
    client = rest.Client(pod.metrics_port)

    def answer(probe):
        try:
            return client.raw("GET", rendered.server[probe]["httpGet"]["path"])[0]
        except ConnectionRefusedError:
            return None  # not yet

    servers.until(lambda: answer("startupProbe") == 200, "the first probe")
    assert answer("livenessProbe") == 200 and answer("readinessProbe") == 503


def test_helm_test_fails_when_a_pod_is_away(rendered, pods):
    pods[1].kill()
    done = chat(rendered, pods)
    assert done.returncode == 1 and done.stderr.startswith(f"confab smoke: {pods[1].url}: "), done.stderr


def test_helm_test_fails_when_pods_are_two_chats(rendered, pods, make_server, tmp_path):
    stranger = make_server({"CONFAB_STORE_URL": f"sqlite:{tmp_path}/other.db"}).start()
    done = chat(rendered, [pods[0], stranger])
    assert done.returncode == 1 and "is answered 404" in done.stderr


def test_helm_test_gives_up_in_time(rendered, pods):
    pods[1].freeze()
    done = chat(rendered, pods, seconds=5)
    assert done.returncode == 1, done.stdout
    pods[1].kill()


def test_keys_are_changed_without_an_end_of_the_chat(rendered, pods, make_server):
    """As docs/operations.md says: public keys first, then the pods' own, then the old ones go."""
    old = rendered.config["mesh"]["allowed_keys"]
    fresh = [pods[0].command("token", "mesh-key").stdout.split() for _ in range(REPLICAS)]
    for secret, _ in fresh:
        planted.plant(secret)
    new = [public for _, public in fresh]

    def replace(allowed, secrets=None):
        for number, one in enumerate(pods):
            if secrets:
                pathlib.Path(one.env["CONFAB_MESH_SECRET_KEY_FILE"]).write_text(secrets[number])
            replace_pod(one, CONFAB_MESH_ALLOWED_KEYS=",".join(allowed))
            for each in pods:
                await_metric(each, LINKS, REPLICAS - 1)
            assert chat(rendered, pods).returncode == 0

    replace([*old, *new])
    replace([*old, *new], [secret for secret, _ in fresh])
    replace(new)
    assert all(one.metrics()["confab_mesh_refused_total"] == 0 for one in pods)


@pytest.mark.parametrize("address", ["the same", "another"])
def test_a_pod_that_begins_again_takes_no_chat_with_it(rendered, pods, address):
    """As a container that is started again, or as a pod that is replaced."""
    for one in pods:
        one.signal(signal.SIGTERM)
        assert one.wait_exit() == 0
        one.start(**(mesh_at(free_port()) if address == "another" else {}))
        await_metric(one, LINKS, REPLICAS - 1)
        assert chat(rendered, pods).returncode == 0
