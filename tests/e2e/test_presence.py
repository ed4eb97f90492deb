"""Who comes and goes in a crowd: what clients see is the same as ever, and comes together (docs/rooms-chat.md)."""

import concurrent.futures

import pytest

import server as servers
from ws import Chat

CROWD = {"CONFAB_ROOMS_CROWD": "2", "CONFAB_ROOMS_CROWD_PAUSE": "200ms", "CONFAB_ROOMS_RING_POSTS": "8"}
CLIENTS = 40


def heard(chat, last):
    """(kind, name) of all who came and went, up to the post `last`."""
    found = []
    while (frame := chat.recv()).get("content") != last:
        if frame["type"] in ("user_joined", "user_left"):
            found.append((frame["type"], frame["username"]))
    return found


def come_in(clients, room):
    with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
        return list(pool.map(lambda client: Chat(client, room, wait=False), clients))


@pytest.fixture(params=["1", "3"])
def crowded(request, store_kind, make_server):
    server = make_server({**CROWD, "CONFAB_GATEWAY_COUNT": request.param})
    tokens = server.import_sessions([f"user{i:02}" for i in range(CLIENTS)])
    server.start()
    clients = [server.client(token=token) for token in tokens.values()]
    room = clients[0].create_room("General")
    for client in clients[1:]:
        client.join(room)
    return server, room, clients


@pytest.mark.over_tls_too
def test_everybody_of_a_crowd_sees_everybody_who_comes_after_them_in_one_order(crowded):
    _, room, clients = crowded
    watcher = Chat(clients[0], room)
    chats = come_in(clients[1:], room)
    for chat in chats:
        chat.until("user_joined")
    watcher.post("the end")
    order = heard(watcher, "the end")
    assert sorted(order) == [("user_joined", f"user{i:02}") for i in range(1, CLIENTS)]
    places = []
    for chat in chats:
        rest = heard(chat, "the end")  # behind the first one, which is its own
        places.append(len(order) - len(rest))
        assert rest == order[places[-1]:]
        assert order[places[-1] - 1] == ("user_joined", f"user{1 + chats.index(chat):02}")
    assert sorted(places) == list(range(1, CLIENTS))


def test_who_leaves_a_crowd_is_seen_to_by_those_who_stay(crowded):
    server, room, clients = crowded
    chats = [Chat(clients[0], room)] + come_in(clients[1:], room)
    for chat in chats[1:]:
        chat.until("user_joined")
    going, staying = chats[1::2], chats[::2]
    for chat in going:
        chat.reset()
    servers.until(lambda: clients[0].call("GET", "/chatrooms")["chatrooms"][0]["user_count"] == len(staying),
                  "them to be gone")
    chats[0].post("the end")
    found = [[each for each in heard(chat, "the end") if each[0] == "user_left"] for chat in staying]
    assert sorted(found[0]) == [("user_left", f"user{i:02}") for i in range(1, CLIENTS, 2)]
    assert all(each == found[0] for each in found)


def test_a_post_stands_behind_its_sender_s_coming(crowded):
    _, room, clients = crowded
    watcher = Chat(clients[0], room)
    chats = come_in(clients[1:], room)
    with concurrent.futures.ThreadPoolExecutor(len(chats)) as pool:
        list(pool.map(lambda i: chats[i].say(f"from {i + 1:02}"), range(len(chats))))
    here = set()
    posts = 0
    while posts < len(chats):
        frame = watcher.recv()
        if frame["type"] == "user_joined":
            here.add(frame["username"])
        elif frame["type"] == "chat_message":
            posts += 1
            assert frame["username"] in here and frame["username"] == f"user{frame['content'][5:]}"
