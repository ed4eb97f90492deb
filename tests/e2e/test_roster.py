"""Who is here: what `?roster=1` on a socket's address adds (docs/rooms-chat.md)."""

import threading

import pytest

import server as servers
import ws
from ws import Chat

ASK = "?roster=1"
MANY = {"CONFAB_LIMITS_UPGRADES_PER_SECOND": "0", "CONFAB_LIMITS_POSTS_PER_MINUTE": "0"}


def roster(members, more=0):
    return {"type": "room_roster", "more": more,
            "members": [{"username": name, "connections": n} for name, n in members.items()]}


def joined(name):
    return {"type": "user_joined", "username": name}


def frames(chat, n):
    """The next n but counts, which come when they come."""
    got = []
    while len(got) < n:
        frame = chat.recv()
        if frame["type"] != "user_count_update":
            got.append(frame)
    return got


def people(server, *names):
    clients = [server.user(name) for name in names]
    room = clients[0].create_room("General")
    for client in clients[1:]:
        client.join(room)
    return room, clients


def test_who_enters_is_told_who_is_here_before_anything_else(store_kind, server):
    room, (ann, bob, eve) = people(server, "ann", "bob", "eve")
    first = Chat(ann, room, wait=False, query=ASK)
    assert frames(first, 2) == [roster({}), joined("ann")]
    tabs = [Chat(bob, room), Chat(bob, room)]
    late = Chat(eve, room, wait=False, query=ASK)
    assert frames(late, 2) == [roster({"ann": 1, "bob": 2}), joined("eve")]
    tabs[0].leave()
    assert late.until("user_left")["username"] == "bob"
    again = Chat(eve, room, wait=False, query=ASK, path="/api/v1/ws/chat/")
    assert frames(again, 2) == [roster({"ann": 1, "bob": 1, "eve": 1}), joined("eve")]


def test_who_does_not_ask_sees_nothing_new(store_kind, server):
    room, (ann, bob) = people(server, "ann", "bob")
    Chat(ann, room, query=ASK)
    for query in ("", "?roster=0", "?roster=", "?roster=11", "?roster=%31%31", "?rosters=1"):
        chat = Chat(bob, room, wait=False, query=query)
        chat.post("hello")
        assert [frame["type"] for frame in frames(chat, 3)] == ["user_joined", "message_ack", "chat_message"], query
        chat.leave()


def test_it_names_as_many_as_may_be_and_counts_the_rest(store_kind, make_server):
    server = make_server({"CONFAB_ROOMS_ROSTER_MAX": "2"}).start()
    room, (ann, bob, cid, dan) = people(server, "ann", "bob", "cid", "dan")
    chats = [Chat(ann, room), Chat(bob, room)]
    at_it = Chat(cid, room, wait=False, query=ASK)
    assert frames(at_it, 1) == [roster({"ann": 1, "bob": 1})]
    at_it.until("user_joined")
    chats += [Chat(cid, room)]
    assert frames(Chat(dan, room, wait=False, query=ASK), 1) == [roster({"ann": 1, "bob": 1}, more=1)]


def test_it_is_for_members_alone(store_kind, server):
    room, (ann,) = people(server, "ann")
    Chat(ann, room)
    for token, status in ((server.user("eve").token, 403), ("stale", 401), (None, 401)):
        with pytest.raises(ws.NotUpgraded) as refused:
            ws.WebSocket(server.port, f"/ws/chat/{room}{ASK}", token)
        assert refused.value.status == status
        assert b"ann" not in refused.value.body


def test_a_room_that_was_put_away_begins_with_nobody(store_kind, make_server):
    server = make_server({"CONFAB_ROOMS_IDLE": "100ms"}).start()
    room, (ann, bob) = people(server, "ann", "bob")
    Chat(ann, room).leave()
    servers.until(lambda: server.metrics()["confab_rooms_retired_total"] >= 1, "the room to be put away")
    first = Chat(bob, room, wait=False, query=ASK)
    assert frames(first, 2) == [roster({}), joined("bob")]
    second = Chat(ann, room, wait=False, query=ASK)
    assert frames(second, 2) == [roster({"bob": 1}), joined("ann")]


def tally(chat):
    """Who is here, by what this socket was told up to the post "the end"."""
    here = {}
    while True:
        frame = chat.recv()
        kind, name = frame["type"], frame.get("username")
        if kind == "room_roster":
            here = {member["username"]: member["connections"] for member in frame["members"]}
            assert frame["more"] == 0
        elif kind == "user_joined":
            here[name] = here.get(name, 0) + 1
        elif kind == "user_left":
            here[name] -= 1
        elif frame.get("content") == "the end":
            return {name: n for name, n in here.items() if n}


@pytest.mark.parametrize("gateways", [1, 3])
def test_whoever_comes_while_others_come_and_go_adds_it_up_right(store_kind, make_server, gateways):
    server = make_server({**MANY, "CONFAB_GATEWAY_COUNT": str(gateways)}).start()
    room, (ann, bob, cid, eve) = people(server, "ann", "bob", "cid", "eve")
    watcher = Chat(ann, room, query=ASK)
    failures = []

    def come_and_go(client):
        try:
            for _ in range(40):
                Chat(client, room).leave()
        except Exception as failure:  # shown below
            failures.append(failure)

    threads = [threading.Thread(target=come_and_go, args=(client,)) for client in (bob, cid)]
    for thread in threads:
        thread.start()
    chats = []
    while any(thread.is_alive() for thread in threads) and len(chats) < 60:
        chats.append(Chat(eve, room, wait=False, query=ASK))
    for thread in threads:
        thread.join()
    assert failures == []
    here = {"ann": 1, "eve": len(chats)}
    while watcher.until("user_count_update")["user_counts"].get(room) != sum(here.values()):
        pass
    Chat(ann, room).say("the end")  # a second one of hers, behind which nobody comes or goes
    here["ann"] = 2
    for chat in chats:
        assert tally(chat) == here
