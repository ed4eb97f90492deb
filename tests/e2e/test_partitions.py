"""posts may become a table of partitions by room, with what is in it, and the server need not know."""

import pytest

import ws

pytestmark = pytest.mark.only_store("postgres")
ROOMS = 8  # five partitions: some room is in another one than the first


def say(user, room, *contents):
    chat = ws.Chat(user, room)
    for content in contents:
        chat.post(content)
        chat.until("message_ack")
    chat.close()


def test_a_chat_goes_on_with_its_posts_in_partitions(server, store):
    ann = server.user("ann")
    rooms = [ann.create_room(f"room {number}") for number in range(ROOMS)]
    for room in rooms:
        say(ann, room, "one", "two")
    server.terminate()
    store.run("SELECT partition_posts(5)")
    server.start()
    ann = server.client()
    ann.login("ann", "password123")
    for room in rooms:
        say(ann, room, "three")
        assert [post["content"] for post in ann.history(room)] == ["one", "two", "three"]
        assert [post.seq for post in store.posts(room)] == [1, 2, 3]
    assert store.cluster.run("SELECT count(DISTINCT tableoid) > 1 FROM posts", store.url) == [(True,)]
