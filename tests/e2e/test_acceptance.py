"""The acceptance list of the rooms contract: docs/testing.md names a test for every point, and what no other test
tries on both stores is tried here."""

import ast
import pathlib
import re

import pytest

import server as servers
import ws

HERE = pathlib.Path(__file__).parent
POINTS = 27
# What one store alone can do: a file has one owner, so of ten servers one serves; a database serves all ten. Each
# is the other's counterpart.
ONE_STORE = {"test_ten_first_starts_at_once_make_one_bot": {"postgres"},
             "test_of_ten_first_starts_on_one_file_one_serves_and_the_others_say_why": {"sqlite"}}

# What of the list is about one process, and is not tried over nodes (tests/support/fixtures.py): a node's own origin is
# foreign at the others, its metrics and its bot's breaker are its own, and so is a connection; ten servers on one host are no
# nodes; the scenarios have their own server.
ONE_SERVER = {"test_every_state_changing_operation_by_cookie", "test_every_socket_route",
              "test_answers_are_shared_with_known_origins_only", "test_a_cross_site_post_with_a_cookie_is_forbidden",
              "test_every_name_of_the_contract_is_there_and_set", "test_the_breaker_opens_and_recovers",
              "test_ten_first_starts_at_once_make_one_bot", "test_all_six_keep_their_thresholds"}


def functions_of(name):
    """Test functions of a file -> the stores they run on."""
    tree = ast.parse((HERE / name).read_text())
    whole = [ast.unparse(node.value) for node in tree.body if isinstance(node, ast.Assign)
             and getattr(node.targets[0], "id", "") == "pytestmark"]
    found = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            marks = [ast.unparse(mark) for mark in node.decorator_list] + whole
            only = [set(re.findall(r"'(\w+)'", mark)) for mark in marks if "only_store" in mark]
            found[node.name] = only[0] if only else {"sqlite", "postgres"}
    return found


def is_c_test(name, test):
    """Is there a test of that name in a C file of the suite?"""
    found = list(HERE.parent.glob(f"*/{name}"))
    return len(found) == 1 and re.search(
        rf"^(?:Test|ParameterizedTest|ON_[A-Z_]+)\([^)]*\b{test}\b", found[0].read_text(), re.M) is not None


def test_every_test_that_the_list_of_defects_names_exists():
    text = (HERE.parent.parent / "docs/defects.md").read_text()
    rows = re.findall(r"^\| ([A-Z]?[\d.]+[abc]?) \|", text, re.M)
    assert len(rows) == len(set(rows)) == 16 + 23 + 13 + 26
    for name, test in re.findall(r"`(test_\w+\.(?:py|c))::(\w+)`", text):
        exists = test in functions_of(name) if name.endswith(".py") else is_c_test(name, test)
        assert exists, f"there is no {name}::{test}"


def points():
    """point -> [(file, test)] as docs/testing.md has it."""
    text = (HERE.parent.parent / "docs/testing.md").read_text()
    table = text.split("## The acceptance list\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (\d+) \|[^|]*\|(.*)\|$", table, re.M)
    return {int(number): re.findall(r"`(test_\w+\.py)::(test_\w+)`", tests) for number, tests in rows}


def test_every_point_has_tests_that_exist():
    found = points()
    assert sorted(found) == list(range(1, POINTS + 1))
    for number, tests in found.items():
        assert tests, f"point {number} has no test"
        stores = set()
        for name, test in tests:
            assert test in functions_of(name), f"point {number}: there is no {name}::{test}"
            runs_on = functions_of(name)[test]
            assert runs_on == ONE_STORE.get(test, {"sqlite", "postgres"}), f"{name}::{test} runs on {runs_on}"
            stores |= runs_on
        assert stores == {"sqlite", "postgres"}, f"point {number} runs on {stores} only"


