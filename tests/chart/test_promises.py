"""What the chart promises, held to what it renders."""

import base64
import json
import re
import subprocess

import pytest
import yaml

import chart
from chart import EXTRAS, INGRESS, MATRIX, MONITORED, NEW, OWN_SECRET, POSTGRES, PUBLIC, ROUTE, SCALED, SECRET, SQLITE, STORE, merged, render

ALL = pytest.mark.parametrize("name", MATRIX)


def selects(selector, labels):
    return selector.items() <= labels.items()


def env_of(manifests):
    return {one["name"]: one.get("value") for one in manifests.server["env"]}


@pytest.fixture
def default():
    return render(POSTGRES)


# --- pods

@ALL
def test_pods_and_services_belong_together(name):
    manifests = render(MATRIX[name])
    workload = manifests.one("StatefulSet")
    labels = workload["spec"]["template"]["metadata"]["labels"]
    assert selects(workload["spec"]["selector"]["matchLabels"], labels)
    public = manifests.one("Service", workload["metadata"]["name"])
    mesh = manifests.one("Service", workload["spec"]["serviceName"])
    ports = {one["name"]: one["containerPort"] for one in manifests.server["ports"]}
    for service in (public, mesh):
        assert selects(service["spec"]["selector"], labels)
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= set(ports)
    assert [port["targetPort"] for port in public["spec"]["ports"]] == ["http"], "metrics and mesh are not for clients"
    assert mesh["spec"]["clusterIP"] == "None" and mesh["spec"]["publishNotReadyAddresses"] is True
    assert ("mesh" in ports) == ("mesh" in manifests.config) == ("CONFAB_MESH_LISTEN" in env_of(manifests))
    assert {name: int(env_of(manifests)[f"CONFAB_{name.upper()}_LISTEN"].rpartition(":")[2]) for name in ports} == ports
    test = [one for one in manifests.of("Pod")]
    assert not any(selects(public["spec"]["selector"], one["metadata"]["labels"]) for one in test), "the test's pod serves nobody"


