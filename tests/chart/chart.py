"""Renders the chart. Manifests are read strictly: a key that stands twice is a fault."""

import os
import pathlib
import re
import subprocess
import tempfile

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CHART = ROOT / "helm/confab"
HELM = ROOT / "build/tools/helm"
OLD, NEW = "1.27.0", "1.37.0"

# Made for tests, and good for nothing else: any 40 signs of that alphabet would do, these have those that YAML, a shell or
# Kubernetes might take for something of theirs.
PUBLIC = ["Yne@$w-vo<fVvi]a<NY6T1ed:M$(fG)*[IaLV{hI", "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7", "&*!%#.-:+=^/?<>()[]{}@$0123456789abcdefgh"[:40]]
SECRET = ["JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6", "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs", "$(POD_IP)$$0123456789abcdefghijklmnopqrs"]
STORE = "postgres://chat:p%40ss$(word)@db.example.org/chat"


class Loader(yaml.SafeLoader):
    pass


def mapping(loader, node):
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
    assert len(keys) == len(set(keys)), f"stands twice: {keys}"
    return yaml.SafeLoader.construct_mapping(loader, node, deep=True)


Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)


def run(*arguments, values=None, ok=True):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(values or {}, file)
        file.flush()
        done = subprocess.run([str(HELM), *arguments, "--values", file.name], capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == ok, done.stdout + done.stderr
    return done.stdout if ok else done.stderr


def template(values, version=NEW, release="confab", namespace="chat", *more):
    return run("template", release, str(CHART), "--namespace", namespace, "--kube-version", version, *more, values=values)


class Manifests(list):
    def of(self, kind):
        return [one for one in self if one["kind"] == kind]

    def one(self, kind, name=None):
        found = [one for one in self.of(kind) if name in (None, one["metadata"]["name"])]
        assert len(found) == 1, f"{len(found)} of {kind} {name}"
        return found[0]

    @property
    def pod(self):
        """What the pods of the server are."""
        return self.one("StatefulSet")["spec"]["template"]["spec"]

    @property
    def server(self):
        return next(one for one in self.pod["containers"] if one["name"] == "confab")

    @property
    def config(self):
        return yaml.load(self.one("ConfigMap", self.one("StatefulSet")["metadata"]["name"])["data"]["confab.yaml"], Loader)


def render(values, version=NEW, release="confab", namespace="chat"):
    read = yaml.load_all(template(values, version, release, namespace), Loader)
    return Manifests(one for one in read if one)


def refusal(values, version=NEW):
    """Why it is not rendered."""
    return run("template", "confab", str(CHART), "--kube-version", version, values=values, ok=False)


def notes(values):
    """What helm says when it has installed this. It does so only where there is a cluster; templates know it by its path."""
    text = ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: notes}\n"
            'data: {notes: {{ include "confab/templates/NOTES.txt" . | toRawJson }}}\n')
    return render({**values, "extraObjects": [text]}).one("ConfigMap", "notes")["data"]["notes"]


def in_a_pod(manifests, folder, number=0, store="postgres://chat:word@127.0.0.1/chat", key=SECRET[0], address="10.1.2.3"):
    """The environment of the server's container in that pod; what is mounted there lies in this folder of the host."""
    name = f"{manifests.one('StatefulSet')['metadata']['name']}-{number}"
    files = {"/etc/confab/confab.yaml": manifests.one("ConfigMap", name.rpartition("-")[0])["data"]["confab.yaml"],
             "/run/confab/store/url": store, "/run/confab/mesh/key": key}
    fields = {"metadata.name": name, "status.podIP": address}
    env = {"PATH": os.environ["PATH"]}
    for one in manifests.server["env"]:
        if "valueFrom" not in one:
            value = re.sub(r"\$\((\w+)\)", lambda found: env[found[1]], one["value"])  # as Kubernetes does
            if value in files:
                place = folder / value.strip("/").replace("/", "-")
                place.write_text(files[value])
                value = str(place)
            env[one["name"]] = value
        elif "fieldRef" in one["valueFrom"]:
            env[one["name"]] = fields[one["valueFrom"]["fieldRef"]["fieldPath"]]
    return env


