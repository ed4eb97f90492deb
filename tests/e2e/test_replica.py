"""Pages of history come from a replica as far as it has them; nobody misses what was acknowledged, however far it lags."""

import pytest

import stores
import ws
from server import until

pytestmark = [pytest.mark.only_store("postgres"), pytest.mark.own_cluster]
POSTS = 150  # more than a ring has, and than a page
RING = {"CONFAB_ROOMS_RING_POSTS": "16", "CONFAB_LIMITS_API_PER_SECOND": "100000", "CONFAB_LIMITS_API_BURST": "100000"}


@pytest.fixture
def replica(store):
    one = stores.Replica(store.cluster)
    yield one
    one.stop()


@pytest.fixture
def server(make_server, store, replica):
    return make_server({**RING, "CONFAB_STORE_REPLICA_URL": replica.of(store.database)}).start()


def pages(server, result):
    return server.metrics()[f'confab_replica_pages_total{{result="{result}"}}']


def say(chat, first, behind):
    for number in range(first, behind):
        chat.say(f"post {number}")


def read(user, room, count):
    """The whole history, by each way to page backwards."""
    expected = [f"post {number}" for number in range(count)]
    assert [post["content"] for post in user.history(room)] == expected
    newest = user.messages(room, limit=100)
    older = user.messages(room, limit=100, before=newest[0]["created_at"])
    assert [post["content"] for post in older + newest] == expected[-len(older + newest):]
    assert older[-1]["seq"] == newest[0]["seq"] - 1


@pytest.fixture
def ann(server):
    return server.user("ann")


@pytest.fixture
def room(ann):
    return ann.create_room("General")


@pytest.fixture
def chat(ann, room):
    """ann's in that room; it has said POSTS."""
    chat = ws.Chat(ann, room)
    say(chat, 0, POSTS)
    yield chat
    chat.close()


def test_history_is_read_from_the_replica_as_far_as_it_has_it(server, replica, ann, room, chat):
    replica.catch_up()
    read(ann, room, POSTS)
    until(lambda: pages(server, "answered") >= 3, "pages of the replica")
    behind = pages(server, "behind")

    replica.pause()  # from here on it lags
    say(chat, POSTS, POSTS + 50)
    read(ann, room, POSTS + 50)
    until(lambda: pages(server, "behind") > behind, "pages that the replica lacks")
    answered = pages(server, "answered")
    old = ann.messages(room, limit=100)[0]["id"]
    ann.messages(room, limit=50, before=old)
    until(lambda: pages(server, "answered") > answered, "an old page of the replica")

    replica.resume()
    replica.catch_up()
    answered = pages(server, "answered")
    read(ann, room, POSTS + 50)
    until(lambda: pages(server, "answered") >= answered + 3, "pages of the replica")


def test_a_replica_that_is_away_is_done_without(server, replica, ann, room, chat):
    replica.stop()
    read(ann, room, POSTS)
    until(lambda: pages(server, "away") >= 1, "pages asked of nobody")
    assert server.client().raw("GET", "/readyz")[0] == 200
    replica.start()
    replica.catch_up()

    def is_answered():
        read(ann, room, POSTS)
        return pages(server, "answered") >= 1
    until(is_answered, "pages of the replica")