def test_any_number_of_pods_starts_in_any_order_and_is_replaced_one_by_one(default):
    spec = default.one("StatefulSet")["spec"]
    assert spec["replicas"] == 2 and spec["podManagementPolicy"] == "Parallel"
    assert spec["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}} and spec["minReadySeconds"] == 10


def restricted(spec):
    """Breaches of the Pod Security Standard "restricted", and of what the chart promises beyond it."""
    pod = spec.get("securityContext", {})
    yield from (key for key in ("hostNetwork", "hostPID", "hostIPC") if spec.get(key))
    for volume in spec.get("volumes", []):
        kind = next(key for key in volume if key != "name")
        if kind not in ("configMap", "secret", "emptyDir", "persistentVolumeClaim", "projected", "downwardAPI", "csi", "ephemeral"):
            yield f"volume of {kind}"
    if spec.get("automountServiceAccountToken") is not False:
        yield "a token"
    if spec.get("enableServiceLinks") is not False:
        yield "variables of services"
    if pod.get("runAsUser") == 0 or pod.get("runAsGroup") == 0:
        yield "root"
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        own = container.get("securityContext", {})
        if container["image"] in ("first", "beside"):  # of the values
            continue
        if own.get("allowPrivilegeEscalation") is not False or own.get("privileged"):
            yield "privileges"
        if own.get("capabilities") != {"drop": ["ALL"]}:
            yield "capabilities"
        if own.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True or own.get("runAsUser") == 0:
            yield "root"
        if own.get("seccompProfile", pod.get("seccompProfile")) != {"type": "RuntimeDefault"}:
            yield "seccomp"
        if own.get("readOnlyRootFilesystem") is not True:
            yield "a root that can be written"
        if any("hostPort" in port for port in container.get("ports", [])):
            yield "a port of the host"
        if not container["resources"].get("requests", {}).keys() >= {"cpu", "memory"} or "memory" not in container["resources"].get("limits", {}):
            yield "no bounds on what it uses"


@ALL
def test_every_pod_is_restricted(name):
    manifests = render(MATRIX[name])
    pods = [manifests.pod, *(one["spec"] for one in manifests.of("Pod"))]
    assert [breach for spec in pods for breach in restricted(spec)] == []
    assert len(pods) == (1 if name == "no more than needed" else 2)


@pytest.mark.parametrize("values, breach", [
    ({"securityContext": {"readOnlyRootFilesystem": False}}, "a root that can be written"),
    ({"securityContext": {"capabilities": {"drop": ["NET_RAW"]}}}, "capabilities"),
    ({"podSecurityContext": {"runAsUser": 0}}, "root"),
    ({"extraVolumes": [{"name": "x", "hostPath": {"path": "/"}}]}, "volume of hostPath"),
    ({"resources": {"limits": {"memory": None}}}, "no bounds on what it uses"),
])
def test_a_breach_would_be_seen(values, breach):
    assert breach in list(restricted(render(merged(POSTGRES, values)).pod))


def test_pods_have_a_user_of_their_own_unless_the_platform_gives_them_one(default):
    assert {default.pod["securityContext"][key] for key in ("runAsUser", "runAsGroup", "fsGroup")} == {10001}
    assert not {"runAsUser", "runAsGroup", "fsGroup"} & set(render(MATRIX["users of the platform"]).pod["securityContext"])


def test_the_service_account_has_no_token(default):
    account = default.one("ServiceAccount")
    assert account["automountServiceAccountToken"] is False and default.pod["serviceAccountName"] == account["metadata"]["name"]
    without = render(merged(POSTGRES, {"serviceAccount": {"create": False}}))
    assert without.of("ServiceAccount") == [] and without.pod["serviceAccountName"] == "default"
    assert not any(one["kind"] in ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding") for one in default)


def test_probes_are_on_and_liveness_never_asks_the_store(default):
    server = default.server
    assert server["startupProbe"]["httpGet"] == server["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "metrics"}
    assert server["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics"}
    # /livez waits up to 5 s for an answer of an actor, and a start has a minute for its store
    assert server["livenessProbe"]["failureThreshold"] * server["livenessProbe"]["periodSeconds"] > 5
    assert server["startupProbe"]["failureThreshold"] * server["startupProbe"]["periodSeconds"] > 60


@pytest.mark.parametrize("values", [{}, {"shutdownSeconds": 120, "preStopSeconds": 20}, {"shutdownSeconds": 1, "preStopSeconds": 0}])
def test_a_pod_has_longer_than_its_drain(values):
    manifests = render(merged(POSTGRES, values))
    drain = int(manifests.config["shutdown"]["timeout"].removesuffix("s"))
    pause = manifests.server.get("lifecycle", {"preStop": {"sleep": {"seconds": 0}}})["preStop"]["sleep"]["seconds"]
    assert drain == values.get("shutdownSeconds", 30) and pause == values.get("preStopSeconds", 5)
    assert manifests.pod["terminationGracePeriodSeconds"] >= drain + pause + 10


def test_the_pause_before_the_drain_needs_no_shell():
    """And is left out where Kubernetes does not know it."""
    assert render(POSTGRES).server["lifecycle"] == {"preStop": {"sleep": {"seconds": 5}}}
    assert "lifecycle" not in render(POSTGRES, "1.29.9").server


def test_pods_are_spread_over_zones_and_machines(default):
    constraints = default.pod["topologySpreadConstraints"]
    labels = default.one("StatefulSet")["spec"]["template"]["metadata"]["labels"]
    assert [one["topologyKey"] for one in constraints] == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    assert all(one["maxSkew"] == 1 and selects(one["labelSelector"]["matchLabels"], labels) for one in constraints)
    assert "topologySpreadConstraints" not in render(SQLITE).pod
    assert render(merged(POSTGRES, EXTRAS)).pod["topologySpreadConstraints"] == EXTRAS["topologySpreadConstraints"]


def test_the_schema_is_migrated_before_the_server_starts(default):
    (migrate,) = default.pod["initContainers"]
    assert migrate["args"] == ["migrate"] and default.server["args"] == ["serve"]
    for key in ("image", "env", "volumeMounts", "securityContext"):
        assert migrate[key] == default.server[key]
    assert "initContainers" not in render(merged(POSTGRES, {"migration": {"enabled": False}})).pod


def test_no_container_needs_a_shell():
    for manifests in map(render, MATRIX.values()):
        for one in [*manifests.pod.get("initContainers", []), *manifests.pod["containers"]]:
            assert "command" not in one and "exec" not in json.dumps(one.get("lifecycle", {}))


LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@pytest.mark.parametrize("release", ["confab", "r", "a" * 53, "release-" + "b" * 37 + "-" + "c" * 7])
@ALL
def test_names_and_labels_are_some_that_kubernetes_takes(name, release):
    """Which schemas do not tell."""
    for one in render(MATRIX[name], release=release):
        metas = [one["metadata"]] + ([one["spec"]["template"]["metadata"]] if one["kind"] == "StatefulSet" else [])
        for meta in metas:
            assert all(LABEL.fullmatch(value) for value in meta.get("labels", {}).values()), meta
        assert NAME.fullmatch(one["metadata"]["name"]), one["metadata"]["name"]
        if one["kind"] == "StatefulSet":
            assert len(one["metadata"]["name"]) <= 52, "its revisions get a name of that and eleven more"
    ports = [port["name"] for port in render(MATRIX[name]).server["ports"]]
    assert all(re.fullmatch(r"[a-z]([-a-z0-9]{0,14})", port) for port in ports) and len(set(ports)) == len(ports)


# --- settings and secrets

def test_settings_become_the_file_that_confab_reads():
    config = render(MATRIX["settings"]).config
    assert config["limits"] == {"buckets_max": 1000000, "posts_per_minute": 0} and config["stock"]["echo"] is False
    assert config["http"]["allowed_origins"] == ["https://a.example.org", "https://b.example.org"]
    assert config["node"] == {"environment": "production"} and config["http"]["connections_max"] == 10000
    assert "1000000" in chart.template(MATRIX["settings"]) and "1e+06" not in chart.template(MATRIX["settings"])


def test_pods_are_replaced_when_settings_or_secrets_change():
    def sums(values):
        annotations = render(values).one("StatefulSet")["spec"]["template"]["metadata"]["annotations"]
        return annotations["checksum/config"], annotations.get("checksum/secret")
    before = sums(OWN_SECRET)
    assert sums(OWN_SECRET) == before == sums(merged(OWN_SECRET, {"service": {"port": 81}}))
    assert sums(merged(OWN_SECRET, {"config": {"log": {"level": "warn"}}}))[0] != before[0]
    assert sums(merged(OWN_SECRET, {"shutdownSeconds": 31}))[0] != before[0]
    assert sums(merged(OWN_SECRET, {"store": {"url": STORE + "2"}}))[1] != before[1]
    assert sums(merged(OWN_SECRET, {"mesh": {"secretKeys": SECRET[::-1]}}))[1] != before[1]
    assert sums(POSTGRES)[1] is None


@ALL
def test_secrets_stand_in_secrets_alone_and_come_as_files(name):
    manifests = render(MATRIX[name])
    planted = [STORE, *SECRET]
    for one in manifests:
        if one["kind"] != "Secret":
            assert not any(secret in json.dumps(one, ensure_ascii=False) for secret in planted), one["kind"]
    assert "Secret" not in [one["kind"] for one in manifests] or "store" in MATRIX[name]
    for variable in manifests.server["env"]:
        assert variable["name"] not in ("CONFAB_STORE_URL", "CONFAB_MESH_SECRET_KEY")


def test_a_created_secret_has_all_and_an_existing_one_is_not_made():
    secret = render(OWN_SECRET).one("Secret")
    read = {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
    assert read == {"store-url": STORE, "confab-0": SECRET[0], "confab-1": SECRET[1], "confab-2": SECRET[2]}
    assert render(POSTGRES).of("Secret") == []
    volumes = {one["name"]: one.get("secret") for one in render(POSTGRES).pod["volumes"]}
    assert volumes["store"]["secretName"] == "pg" and volumes["store"]["items"] == [{"key": "store-url", "path": "url"}]
    assert volumes["mesh"]["secretName"] == "keys"
    other = render(MATRIX["one pod without a mesh"])
    assert {one["name"]: one for one in other.pod["volumes"]}["store"]["secret"]["items"] == [{"key": "uri", "path": "url"}]


@pytest.mark.parametrize("release, pod", [("confab", "confab"), ("talk", "talk-confab"), ("a" * 53, "a" * 45)])
def test_a_pod_sees_its_own_key_alone(release, pod):
    manifests = render(OWN_SECRET, release=release)
    (mount,) = [one for one in manifests.server["volumeMounts"] if one["name"] == "mesh"]
    assert mount == {"name": "mesh", "mountPath": "/run/confab/mesh/key", "subPathExpr": "$(CONFAB_NODE_NAME)", "readOnly": True}
    name = next(one for one in manifests.server["env"] if one["name"] == "CONFAB_NODE_NAME")
    assert name["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    assert manifests.one("StatefulSet")["metadata"]["name"] == pod
    assert {f"{pod}-{i}" for i in range(3)} < set(manifests.one("Secret")["data"])
    assert all(len(f"{pod}-{i}") <= 63 for i in range(64)), "as a node's name may be"


def test_nodes_are_told_where_they_are_and_whom_they_let_in(default):
    assert default.config["mesh"] == {"allowed_keys": PUBLIC}
    env = env_of(default)
    assert env["CONFAB_MESH_LISTEN"] == "0.0.0.0:7700" and env["CONFAB_MESH_ENDPOINT"] == "tcp://$(POD_IP):7700"
    assert env["CONFAB_HTTP_LISTEN"] == "0.0.0.0:8080" and env["CONFAB_METRICS_LISTEN"] == "0.0.0.0:9090"
    names = [one["name"] for one in default.server["env"]]
    assert names.index("POD_IP") < names.index("CONFAB_MESH_ENDPOINT"), "Kubernetes knows of what stands before"
    six = render(MATRIX["ipv6"])
    assert env_of(six)["CONFAB_MESH_LISTEN"] == "[::]:7700" and env_of(six)["CONFAB_HTTP_LISTEN"] == "[::]:8080"
    assert env_of(six)["CONFAB_MESH_ENDPOINT"] == "tcp://[$(POD_IP)]:7700"
    assert all(one["spec"]["ipFamilyPolicy"] == "PreferDualStack" for one in six.of("Service"))


def test_sqlite_is_one_pod_on_a_volume_that_stays():
    manifests = render(SQLITE)
    spec = manifests.one("StatefulSet")["spec"]
    (claim,) = spec["volumeClaimTemplates"]
    assert spec["replicas"] == 1 and claim["spec"] == {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}}
    assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    assert {"name": claim["metadata"]["name"], "mountPath": "/data"} in manifests.server["volumeMounts"]
    assert manifests.of("PodDisruptionBudget") == manifests.of("HorizontalPodAutoscaler") == manifests.of("Secret") == []
    assert "mesh" not in manifests.config and not any("STORE" in one["name"] or "MESH" in one["name"] for one in manifests.server["env"])
    mine = render(MATRIX["sqlite on a claim"])
    assert "volumeClaimTemplates" not in mine.one("StatefulSet")["spec"]
    assert {"name": "data", "persistentVolumeClaim": {"claimName": "mine"}} in mine.pod["volumes"]
    assert render(MATRIX["sqlite on a class"]).one("StatefulSet")["spec"]["volumeClaimTemplates"][0]["spec"]["storageClassName"] == "fast"
    assert render(MATRIX["sqlite without a class"]).one("StatefulSet")["spec"]["volumeClaimTemplates"][0]["spec"]["storageClassName"] == ""


# --- around the pods

def test_a_disruption_takes_one_pod(default):
    budget = default.one("PodDisruptionBudget")["spec"]
    assert budget["maxUnavailable"] == 1 and budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    assert selects(budget["selector"]["matchLabels"], default.one("StatefulSet")["spec"]["template"]["metadata"]["labels"])


def test_the_autoscaler_looks_at_cpu_and_connections_and_is_slow_to_take_pods_away():
    manifests = render(SCALED)
    spec = manifests.one("HorizontalPodAutoscaler")["spec"]
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "confab"}
    assert "replicas" not in manifests.one("StatefulSet")["spec"], "two would say how many"
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 3)
    cpu, connections = spec["metrics"]
    assert cpu["resource"] == {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}
    assert connections["pods"] == {"metric": {"name": "websocket_connections_active"}, "target": {"type": "AverageValue", "averageValue": "5000"}}
    down, up = spec["behavior"]["scaleDown"], spec["behavior"]["scaleUp"]
    assert down == {"stabilizationWindowSeconds": 900, "selectPolicy": "Min", "policies": [{"type": "Pods", "value": 1, "periodSeconds": 300}]}
    assert up["stabilizationWindowSeconds"] == 0 and manifests.one("PodDisruptionBudget")
    assert [one["type"] for one in render(MATRIX["scaled by cpu"]).one("HorizontalPodAutoscaler")["spec"]["metrics"]] == ["Resource"]
    assert [one["type"] for one in render(MATRIX["scaled by connections"]).one("HorizontalPodAutoscaler")["spec"]["metrics"]] == ["Pods"]


def test_the_metric_of_the_autoscaler_is_one_of_confab():
    values = yaml.safe_load((chart.CHART / "values.yaml").read_text())
    assert f"`{values['autoscaling']['connectionsMetric']}`" in (chart.ROOT / "docs/operations.md").read_text()


def rules(policy, way):
    """{port: rule}"""
    return {rule["ports"][0]["port"]: rule for rule in policy["spec"][way]}


def test_the_network_policy_lets_in_and_out_what_is_named(default):
    policy = default.one("NetworkPolicy")
    pods = {"app.kubernetes.io/name": "confab", "app.kubernetes.io/instance": "confab", "app.kubernetes.io/component": "server"}
    nodes = [{"podSelector": {"matchLabels": pods}}]
    assert policy["spec"]["podSelector"]["matchLabels"] == pods and policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    come, go = rules(policy, "ingress"), rules(policy, "egress")
    assert set(come) == {8080, 7700, 9090} and "from" not in come[8080] and come[7700]["from"] == nodes
    assert come[9090]["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
    assert set(go) == {53, 7700, 5432, 443} and go[7700]["to"] == nodes
    assert [port["protocol"] for port in go[53]["ports"]] == ["UDP", "TCP"] and go[53]["to"][0]["podSelector"]
    blocks = [one["ipBlock"] for one in go[443]["to"]]
    assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8"} <= set(blocks[0]["except"])
    assert [block["cidr"] for block in blocks] == ["0.0.0.0/0", "2000::/3"], "unique local and link-local addresses are not of the latter"
    assert all(rule.get("to") for port, rule in go.items() if port != 5432)


def test_the_network_policy_can_be_narrowed():
    policy = render(MATRIX["narrow network"]).one("NetworkPolicy")
    come, go = rules(policy, "ingress"), rules(policy, "egress")
    test = render(MATRIX["narrow network"]).one("Pod")["metadata"]["labels"]
    assert come[8080] == {"ports": [{"port": 8080}]} and 9090 not in come, "the own rule is the last one"
    first = policy["spec"]["ingress"][0]
    assert first["from"][0]["namespaceSelector"] and selects(first["from"][1]["podSelector"]["matchLabels"], test), "helm test gets in"
    assert go[6432]["to"] == [{"ipBlock": {"cidr": "10.9.0.0/24"}}] and go[11434]["to"] and 443 not in go and 8125 in go
    assert go[14318]["to"] == [{"podSelector": {"matchLabels": {"app": "collector"}}}]
    assert render(SQLITE).one("NetworkPolicy") and set(rules(render(SQLITE).one("NetworkPolicy"), "egress")) == {53, 443}
    assert render(MATRIX["no more than needed"]).of("NetworkPolicy") == []


@pytest.mark.parametrize("url, port", [("http://collector:4318/v1/traces", 4318), ("https://collector.example.org/v1/traces", 443),
                                       ("http://collector", 80), ("http://[::1]:4318", 4318), ("http://[fd00::80]/v1/traces", 80)])
def test_the_network_policy_lets_out_to_the_collector_by_the_port_of_its_url(url, port):
    go = rules(render(merged(POSTGRES, {"config": {"trace": {"url": url}}})).one("NetworkPolicy"), "egress")
    assert port in go and "to" not in go[port] and port in {4318, 80, 443}


def test_ingress_and_route_lead_to_the_service():
    manifests = render(merged(POSTGRES, INGRESS, ROUTE, {"service": {"port": 8000}}))
    spec = manifests.one("Ingress")["spec"]
    assert spec["ingressClassName"] == "nginx" and spec["tls"] == INGRESS["ingress"]["tls"]
    backend = {"service": {"name": "confab", "port": {"number": 8000}}}
    assert [(rule["host"], path["path"], path["pathType"]) for rule in spec["rules"] for path in rule["http"]["paths"]] == [
        ("chat.example.org", "/", "Prefix"), ("b.example.org", "/x", "Exact")]
    assert all(path["backend"] == backend for rule in spec["rules"] for path in rule["http"]["paths"])
    route = manifests.one("HTTPRoute")["spec"]
    assert route["parentRefs"] == ROUTE["httpRoute"]["parentRefs"] and route["hostnames"] == ["chat.example.org"]
    assert route["rules"][0]["backendRefs"] == [{"name": "confab", "port": 8000}] and route["rules"][0]["timeouts"] == {"request": "0s"}
    assert manifests.one("Service", "confab")["spec"]["ports"][0]["port"] == 8000


def test_prometheus_finds_every_pod_once_under_the_name_that_alerts_know():
    manifests = render(merged(POSTGRES, MONITORED))
    monitor = manifests.one("ServiceMonitor")
    found = [one for one in manifests.of("Service") if selects(monitor["spec"]["selector"]["matchLabels"], one["metadata"]["labels"])]
    assert [one["metadata"]["name"] for one in found] == ["confab-mesh"]
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["port"] in [port["name"] for port in found[0]["spec"]["ports"]] and endpoint["path"] == "/metrics"
    job = {"action": "replace", "targetLabel": "job", "replacement": "confab"}
    release = {"action": "replace", "targetLabel": "release", "replacement": "confab"}
    assert endpoint["relabelings"] == [job, release, {"action": "labeldrop", "regex": "pod"}] and monitor["metadata"]["labels"]["release"] == "prometheus"
    assert 'job="confab"' in (chart.ROOT / "docs/alerts.yml").read_text()
    pods = render(MATRIX["pods monitored"])
    monitor = pods.one("PodMonitor")
    labels = pods.one("StatefulSet")["spec"]["template"]["metadata"]["labels"]
    assert selects(monitor["spec"]["selector"]["matchLabels"], labels)
    assert monitor["spec"]["podMetricsEndpoints"][0]["relabelings"][:2] == [job, release]
    assert monitor["spec"]["podMetricsEndpoints"][0]["port"] in [port["name"] for port in pods.server["ports"]]


def test_the_rules_are_those_of_the_documentation_about_this_release():
    text = (chart.ROOT / "docs/alerts.yml").read_text()
    groups = render(merged(POSTGRES, MONITORED), namespace="chats").one("PrometheusRule")["spec"]["groups"]
    own = yaml.safe_load(text.replace('job="confab"', 'job="confab",namespace="chats",release="confab"'))["groups"]
    assert groups == [*own, *MONITORED["metrics"]["prometheusRule"]["extraGroups"]]
    scraped_by_others = merged(POSTGRES, MONITORED, {"metrics": {"serviceMonitor": {"enabled": False}}})
    groups = render(scraped_by_others, namespace="chats").one("PrometheusRule")["spec"]["groups"]
    assert groups[0] == yaml.safe_load(text)["groups"][0]


ALERTS = chart.ROOT / "docs/alerts.yml"
BOUND = r"([0-9.]+) # bound: (\S+)$"


def alerts(*values):
    """alert: expression."""
    groups = render(merged(POSTGRES, {"metrics": {"prometheusRule": {"enabled": True}}}, *values)).one("PrometheusRule")["spec"]["groups"]
    return {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}


def changed(*values):
    """The expressions that are others with these values."""
    before = alerts()
    return [expression for name, expression in alerts(*values).items() if expression != before[name]]


def setting(name):
    """Its default, as docs/configuration.md has it."""
    section, key = name.split(".")
    part = (chart.ROOT / "docs/configuration.md").read_text().partition(f"\n## {section}\n")[2]
    return re.search(rf"^\| `{key}` \| [^|]* \| `([^`]*)`", part, re.M)[1]


def in_bytes(text):
    number, unit = re.fullmatch(r"([0-9.]+)(|[KMG]iB?)", text).groups()
    return float(number) * {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}[unit[:1]]


def test_bounds_of_alerts_are_values_or_follow_what_they_are_of():
    values = yaml.safe_load((chart.CHART / "values.yaml").read_text())
    bounds = {name: float(number) for number, name in re.findall(BOUND, ALERTS.read_text(), re.M)}
    own = values["metrics"]["prometheusRule"]["bounds"]
    assert {name: bound for name, bound in bounds.items() if "." not in name} == own
    assert bounds["resources.limits.memory"] == in_bytes(values["resources"]["limits"]["memory"])
    settings = {name: bound for name, bound in bounds.items() if "." in name and name != "resources.limits.memory"}
    assert len(settings) == 3 and settings == {name: in_bytes(setting(name)) for name in settings}
    for name in own:
        (expression,) = changed({"metrics": {"prometheusRule": {"bounds": {name: 0.77}}}})
        assert re.search(r"[<>] (24 \* 3600 \* )?0\.77$", expression.partition(" # ")[0]), name


@pytest.mark.parametrize("config, bound", [
    ({"auth": {"hash_queue": 4096}}, 4096), ({"gateway": {"pool_bytes": "128MiB"}}, 2**27), ({"gateway": {"pool_bytes": 100000000}}, 10**8),
    ({"http": {"request_pool_bytes": "1GiB"}}, 2**30)])
def test_an_alert_follows_its_setting(config, bound):
    (expression,) = changed({"config": config})
    assert f"> 0.8 * {bound}" in expression


@pytest.mark.parametrize("memory, bound", [
    ("512Mi", 2**29), ("1.5Gi", 3 * 2**29), ("3G", 3 * 10**9), ("1500M", 15 * 10**8), ("2097152Ki", 2**31), (4294967296, 2**32), ("4e9", 4 * 10**9)])
def test_the_alert_on_memory_follows_the_containers_limit(memory, bound):
    expression = alerts({"resources": {"limits": {"memory": memory}}})["ConfabMemoryNearLimit"]
    assert expression == f'process_resident_memory_bytes{{job="confab"}} > 0.8 * {bound}'


def test_without_a_limit_there_is_no_alert_on_memory():
    assert alerts().keys() - alerts({"resources": {"limits": {"memory": None}}}).keys() == {"ConfabMemoryNearLimit"}


def test_the_board_is_that_of_the_compose_file():
    board = next(found for found in render(merged(POSTGRES, MONITORED)).of("ConfigMap") if "confab.json" in found["data"])
    assert json.loads(board["data"]["confab.json"]) == json.loads((chart.ROOT / "docker/grafana/confab.json").read_text())
    assert board["metadata"]["labels"]["grafana_dashboard"] == "1" and board["metadata"]["annotations"]["grafana_folder"] == "chat"
    assert not any("confab.json" in found["data"] for found in render(POSTGRES).of("ConfigMap"))


def test_what_users_add_is_there():
    manifests = render(merged(POSTGRES, EXTRAS))
    pod, server = manifests.pod, manifests.server
    template = manifests.one("StatefulSet")["spec"]["template"]["metadata"]
    assert template["labels"]["pod"] == "label" and template["annotations"]["pod"] == "annotation"
    for one in manifests:
        if "extra" not in one["metadata"]["name"] and "text" not in one["metadata"]["name"]:
            assert one["metadata"]["labels"]["team"] == "chat" and one["metadata"]["annotations"]["note"] == "all", one["kind"]
    assert all(one in server["env"] for one in EXTRAS["extraEnv"]) and server["envFrom"] == EXTRAS["extraEnvFrom"]
    assert EXTRAS["extraVolumes"][0] in pod["volumes"] and EXTRAS["extraVolumeMounts"][0] in server["volumeMounts"]
    assert server["args"] == ["serve", "--set", "log.level=error"]
    assert [one["name"] for one in pod["initContainers"]] == ["first", "migrate"] and [one["name"] for one in pod["containers"]] == ["confab", "beside"]
    for key in ("imagePullSecrets", "nodeSelector", "tolerations", "affinity", "priorityClassName", "runtimeClassName", "schedulerName",
                "dnsConfig", "hostAliases"):
        assert pod[key] == EXTRAS[key], key
    assert manifests.one("ConfigMap", "confab-extra") and manifests.one("ConfigMap", "confab-text")


def test_the_image_is_a_tag_or_a_digest():
    version = yaml.safe_load((chart.CHART / "Chart.yaml").read_text())["appVersion"]
    assert render(POSTGRES).server["image"] == f"confab:{version}"
    image = {"repository": "registry.example.org/confab", "tag": "1.2.3"}
    assert render(merged(POSTGRES, {"image": image})).server["image"] == "registry.example.org/confab:1.2.3"
    image["digest"] = "sha256:" + "ab" * 32
    assert render(merged(POSTGRES, {"image": image})).server["image"] == f"registry.example.org/confab@{image['digest']}"


def test_the_chart_is_of_the_version_of_the_server():
    meta = yaml.safe_load((chart.CHART / "Chart.yaml").read_text())
    assert f"project(confab VERSION {meta['appVersion']} " in (chart.ROOT / "CMakeLists.txt").read_text()


def test_everything_is_in_the_namespace_of_the_release():
    for one in render(MATRIX["all of it"], namespace="elsewhere"):
        if "extra" not in one["metadata"]["name"] and "text" not in one["metadata"]["name"]:
            assert one["metadata"]["namespace"] == "elsewhere", one["kind"]


def test_the_chart_can_be_packed(tmp_path):
    subprocess.run([str(chart.HELM), "package", str(chart.CHART), "--destination", str(tmp_path)], check=True, capture_output=True)
    (packed,) = tmp_path.glob("confab-*.tgz")
    text = chart.run("template", "confab", str(packed), "--kube-version", NEW, values=merged(POSTGRES, MONITORED))
    assert "ConfabDown" in text, "the alerts came along"


def test_notes_say_how_to_go_on_and_what_is_amiss():
    said = chart.notes(POSTGRES)
    assert "helm test confab --namespace chat" in said and "port-forward service/confab 8080:80" in said and "NOTE" not in said
    assert "trusted_proxies is empty" in chart.notes(merged(POSTGRES, ROUTE)) and "trusted_proxies" not in chart.notes(merged(POSTGRES, INGRESS))
    assert "https://chat.example.org" in chart.notes(merged(POSTGRES, INGRESS))
    assert "adapter for custom metrics" in chart.notes(SCALED) and "with one pod" in chart.notes(merged(POSTGRES, {"replicas": 1}))
    assert "nobody may read metrics" in chart.notes(merged(POSTGRES, MONITORED, {"networkPolicy": {"metrics": {"from": []}}}))
    assert not any(secret in chart.notes(OWN_SECRET) for secret in (STORE, *SECRET))
