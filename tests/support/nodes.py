"""Several servers that are one chat: their keys, their links, and all of them as if they were one server."""

import itertools

import pytest

import planted
import server as servers

LINKS, REFUSED = 'confab_mesh_links', 'confab_mesh_refused_total'


def await_metric(server, name, least):
    servers.until(lambda: server.metrics()[name] >= least, f"{name} of {least}")


@pytest.fixture
def keys(make_server):
    """Pairs of keys: of the nodes one, two and three."""
    plain = make_server()
    pairs = [plain.command("token", "mesh-key").stdout.split() for _ in range(3)]
    for secret, _ in pairs:
        planted.plant(secret)
    return pairs


def settings(keys, number, allowed):
    """Of a node that has this one of the keys, and lets those in."""
    return {"CONFAB_NODE_NAME": f"node-{number}", "CONFAB_MESH_SECRET_KEY": keys[number][0],
            "CONFAB_MESH_ALLOWED_KEYS": ",".join(keys[i][1] for i in allowed)}


class Nodes:
    """With the face of server.Server: clients are spread over the nodes, and what is done to the server is done to all."""

    def __init__(self, nodes):
        self.nodes = nodes
        self.store = nodes[0].store
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
        try:
            return node.metrics()[LINKS]
        except OSError:
            return None  # it does not serve yet, or is about to begin anew

    def client(self, **kwargs):
        return next(self._turn).client(**kwargs)

    def user(self, name, password="password123"):
        return next(self._turn).user(name, password)

    def import_sessions(self, names):
        return self.nodes[0].import_sessions(names)

    def terminate(self):
        return [node.terminate() for node in self.nodes]
