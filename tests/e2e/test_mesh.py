"""Servers with a mesh on one database: they find each other, link up, and let nobody else in."""

import json
import pathlib
import signal
import socket

import pytest

import server as servers
from nodes import LINKS, REFUSED, await_metric, keys, settings  # noqa: F401 (fixture)

NODES_MAX = 64  # CF_NODES_MAX, base/model_limits.h
FRAMES = "confab_mesh_frames_total"
QUICK = {"CONFAB_NODE_HEARTBEAT": "100ms", "CONFAB_NODE_GONE_AFTER": "1s", "CONFAB_MESH_LISTEN": "127.0.0.1:0"}

pytestmark = pytest.mark.only_store("postgres")


@pytest.fixture
def make_node(make_server, keys):  # noqa: F811
    def make(number, allowed, **env):
        return make_server({**QUICK, **settings(keys, number, allowed), **env})
    return make


def test_three_nodes_link_up_and_miss_the_one_that_leaves(store_kind, make_node):
    nodes = [make_node(i, allowed=range(3)).start() for i in range(3)]
    for node in nodes:
        await_metric(node, LINKS, 2)
        assert node.metrics()[REFUSED] == 0
    nodes[1].signal(signal.SIGTERM)
    assert nodes[1].wait_exit() == 0
    for node in (nodes[0], nodes[2]):
        assert node.wait_log(lambda entry: entry.get("msg") == "a node is gone")
        servers.until(lambda one=node: one.metrics()[LINKS] == 1, "one link")
        assert node.metrics()["confab_mesh_queue_bytes"] < 1 << 16 and node.metrics()["confab_mesh_cut_off_total"] == 0


def is_ready(server):
    return server.client().raw("GET", "/readyz")[0] == 200


def test_a_node_is_ready_when_it_hears_the_others_and_they_hear_it(store_kind, make_node):
    patient = {"CONFAB_NODE_GONE_AFTER": "60s"}
    nodes = [make_node(i, allowed=range(2), **patient).start() for i in range(2)]
    for node in nodes:
        node.allow_errors("^a node's key is not in mesh.allowed_keys$")
        servers.until(lambda one=node: is_ready(one), "readiness")
    unheard = make_node(2, allowed=range(3), **patient).start()  # the others do not know its key
    assert unheard.wait_log(lambda entry: entry.get("msg") == "a node is there")
    status, _, body = unheard.client().raw("GET", "/readyz")
    assert status == 503 and json.loads(body)["waits_for"] == "other nodes"
    assert all(is_ready(node) for node in nodes)


def test_a_node_that_was_killed_comes_back(store_kind, make_node):
    nodes = [make_node(i, allowed=range(2)).start() for i in range(2)]
    await_metric(nodes[0], LINKS, 1)
    nodes[1].kill()
    again = make_node(1, allowed=range(2)).start()  # once the one of its name is gone
    for node in (nodes[0], again):
        await_metric(node, LINKS, 1)
        assert node.metrics()["confab_mesh_cut_off_total"] == 0


def test_one_that_comes_back_before_the_others_have_missed_it_cuts_nobody_off(store_kind, make_node):
    """They connect again to its endpoint at once, and speak to the process before it until their next heartbeat."""
    slow = {"CONFAB_NODE_HEARTBEAT": "2s", "CONFAB_NODE_GONE_AFTER": "10s"}
    nodes = [make_node(i, allowed=range(3), **slow).start() for i in range(3)]
    for node in nodes:
        await_metric(node, LINKS, 2)
    first = nodes[0]
    endpoint = first.wait_log(lambda entry: entry.get("msg") == "listening for other nodes")["endpoint"]
    first.kill()
    first.start(CONFAB_MESH_LISTEN=endpoint.removeprefix("tcp://"))
    servers.until(lambda: is_ready(first), "readiness")
    for node in nodes:
        await_metric(node, LINKS, 2)
        assert node.metrics()["confab_mesh_cut_off_total"] == node.metrics()["confab_mesh_malformed_total"] == 0


def open_files(server):
    return len(list(pathlib.Path(f"/proc/{server.pid}/fd").iterdir()))


def connections_max(server):
    return server.wait_log(lambda entry: entry.get("msg") == "serving")["connections_max"]


def test_a_mesh_takes_no_more_descriptors_than_are_reckoned(store_kind, make_server, make_node):
    alone = make_server(QUICK | {"CONFAB_MESH_LISTEN": ""}).start()
    files, connections = open_files(alone), connections_max(alone)
    alone.signal(signal.SIGTERM)
    assert alone.wait_exit() == 0
    nodes = [make_node(i, allowed=range(3)).start() for i in range(3)]
    for node in nodes:
        await_metric(node, LINKS, 2)
        assert open_files(node) - files <= connections - connections_max(node)


def test_a_node_whose_key_the_others_do_not_know_has_no_link(store_kind, make_node):
    first = make_node(0, allowed=(0, 1)).start()
    first.allow_errors("^a node's key is not in mesh.allowed_keys$")
    stranger = make_node(2, allowed=(0, 1, 2))
    stranger.allow_errors("^this node was marked gone$|^was cut off from the others")
    stranger.start()
    await_metric(first, REFUSED, 2)  # what the registry tells, and who connects
    assert first.metrics()[LINKS] == 0