@pytest.mark.parametrize("password", ["p" * 8, "p" * 72, "p" * 73, "p" * 100, "\u00e4" * 50, "pass word\t\u2028\U0001f600"])
def test_point_2_passwords_of_any_length_up_to_100_bytes_log_in(store_kind, server, password):
    client = server.client()
    client.register("ann", password)
    assert client.login("ann", password)["user"]["username"] == "ann"
    for wrong in (password[:-1], password + "x", password.swapcase() + "y"):
        with pytest.raises(Exception, match="Invalid credentials"):
            client.login("ann", wrong)


def test_point_5_the_list_pages_over_120_rooms_of_one_moment(store_kind, server):
    ann = server.user("ann")
    made = []
    for _ in range(3):
        keep = server.client(keep=True, token=ann.token)  # 50 at once is what a connection may
        made += [keep.create_room(f"room {n}") for n in range(40)]
        keep.connection.close()
    server.terminate()
    server.store.set_room_times(1_700_000_000_123_456)
    server.start()
    ann = server.client(token=ann.token)
    chat = ws.Chat(ann, made[7])
    servers.until(lambda: any(room["user_count"] for page in ("?limit=100", f"?cursor={sorted(made)[20]}")
                              for room in ann.call("GET", "/chatrooms" + page)["chatrooms"]), "the count")
    for limit in (1, 7, 50, 100):
        seen, cursor = [], ""
        while cursor is not None:
            page = ann.call("GET", f"/chatrooms?limit={limit}{cursor}")
            seen += page["chatrooms"]
            assert page["has_more"] == ("next_cursor" in page)
            cursor = f"&cursor={page['next_cursor']}" if page["has_more"] else None
            assert len(page["chatrooms"]) == limit or cursor is None
        assert [room["id"] for room in seen] == sorted(made, reverse=True), f"each once and in order, {limit} on a page"
        assert {room["created_at"] for room in seen} == {"2023-11-14T22:13:20Z"}, "whole seconds"
        assert {room["id"] for room in seen if room["user_count"]} == {made[7]}
    chat.leave()


@pytest.mark.server_env(CONFAB_WS_PING="1s", CONFAB_WS_IDLE="3s")
def test_point_17_who_answers_pings_stays_and_who_does_not_is_dropped(store_kind, server):
    """With the times of the settings for those of the contract: many times the idle limit, and one."""
    ann, bob, eve = (server.user(name) for name in ("ann", "bob", "eve"))
    room = ann.create_room()
    for other in (bob, eve):
        other.join(room)
    watcher, silent, dead = ws.Chat(ann, room), ws.Chat(bob, room), ws.Chat(eve, room)
    watcher.until("user_joined", username="eve")
    before = watcher.pings
    pongs = 0
    while pongs < 12:  # a ping a second: four idle limits
        opcode, payload = silent.recv_frame()
        if opcode == ws.PING:
            silent.send_frame(ws.PONG, payload)
            pongs += 1
            watcher.send_frame(ws.PING, b"alive")
    left = watcher.until("user_left")
    assert left["username"] == "eve"
    # The server pings at most once a second, by the timers that end who is idle. Between the two it had an
    # idle limit, a tick, and what two messages between its threads take.
    assert watcher.pings - before <= 3 + 1 + 3, "the one that does not answer was let stay"
    silent.say("still here")
    assert dead.tcp.fileno() >= 0, "it is the server that has given up, not the client"


def test_point_17_a_minute_is_not_passed_by_default():
    """The limit as it is set unless asked otherwise, with the second by which a deadline may be late."""
    text = (HERE.parent.parent / "docs/configuration.md").read_text().split("\nWebSocket connections.\n")[1]
    idle, ping = (re.search(rf"^\| `{key}` \| duration \| `(\d+)s` \|", text, re.M)[1] for key in ("idle", "ping"))
    assert int(idle) + 1 < 60 and 2 * (int(ping) + 1) < int(idle), "two pings before anybody is given up"