def merged(*values):
    """Of two mappings both, deeply; the later one counts."""
    out = {}
    for one in values:
        for key, value in one.items():
            out[key] = merged(out[key], value) if isinstance(value, dict) and isinstance(out.get(key), dict) else value
    return out


POSTGRES = {"store": {"existingSecret": "pg"}, "mesh": {"existingSecret": "keys", "publicKeys": PUBLIC}}
OWN_SECRET = {"store": {"url": STORE}, "mesh": {"secretKeys": SECRET, "publicKeys": PUBLIC}}
SQLITE = {"store": {"kind": "sqlite"}, "replicas": 1}
SCALED = merged(POSTGRES, {"autoscaling": {"enabled": True, "minReplicas": 2, "maxReplicas": 3}})
MONITORED = {"metrics": {"serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}, "relabelings": [{"action": "labeldrop", "regex": "pod"}],
                                           "metricRelabelings": [{"action": "labeldrop", "regex": "le"}]},
                         "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}, "extraGroups": [
                             {"name": "own", "rules": [{"alert": "Own", "expr": "up == 0"}]}]},
                         "grafanaDashboard": {"enabled": True, "annotations": {"grafana_folder": "chat"}}}}
INGRESS = {"ingress": {"enabled": True, "className": "nginx", "annotations": {"a/b": "c"}, "tls": [{"secretName": "tls", "hosts": ["chat.example.org"]}],
                       "hosts": [{"host": "chat.example.org"}, {"host": "b.example.org", "paths": [{"path": "/x", "pathType": "Exact"}]}]},
           "config": {"http": {"trusted_proxies": ["10.0.0.0/8"]}}}
ROUTE = {"httpRoute": {"enabled": True, "annotations": {"a/b": "c"}, "parentRefs": [{"name": "gateway", "namespace": "infra", "sectionName": "https"}],
                       "hostnames": ["chat.example.org"]}}