def by_name():
    """Of a node that others reach as one.test."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    return {"CONFAB_MESH_LISTEN": f"127.0.0.1:{port}", "CONFAB_MESH_ENDPOINT": f"tcp://one.test:{port}"}


def test_a_resolver_that_hangs_when_a_node_dies_costs_no_other_link(store_kind, make_node, names):
    names.answer("one.test 127.0.0.1\n")
    first = make_node(0, allowed=range(3), **by_name()).start()
    others = [make_node(i, allowed=range(3), **names.env).start() for i in (1, 2)]
    for node in others:
        await_metric(node, LINKS, 2)
    names.hang()
    first.kill()
    for node in others:
        assert node.wait_log(lambda entry: entry["msg"] == "a node is gone")
    for node in others:  # longer than it takes to miss one that is not heard
        await_metric(node, FRAMES, node.metrics()[FRAMES] + 30)
    assert [node.metrics()[LINKS] for node in others] == [1, 1]
    again = make_node(0, allowed=range(3), **by_name()).listen()
    names.answer("one.test 127.0.0.1\n")
    again.wait_serving()
    await_metric(again, LINKS, 2)


def test_a_name_that_has_moved_is_found_again(store_kind, make_node, names):
    names.answer("one.test 127.0.0.2\n")  # nobody is there
    first = make_node(0, allowed=range(3), CONFAB_NODE_GONE_AFTER="1m", **by_name()).start()
    other = make_node(1, allowed=range(3), CONFAB_NODE_GONE_AFTER="1m", **names.env).listen()
    assert other.wait_log(lambda entry: entry["msg"] == "a node is there")
    assert other.metrics()[LINKS] == 0
    names.answer("one.test 127.0.0.1\n")
    other.wait_serving()
    for node in (first, other):
        await_metric(node, LINKS, 1)


@pytest.mark.parametrize("number, name, taken", [(2, "node-0", "node.name"), (0, "node-2", "mesh.secret_key")])
def test_a_node_with_the_name_or_the_key_of_another_waits_and_harms_none(store_kind, make_node, number, name, taken):
    nodes = [make_node(i, allowed=range(3)).start() for i in range(2)]
    double = make_node(number, allowed=range(3), CONFAB_NODE_NAME=name).listen()
    line = f"another node has this {taken}; waits until it leaves"
    assert double.wait_log(lambda entry: entry.get("msg") == line)
    for node in nodes:
        await_metric(node, LINKS, 1)
        servers.until(lambda one=node: is_ready(one), "readiness")
    assert not is_ready(double)
    assert nodes[0].terminate() == 0
    double.wait_serving()
    await_metric(nodes[1], LINKS, 1)


def test_a_node_with_another_gone_after_waits_until_the_others_have_left(store_kind, make_node):
    nodes = [make_node(i, allowed=range(3)).start() for i in range(2)]
    other = make_node(2, allowed=range(3), CONFAB_NODE_GONE_AFTER="2s").listen()
    line = "the nodes that are there have another node.gone_after; waits until they leave"
    found = other.wait_log(lambda entry: entry.get("msg") == line)
    assert (found["own_ms"], found["theirs_ms"]) == (2000, 1000)
    assert nodes[0].terminate() == 0
    servers.until(lambda: nodes[1].metrics()[LINKS] == 0, "the first to be missed")
    assert not is_ready(other)
    assert nodes[1].terminate() == 0
    other.wait_serving()


def test_one_more_node_than_may_be_waits_until_one_leaves(store_kind, make_node):
    node = make_node(0, allowed=range(3), CONFAB_NODE_GONE_AFTER="60s")
    node.command("migrate")
    now = "(extract(epoch from clock_timestamp()) * 1000000)::bigint"
    node.store.run("INSERT INTO nodes (number, name, endpoint, public_key, version, entered_us, beat_us, steady_us) "
                   f"SELECT n, 'other-' || n, 'tcp://127.0.0.1:9', lpad(n::text, 40, '0'), 1, {now}, {now}, {now} "
                   f"FROM generate_series(1, {NODES_MAX}) n")
    node.listen()
    line = "there are as many nodes as may be; waits until one leaves"
    assert node.wait_log(lambda entry: entry.get("msg") == line)
    node.allow_errors("^a node's key is not in mesh.allowed_keys$")
    node.store.run("UPDATE nodes SET gone_us = 1, gone_why = 1 WHERE number = 7")
    node.wait_serving()


def test_bytes_from_anybody_do_not_disturb_a_node(store_kind, make_node):
    nodes = [make_node(i, allowed=range(2)).start() for i in range(2)]
    await_metric(nodes[0], LINKS, 1)
    endpoint = nodes[0].wait_log(lambda entry: entry.get("msg") == "listening for other nodes")["endpoint"]
    address = endpoint.removeprefix("tcp://").rsplit(":", 1)
    for noise in (b"GET / HTTP/1.1\r\n\r\n", bytes(range(256)) * 16, b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(48)):
        with socket.create_connection((address[0], int(address[1])), timeout=servers.LIMIT_S) as knocking:
            knocking.sendall(noise)
            try:
                while knocking.recv(4096):
                    pass
            except ConnectionResetError:
                pass
    await_metric(nodes[0], LINKS, 1)
    assert nodes[0].metrics()["confab_mesh_malformed_total"] == 0
