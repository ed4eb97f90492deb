"""Several servers that are one chat: their keys, their links, and all of them as if they were one server."""

import collections
import http.client
import itertools

import pytest

import planted
import server as servers
from hosts import BASE, all_hosts

LINKS, REFUSED = 'confab_mesh_links', 'confab_mesh_refused_total'


def await_metric(server, name, least):
    servers.until(lambda: server.metrics()[name] >= least, f"{name} of {least}")


@pytest.fixture
def keys(make_one):
    """Pairs of keys: of the nodes one, two and three."""
    plain = make_one()
    pairs = [plain.command("token", "mesh-key").stdout.split() for _ in range(3)]
    for secret, _ in pairs:
        planted.plant(secret)
    return pairs


def settings(keys, number, allowed):
    """Of a node that has this one of the keys, and lets those in."""
    return {"CONFAB_NODE_NAME": f"node-{number}", "CONFAB_MESH_SECRET_KEY": keys[number][0],
            "CONFAB_MESH_ALLOWED_KEYS": ",".join(keys[i][1] for i in allowed)}


HTTP_PORT, MESH_PORT = 8000, 8001


@pytest.fixture
def make_host_node(make_one, keys):
    """A node on the host of this number, which lets the nodes with these keys in. Its ports stay, whatever becomes of it."""
    def make(number, allowed=range(3), wrap=(), **env):
        host = all_hosts()[number]
        return make_one({"CONFAB_METRICS_ALLOW": f"{BASE}/32", **settings(keys, number, allowed),
                         "CONFAB_HTTP_LISTEN": f"{host.address}:{HTTP_PORT}",
                         "CONFAB_MESH_LISTEN": f"{host.address}:{MESH_PORT}", **env}, wrap, host)
    return make


class Nodes:
    """With the face of server.Server: clients are spread over the nodes, and what is done to the server is done to all."""

    def __init__(self, nodes):
        self.nodes = nodes
        self.store, self.folder = nodes[0].store, nodes[0].folder
        self._turn = itertools.cycle(nodes)

    @property
    def urls(self):
        return [node.url for node in self.nodes]

    def start(self, **extra):
        for node in self.nodes:
            node.launch(**extra)
        for node in self.nodes:
            node.wait_serving()
        servers.until(self.are_linked, "links between all nodes")
        return self

    def are_linked(self):
        return all(self._links(node) == len(self.nodes) - 1 for node in self.nodes)

    @staticmethod
    def _links(node):
        """None: it does not serve yet, or is about to begin anew."""
        try:
            status, _, body = node.client().raw("GET", "/metrics")
        except (OSError, http.client.HTTPException):
            return None
        return servers.read_metrics(body.decode())[LINKS] if status == 200 else None

    def client(self, **kwargs):
        return next(self._turn).client(**kwargs)

    def user(self, name, password="password123"):
        return next(self._turn).user(name, password)

    def import_sessions(self, names):
        return self.nodes[0].import_sessions(names)

    def terminate(self):
        """The exit status of all, or the worst."""
        return max(node.terminate() for node in self.nodes)

    def kill(self):
        return max(node.kill() for node in self.nodes)

    def environment(self, extra=None):
        return self.nodes[0].environment(extra)

    def allow_errors(self, pattern):
        for node in self.nodes:
            node.allow_errors(pattern)

    @property
    def port(self):
        return next(self._turn).port

    @property
    def url(self):
        return next(self._turn).url

    def metrics(self):
        """name{labels} -> the sum over the nodes"""
        sums = collections.Counter()
        for node in self.nodes:
            sums.update(node.metrics())
        return sums

    def wait_log(self, wanted, **kwargs):
        """The first that a node has."""
        return next(filter(None, (node.wait_log(wanted, **kwargs) for node in self.nodes)), None)

    def scrape(self):
        return next(self._turn).scrape()
