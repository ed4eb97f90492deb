"""No default works, and what cannot work is refused before the cluster sees anything, with words that say what to do."""

import pytest

import chart
from chart import OWN_SECRET, POSTGRES, PUBLIC, SCALED, SECRET, SQLITE, merged


def test_without_values_it_says_all_that_is_needed():
    said = chart.refusal({})
    assert "store.existingSecret or store.url is needed" in said
    assert "mesh.publicKeys is needed for 2 pods" in said and "helm/mesh-keys 2" in said


def test_nothing_secret_is_in_the_values():
    assert not any(word in (chart.CHART / "values.yaml").read_text() for word in ("password:", "changeme", "token:"))


@pytest.mark.parametrize("values, said", [
    (merged(POSTGRES, {"store": {"existingSecret": ""}}), "store.existingSecret or store.url is needed"),
    (merged(POSTGRES, {"store": {"url": "postgres://a@b/c"}}), "store.url and store.existingSecret are both given"),
    (merged(POSTGRES, {"mesh": {"existingSecret": ""}}), "mesh.secretKeys or mesh.existingSecret is needed"),
    (merged(POSTGRES, {"mesh": {"secretKeys": SECRET}}), "mesh.secretKeys and mesh.existingSecret are both given"),
    (merged(POSTGRES, {"mesh": {"publicKeys": []}}), "mesh.publicKeys is needed for 2 pods"),
    (merged(POSTGRES, {"replicas": 4}), "mesh.publicKeys has 3 keys for 4 pods"),
    (merged(OWN_SECRET, {"mesh": {"secretKeys": SECRET[:1]}}), "mesh.secretKeys has 1 keys for 2 pods"),
    (merged(OWN_SECRET, {"replicas": 1, "mesh": {"publicKeys": []}}), "mesh.secretKeys is given without mesh.publicKeys"),
    (merged(SCALED, {"autoscaling": {"maxReplicas": 4}}), "mesh.publicKeys has 3 keys for 4 pods"),
    (merged(SCALED, {"autoscaling": {"minReplicas": 3, "maxReplicas": 2}}), "minReplicas is above autoscaling.maxReplicas"),
    (merged(SCALED, {"autoscaling": {"cpuUtilization": 0, "connections": 0}}), "needs autoscaling.cpuUtilization or autoscaling.connections"),
    (merged(SCALED, {"resources": {"requests": {"cpu": None}}}), "autoscaling.cpuUtilization needs resources.requests.cpu"),
    (merged(SQLITE, {"replicas": 2}), "replicas must be 1 with store.kind=sqlite"),
    (merged(SQLITE, {"autoscaling": {"enabled": True}}), "autoscaling.enabled needs store.kind=postgres"),
    (merged(SQLITE, {"store": {"existingSecret": "pg"}}), "store.url and store.existingSecret are for store.kind=postgres"),
    (merged(SQLITE, {"mesh": {"publicKeys": PUBLIC}}), "mesh is for store.kind=postgres"),
    (merged(POSTGRES, {"ingress": {"enabled": True}}), "ingress.enabled needs ingress.hosts"),
    (merged(POSTGRES, {"httpRoute": {"enabled": True}}), "httpRoute.enabled needs httpRoute.parentRefs"),
    (merged(POSTGRES, {"metrics": {"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}}}), "are both enabled"),
    (merged(POSTGRES, {"networkPolicy": {"models": {"enabled": True}}}), "networkPolicy.models.enabled needs networkPolicy.models.to"),
    (merged(POSTGRES, {"serviceAccount": {"create": False, "annotations": {"a": "b"}}}), "serviceAccount.annotations is for one that the chart makes"),
    (merged(POSTGRES, {"resources": {"limits": {"memory": "2 GB"}}}), "resources.limits.memory is 2 GB"),
    (merged(POSTGRES, {"ports": {"mesh": 8080}}), "ports must be three different ones"),
])
def test_what_cannot_work_is_refused(values, said):
    assert said in chart.refusal(values)


@pytest.mark.parametrize("values, said", [
    ({"replicaCount": 3}, "replicaCount is not allowed"),
    ({"store": {"kind": "mysql"}}, "store.kind"),
    ({"store": {"url": "sqlite:/data/x"}}, "store.url"),
    ({"replicas": 0}, "replicas"),
    ({"replicas": 65}, "replicas"),
    ({"mesh": {"publicKeys": ["short", PUBLIC[0]]}}, "mesh.publicKeys.0"),
    ({"mesh": {"publicKeys": [PUBLIC[0], PUBLIC[0]]}}, "mesh.publicKeys"),
    ({"image": {"digest": "sha256:12"}}, "image.digest"),
    ({"config": {"htp": {}}}, "htp is not allowed"),
    ({"config": {"http": {"listn": "x"}}}, "listn is not allowed"),
    ({"config": {"http": {"listen": "0.0.0.0:80"}}}, "listen is not allowed"),
    ({"config": {"store": {"url": "postgres://a@b/c"}}}, "url is not allowed"),
    ({"config": {"mesh": {"secret_key": SECRET[0]}}}, "secret_key is not allowed"),
    ({"config": {"gateway": {"count": 65}}}, "config.gateway.count"),
    ({"config": {"node": {"environment": "prod-like"}}}, "config.node.environment"),
    ({"shutdownSeconds": 0}, "shutdownSeconds"),
    ({"shutdownSeconds": 601}, "shutdownSeconds"),
    ({"podDisruptionBudget": {"maxUnavailable": 0}}, "podDisruptionBudget.maxUnavailable"),
    ({"probes": {"liveness": {"path": "/readyz"}}}, "path is not allowed"),
    ({"ingress": {"hosts": [{"paths": []}]}}, "host is required"),
    ({"service": {"type": "ExternalName"}}, "service.type"),
    ({"ports": {"http": 80}}, "ports.http"),
    ({"podAnnotations": {"a": 1}}, "podAnnotations.a"),
])
def test_a_value_that_is_none_is_refused_by_the_schema(values, said):
    refused = chart.refusal(merged(POSTGRES, values))
    assert "values don't meet the specifications of the schema" in refused and said in refused


@pytest.mark.parametrize("values", [
    {"store": {"url": "sqlite:/planted"}},
    merged(OWN_SECRET, {"store": {"url": "postgres://a:planted@b/c", "existingSecret": "pg"}}),
    merged(OWN_SECRET, {"mesh": {"secretKeys": ["planted"]}}),
])
def test_a_refusal_shows_no_secret(values):
    assert "planted" not in chart.refusal(values) and not any(key in chart.refusal(values) for key in SECRET)


def test_an_older_kubernetes_is_refused():
    assert "incompatible with Kubernetes v1.26.0" in chart.refusal(POSTGRES, "1.26.0")
