"""What must be right on every node, beside rooms: who is logged in, and how often anybody may do something."""

import pytest

import ws
from test_disabled import closing, is_shut_out, users
from test_mesh import LINKS, REFUSED, await_metric, keys, make_node  # noqa: F401 (fixtures)
from test_several_nodes import pair  # noqa: F401 (a fixture)

pytestmark = pytest.mark.only_store("postgres")
ENDED = (1008, "session ended")


@pytest.fixture
def strangers(store_kind, make_node):  # noqa: F811
    """Two nodes that may not talk, long before they mark each other gone for that."""
    nodes = [make_node(i, allowed=(i,), CONFAB_NODE_GONE_AFTER="60s") for i in range(2)]
    for node in nodes:
        node.allow_errors("^a node's key is not in mesh.allowed_keys$")
        node.start()
    for node in nodes:
        await_metric(node, REFUSED, 1)
        assert node.metrics()[LINKS] == 0
    return nodes


def enter_everywhere(nodes):
    """Ann's client, her session in use on each node, and her socket there."""
    ann = nodes[0].user("ann")
    room = ann.create_room()
    chats = []
    for node in nodes:
        there = node.client()
        there.token = ann.token
        assert there.call("GET", "/auth/me")["username"] == "ann"
        chats.append(ws.Chat(there, room))
    return ann, room, chats


def is_out_everywhere(nodes, ann, room, chats):
    assert [closing(chat) for chat in chats] == [ENDED] * len(chats)
    for node in nodes:
        is_shut_out(node, ann.token, room)


def test_a_logout_closes_the_sockets_of_the_session_on_every_node(pair):  # noqa: F811
    ann, room, chats = enter_everywhere(pair)
    ann.call("POST", "/auth/logout")
    is_out_everywhere(pair, ann, room, chats)


def test_a_disabled_user_is_out_on_every_node_until_enabled_again(pair):  # noqa: F811
    ann, room, chats = enter_everywhere(pair)
    users(pair[1], "disable", "ann")
    is_out_everywhere(pair, ann, room, chats)
    users(pair[0], "enable", "ann")
    for node in pair:
        again = node.client()
        again.login("ann")
        ws.Chat(again, room).say("again")


def test_a_node_that_does_not_hear_of_a_logout_reads_it(strangers):
    first, second = strangers
    ann = first.user("ann")
    there = second.client()
    there.token = ann.token
    room = there.create_room()
    chat = ws.Chat(there, room)
    ann.call("POST", "/auth/logout")
    is_out_everywhere((second,), ann, room, [chat])


def test_a_node_that_does_not_hear_of_a_disabling_reads_it(strangers):
    first, second = strangers
    ann = first.user("ann")
    there = second.client()
    there.token = ann.token
    room = there.create_room()
    chat = ws.Chat(there, room)
    users(first, "disable", "ann")
    is_out_everywhere((second,), ann, room, [chat])
