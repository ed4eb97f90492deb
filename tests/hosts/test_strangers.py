"""Who may not be among the nodes: one with a wrong key, one that speaks another version. And who may: two that begin
the same database at once."""

import struct

import pytest
import zmq

import server as servers
import ws
from hosts import BASE
from nodes import LINKS, MESH_PORT, REFUSED, Nodes, keys  # noqa: F401 (fixture)

pytestmark = pytest.mark.only_store("postgres")

MALFORMED = "confab_mesh_malformed_total"
ROOMS = 6  # one node is asked first for all of them once in 32 runs


def assert_one_chat(nodes):
    """Whoever is on either node hears who is on the other, in rooms of both."""
    ann, bob = (node.user(name) for node, name in zip(nodes, ("ann", "bob")))
    for number in range(ROOMS):
        room = ann.create_room(f"room {number}")
        bob.join(room)
        here, there = ws.Chat(ann, room), ws.Chat(bob, room)
        for one, other in ((here, there), (there, here)):
            post = one.say("hello")
            assert other.until("chat_message", content="hello")["id"] == post
            one.until("chat_message", content="hello")
        here.close()
        there.close()


def test_two_nodes_begin_an_empty_database_at_once(make_node):
    pair = Nodes([make_node(number, allowed=range(2)) for number in range(2)]).start()
    assert_one_chat(pair.nodes)
    assert pair.store.run("SELECT count(*) FROM users WHERE username = 'StockBot'") == [(1,)]


def test_a_node_with_a_wrong_key_is_let_in_by_none_and_harms_none(make_node):
    pair = Nodes([make_node(number, allowed=range(2)) for number in range(2)]).start()
    for node in pair.nodes:
        node.allow_errors("^a node's key is not in mesh.allowed_keys$")
    stranger = make_node(2).launch()
    assert stranger.wait_log(lambda entry: entry.get("msg") == "begins anew"), "was cut off from the others"
    for node in pair.nodes:
        servers.until(lambda one=node: one.metrics()[REFUSED] > 0, "a refusal")
        assert node.metrics()[LINKS] == 1
    assert_one_chat(pair.nodes)


class Peer:
    """What a server of another version would be to these: in the registry, with a key that they know, on their links."""

    NUMBER = 7
    NOW = "(extract(epoch from clock_timestamp()) * 1000000)::bigint"

    def __init__(self, keys, store, version):
        self.store, (self.secret, self.public) = store, keys
        self.sockets = []
        # It is never connected to, as who came later connects.
        store.run("INSERT INTO nodes (number, name, endpoint, public_key, version, entered_us, beat_us, steady_us) VALUES "
                  f"({self.NUMBER}, 'other', 'tcp://{BASE}:9', '{self.public}', {version}, {self.NOW}, {self.NOW}, {self.NOW})")

    def beat(self):
        self.store.run(f"UPDATE nodes SET beat_us = {self.NOW} WHERE number = {self.NUMBER}")

    def dial(self, node, server_key):
        socket = zmq.Context.instance().socket(zmq.DEALER)
        socket.curve_secretkey, socket.curve_publickey = self.secret.encode(), self.public.encode()
        socket.curve_serverkey, socket.linger = server_key.encode(), 0
        socket.connect(f"tcp://{node.address}:{MESH_PORT}")
        self.sockets.append(socket)
        return socket

    def say_hello(self, socket, to, version):
        """A frame of transports/link/reliable.h without a body."""
        socket.send(struct.pack("<BBBBIIIQQ", 1, version, 2, 0, 0, self.NUMBER, to, 0, 0))

    def close(self):
        for socket in self.sockets:
            socket.close()


def test_a_node_of_another_version_is_cut_off_and_harms_none(make_node, keys):  # noqa: F811
    pair = Nodes([make_node(number) for number in range(2)]).start()
    first = pair.nodes[0]
    (number, version), = pair.store.run("SELECT number, version FROM nodes WHERE name = 'node-0'")
    peer = Peer(keys[2], pair.store, version + 1)
    try:
        link = peer.dial(first, keys[0][1])

        def until(version, condition, what):
            def again():
                peer.beat()
                peer.say_hello(link, number, version)
                return condition()
            servers.until(again, what)
        until(version, lambda: first.metrics()[LINKS] == 2, "a link, as it speaks the same")
        assert first.metrics()[MALFORMED] == 0
        until(version + 1, lambda: first.metrics()[MALFORMED] > 0, "the end of it, as it does not")
        cut = first.wait_log(lambda entry: entry.get("msg") == "cut off another node")
        assert cut["node"] == peer.NUMBER and cut["reason"] == "another version of what nodes say to each other"
        assert_one_chat(pair.nodes)
        assert first.metrics()[LINKS] == 1
    finally:
        peer.close()
