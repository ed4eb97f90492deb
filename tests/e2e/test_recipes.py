"""The recipes in docs/control.md are what can be typed: each of its commands, in its order, at servers as they meet them."""

import re

import pytest

import server as servers
import ws
from nodes import LINKS, await_metric, keys  # noqa: F401 (fixture)
from quotes import csv
from test_commands import ann, dead_letters, quotes, room  # noqa: F401
from test_mesh import make_node  # noqa: F401 (fixture)
from test_replay import bot, fail, make_bot  # noqa: F401 (fixtures)


def recipes():
    """What each block of commands is about -> its commands, as words."""
    text = (servers.ROOT / "docs/control.md").read_text()
    section = text[text.index("## Recipes"):text.index("## Bounds")]
    blocks = re.findall(r"^\*\*(.+?)\*\*.*?^```console\n(.+?)^```", section, re.M | re.S)
    return {about: [re.fullmatch(r"\$ confab (.+)", line)[1].split() for line in block.splitlines()] for about, block in blocks}


def run_all(server, about, **names):
    """Runs them, with these in place of the words in capitals; what each printed."""
    printed = []
    for words in recipes()[about]:
        run = server.command(*(names.get(word, word) for word in words))
        assert run.returncode == 0, f"confab {' '.join(words)}: {run.stdout}{run.stderr}"
        printed.append(run.stdout)
    return printed


def test_these_are_tried():
    assert len(recipes()) == 5


def test_an_account_is_shut_and_opened_again(store_kind, server):
    server.user("mallory")
    run_all(server, "Somebody floods, or an account is not its owner's any more.", NAME="mallory")
    server.client().login("mallory")


@pytest.mark.only_store("postgres")
def test_the_busiest_room_goes_to_another_node(store_kind, make_node):  # noqa: F811
    pair = [make_node(i, allowed=range(2)).start() for i in range(2)]
    for node in pair:
        await_metric(node, LINKS, 1)
    owner = pair[0].user("owner")
    busy = owner.create_room("busy")
    chat = ws.Chat(owner, busy)
    chat.say("before")
    if pair[1].command("ctl", "rooms", "move", busy, "node-0").returncode:
        assert pair[1].command("ctl", "rooms", "move", busy, "node-1").returncode == 0
        assert pair[1].command("ctl", "rooms", "move", busy, "node-0").returncode == 0
    top, *_ = run_all(pair[0], "This server is busy, and which room is it?", ROOM=busy, NODE="node-1")
    assert busy in top
    chat.say("behind")


def test_what_failed_is_run_again(store_kind, bot, quotes, ann, room):  # noqa: F811
    chat = ws.Chat(ann, room)
    letters = [fail(quotes, bot, chat) for _ in range(3)]
    quotes.answers["AAPL.US"] = csv("AAPL.US", "93.42")
    listed, one, rest = run_all(bot, "The quote service was away.", ID=letters[0])
    assert all(letter in listed for letter in letters) and letters[0] in one and letters[0] not in rest
    assert not dead_letters(bot)


def test_the_rest(store_kind, server):
    settings, memory = run_all(server, "Before a change of settings.")
    assert "OK" in settings and '"term":"all"' in memory
    _, version = run_all(server, "Is it well?")
    assert "confab" in version