EXTRAS = {
    "commonLabels": {"team": "chat"}, "commonAnnotations": {"note": "all"}, "podLabels": {"pod": "label"}, "podAnnotations": {"pod": "annotation"},
    "extraEnv": [{"name": "CONFAB_LOG_LEVEL", "value": "warn"},
                 {"name": "CONFAB_STOCK_URL", "valueFrom": {"secretKeyRef": {"name": "more", "key": "stock"}}}],
    "extraEnvFrom": [{"configMapRef": {"name": "more"}}],
    "extraVolumes": [{"name": "pages", "configMap": {"name": "pages"}}], "extraVolumeMounts": [{"name": "pages", "mountPath": "/pages"}],
    "extraArgs": ["--set", "log.level=error"],
    "extraInitContainers": [{"name": "first", "image": "first"}], "extraContainers": [{"name": "beside", "image": "beside"}],
    "extraObjects": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-extra"}},
                     "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-text\n"],
    "imagePullSecrets": [{"name": "pull"}], "nodeSelector": {"disk": "ssd"}, "tolerations": [{"key": "chat", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
        {"matchExpressions": [{"key": "arch", "operator": "In", "values": ["amd64"]}]}]}}},
    "priorityClassName": "high", "runtimeClassName": "gvisor", "schedulerName": "other", "dnsConfig": {"options": [{"name": "ndots", "value": "2"}]},
    "hostAliases": [{"ip": "10.1.1.1", "hostnames": ["db.example.org"]}], "serviceAccount": {"annotations": {"who": "chat"}},
    "topologySpreadConstraints": [{"maxSkew": 2, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"}],
}

# Every value that makes another shape is in one of these at least (test_matrix.py).
MATRIX = {
    "postgres": POSTGRES,
    "own secret": OWN_SECRET,
    "one secret of each": merged(POSTGRES, {"mesh": {"existingSecret": "", "secretKeys": SECRET}}),
    "one pod without a mesh": {"store": {"existingSecret": "pg", "existingSecretKey": "uri"}, "replicas": 1},
    "sqlite": SQLITE,
    "sqlite on a claim": merged(SQLITE, {"store": {"persistence": {"existingClaim": "mine"}}}),
    "sqlite on a class": merged(SQLITE, {"store": {"persistence": {"storageClass": "fast", "size": "500Mi", "annotations": {"keep": "it"},
                                                                  "accessModes": ["ReadWriteOncePod"]}}}),
    "sqlite without a class": merged(SQLITE, {"store": {"persistence": {"storageClass": "-"}}}),
    "scaled": SCALED,
    "scaled by cpu": merged(SCALED, {"autoscaling": {"connections": 0}}),
    "scaled by connections": merged(SCALED, {"autoscaling": {"cpuUtilization": 0}}),
    "ingress": merged(POSTGRES, INGRESS),
    "route": merged(POSTGRES, ROUTE),
    "load balancer": merged(POSTGRES, {"service": {"type": "LoadBalancer", "port": 443, "loadBalancerClass": "x", "externalTrafficPolicy": "Local",
                                                   "loadBalancerSourceRanges": ["192.0.2.0/24"], "annotations": {"lb": "own"}},
                                       "tls": {"existingSecret": "cert"}}),
    "node port": merged(POSTGRES, {"service": {"type": "NodePort", "nodePort": 30080}}),
    "ipv6": merged(POSTGRES, {"ipv6": True}),
    "monitored": merged(POSTGRES, MONITORED),
    "pods monitored": merged(POSTGRES, {"metrics": {"podMonitor": {"enabled": True, "labels": {"a": "b"}, "relabelings": [{"action": "labeldrop", "regex": "pod"}], "metricRelabelings": [
        {"action": "drop", "sourceLabels": ["__name__"], "regex": "go_.*"}]}}}),
    "extras": merged(POSTGRES, EXTRAS),
    "narrow network": merged(POSTGRES, {"networkPolicy": {
        "public": {"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}]}, "metrics": {"from": []},
        "postgres": {"to": [{"ipBlock": {"cidr": "10.9.0.0/24"}}], "port": 6432}, "stock": {"enabled": False},
        "models": {"enabled": True, "to": [{"podSelector": {"matchLabels": {"app": "model"}}}], "port": 11434},
        "collector": {"to": [{"podSelector": {"matchLabels": {"app": "collector"}}}]},
        "extraIngress": [{"ports": [{"port": 8080}]}], "extraEgress": [{"to": [{"ipBlock": {"cidr": "10.8.0.1/32"}}], "ports": [{"port": 8125}]}]},
        "config": {"trace": {"url": "https://collector.example.org:14318/v1/traces"}}}),
    "no more than needed": merged(POSTGRES, {
        "networkPolicy": {"enabled": False}, "podDisruptionBudget": {"enabled": False}, "serviceAccount": {"create": False}, "migration": {"enabled": False},
        "topologySpread": {"enabled": False}, "test": {"enabled": False}, "preStopSeconds": 0, "updateStrategy": {"type": "OnDelete"},
        "probes": {name: {"enabled": False} for name in ("startup", "readiness", "liveness")}}),
    "all of it": merged(SCALED, INGRESS, ROUTE, MONITORED, EXTRAS, {"fullnameOverride": "talk", "image": {"digest": "sha256:" + "0" * 64}}),
    "part of another chart": merged(POSTGRES, {"global": {"imageRegistry": "registry.example.org"}}),
    # a platform that gives each namespace its own user
    "users of the platform": merged(POSTGRES, {"podSecurityContext": {"runAsUser": None, "runAsGroup": None, "fsGroup": None}}),
    "settings": merged(POSTGRES, {"config": {
        "limits": {"buckets_max": 1000000, "posts_per_minute": 0}, "stock": {"echo": False, "url": "https://quotes.example.org"},
        "http": {"allowed_origins": ["https://a.example.org", "https://b.example.org"], "head_max_bytes": "32KiB", "keepalive": 30},
        "log": {"format": "text"}, "ws": {"ping": "10s"}}, "shutdownSeconds": 120, "preStopSeconds": 20}),
}
# What the README shows: files for a helm install like that in front of them.
EXAMPLES = [yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```", (CHART / "README.md").read_text(), re.M | re.S)]
MATRIX |= {f"example with {next(iter(one))}": merged(OWN_SECRET, one) for one in EXAMPLES}
