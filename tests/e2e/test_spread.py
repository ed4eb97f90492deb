"""What must be right on every node, beside rooms: who is logged in, and how often anybody may do something."""

import time

import pytest

import server as servers
import ws
from quotes import csv, status
from test_commands import dead_letters, letters_of, quotes, words  # noqa: F401 (a fixture)
from test_disabled import closing, is_shut_out, users
from test_mesh import LINKS, REFUSED, await_metric, keys, make_node  # noqa: F401 (fixtures)
from test_replay import heard_until, replay
from test_several_nodes import pair  # noqa: F401 (a fixture)
from test_sessions import raw_login

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


def enter_at_the_other(first, second):
    """Who logs in at one node is in a room at the other: the user, the room and the chat there."""
    ann = first.user("ann")
    there = second.client()
    there.token = ann.token
    room = there.create_room()
    return ann, room, ws.Chat(there, room)


def test_a_node_that_does_not_hear_of_a_logout_reads_it(strangers):
    first, second = strangers
    ann, room, chat = enter_at_the_other(first, second)
    ann.call("POST", "/auth/logout")
    is_out_everywhere((second,), ann, room, [chat])


def test_a_node_that_does_not_hear_of_a_disabling_reads_it(strangers):
    first, second = strangers
    ann, room, chat = enter_at_the_other(first, second)
    users(first, "disable", "ann")
    is_out_everywhere((second,), ann, room, [chat])


# A node that has just come gives a share of each limit and not all, so these are bounds from above.


@pytest.fixture
def limited_pair(store_kind, make_node, request):  # noqa: F811
    nodes = [make_node(i, allowed=range(2), **request.param).start() for i in range(2)]
    for node in nodes:
        await_metric(node, LINKS, 1)
    return nodes


def limited(**env):
    return pytest.mark.parametrize("limited_pair", [env], indirect=True, ids=["limited"])


@limited(CONFAB_LIMITS_FAILED_LOGINS="4", CONFAB_LIMITS_FAILED_LOGINS_WINDOW="24h")
def test_failed_logins_at_all_nodes_are_counted_together(limited_pair):
    limited_pair[0].user("ann")
    answers = [raw_login(limited_pair[i % 2], "ann", "wrong password")[0] for i in range(8)]
    passed = answers.count(401)
    assert 1 <= passed <= 4 and answers == [401] * passed + [429] * (8 - passed)


@limited(CONFAB_LIMITS_POSTS_PER_MINUTE="6")
def test_posts_of_a_user_at_all_nodes_are_counted_together(limited_pair):
    began = time.monotonic()
    users_of = [limited_pair[0].user(f"user_{i}") for i in range(4)]  # some have their limits at the one node, some at the other
    room = users_of[0].create_room()
    for number, user in enumerate(users_of):
        if number:
            user.join(room)
        kinds = []
        for node in limited_pair * 6:
            there = node.client()
            there.token = user.token
            chat = ws.Chat(there, room)
            chat.post("hello", key=f"{number}-{len(kinds)}")
            while (kind := chat.recv()["type"]) not in ("message_ack", "error"):
                pass
            kinds.append(kind)
            chat.close()
        assert 1 <= kinds.count("message_ack") <= 6 + (time.monotonic() - began) / 10


@limited(CONFAB_LIMITS_POSTS_PER_MINUTE="600")
def test_posts_go_on_when_the_node_that_has_their_limits_dies(limited_pair):
    first, second = limited_pair
    users_of = [second.user(f"user_{i}") for i in range(6)]
    room = users_of[0].create_room()
    for user in users_of[1:]:
        user.join(room)
    chats = [ws.Chat(user, room) for user in users_of]
    for number, chat in enumerate(chats):
        chat.say(f"before {number}", key=f"before-{number}")
    first.kill()
    for number, chat in enumerate(chats):
        chat.post(f"behind {number}", key=f"behind-{number}")  # nobody knows of it yet
    for number, chat in enumerate(chats):
        chat.until("message_ack", client_key=f"behind-{number}")


# Counts, and commands that failed.


def test_every_node_lists_the_rooms_with_the_users_of_all(pair):  # noqa: F811
    ann, bob = pair[0].user("ann"), pair[1].user("bob")
    rooms = [ann.create_room(f"room {number}") for number in range(4)]
    for room in rooms:
        bob.join(room)
    chats = [ws.Chat(user, room) for room in rooms for user in (ann, bob)]
    for user in (ann, bob):
        servers.until(lambda who=user: [entry["user_count"] for entry in who.call("GET", "/chatrooms")["chatrooms"]]
                      == [2] * len(rooms), "the counts of both nodes")
    for chat in chats[::2]:
        chat.close()
    for user in (ann, bob):
        servers.until(lambda who=user: [entry["user_count"] for entry in who.call("GET", "/chatrooms")["chatrooms"]]
                      == [1] * len(rooms), "the counts without ann")


def test_a_letter_is_run_again_from_any_node_and_answered_once(store_kind, make_node, quotes):  # noqa: F811
    nodes = [make_node(i, allowed=range(2), CONFAB_STOCK_URL=quotes.url, CONFAB_STOCK_ATTEMPTS="1").start() for i in range(2)]
    for node in nodes:
        await_metric(node, LINKS, 1)
    ann, bob = nodes[0].user("ann"), nodes[1].user("bob")
    for number, code in enumerate(("AAPL.US", "MSFT.US", "GOOG.US", "IBM.US")):  # in rooms of either
        room = ann.create_room(f"room {number}")
        bob.join(room)
        chats = [ws.Chat(ann, room), ws.Chat(bob, room)]
        chats[0].until("user_joined", username="bob")
        quotes.answers[code] = status("500 Internal Server Error")
        chats[number % 2].post(f"/stock={code}")
        assert [words(chat)["content"] for chat in chats] == [f"Failed to fetch quote for {code}"] * 2
        (letter,) = letters_of(nodes[0], 1)
        assert dead_letters(nodes[1]) == [letter]
        quotes.answers[code] = csv(code, "93.42")
        assert replay(nodes[number // 2], letter["id"]) == [{"id": letter["id"], "result": "answered"}]
        for chat in chats:
            assert words(chat)["content"] == f"{code} quote is $93.42 per share"
        chats[0].post("after it")
        assert [heard_until(chat, "after it") for chat in chats] == [[], []]
        assert dead_letters(nodes[0]) == dead_letters(nodes[1]) == []
