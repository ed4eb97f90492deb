"""A node may do a part of the work for the others: `confab serve --only stockbot`. The chat goes on while it is away."""

import subprocess
import urllib.parse

import pytest

import quotes as services
import server as servers
import ws
from quotes import csv
from server import until
from test_mesh import LINKS, await_metric, keys, make_node  # noqa: F401 (fixtures)

pytestmark = pytest.mark.only_store("postgres")
ASIDE = {"CONFAB_NODE_ROLES": "stockbot", "CONFAB_METRICS_LISTEN": "127.0.0.1:0", "CONFAB_STOCK_ATTEMPTS": "1",
         "CONFAB_STOCK_CACHE": "0"}
AWAY = "confab_bot_away_total"


@pytest.fixture
def quotes():
    with services.Quotes() as made:
        yield made


@pytest.fixture
def make_pair(make_node, store, quotes):  # noqa: F811
    """A node with rooms alone, and one with the bot alone, which may do nothing in the database but be a node."""
    def make():
        rooms = make_node(0, allowed=range(2), CONFAB_NODE_ROLES="rooms").start()
        role = "bot_of_" + store.database
        store.run(f"CREATE ROLE {role} LOGIN; GRANT SELECT, INSERT, UPDATE, DELETE ON nodes, revocations TO {role};"
                  f" GRANT SELECT ON chat TO {role}")
        url = urllib.parse.urlsplit(store.url)
        poor = url._replace(netloc=f"{role}@{url.hostname}:{url.port}").geturl()
        bot = make_node(1, allowed=range(2), CONFAB_STOCK_URL=quotes.url, CONFAB_STORE_URL=poor, **ASIDE).start()
        for node in (rooms, bot):
            await_metric(node, LINKS, 1)
        return rooms, bot
    return make


def enter(node):
    ann = node.user("ann")
    room = ann.create_room("General")
    return room, ws.Chat(ann, room)


def ask(chat, command):
    """The bot's words, asked for until there is a bot."""
    while True:
        chat.post(command)
        while (frame := chat.recv())["type"] != "error":
            if frame.get("is_bot"):
                return frame["content"]


def refusal(chat):
    chat.post("/stock=AAPL.US")
    return chat.until("error")["code"]


def test_another_node_answers_commands_and_has_no_clients(make_pair, quotes):
    rooms, bot = make_pair()
    room, chat = enter(rooms)
    quotes.answers["AAPL.US"] = csv("AAPL.US", "93.42")
    assert ask(chat, "/stock=AAPL.US") == "AAPL.US quote is $93.42 per share"
    await_metric(bot, "confab_bot_commands_total", 1)
    assert rooms.metrics()["confab_bot_commands_total"] == 0
    until(lambda: bot.client().raw("GET", "/readyz")[0] == 200, "readiness")
    assert bot.client().raw("GET", "/chatrooms")[0] == 404
    chat.post("said")
    chat.until("message_ack")
    chat.close()


def test_the_chat_goes_on_while_the_bot_is_away_and_finds_it_again(make_pair, quotes):
    rooms, bot = make_pair()
    room, chat = enter(rooms)
    bot.kill()
    assert rooms.wait_log(lambda entry: entry.get("msg") == "a node is gone")
    until(lambda: refusal(chat) == "BOT_UNAVAILABLE", "a refusal")
    await_metric(rooms, AWAY, 1)
    chat.post("said")
    chat.until("message_ack")
    quotes.answers["AAPL.US"] = csv("AAPL.US", "93.42")
    bot.start()
    assert ask(chat, "/stock=AAPL.US") == "AAPL.US quote is $93.42 per share"
    chat.close()


def test_a_command_whose_bot_dies_is_refused_and_does_not_hang(make_pair, quotes):
    rooms, bot = make_pair()
    room, chat = enter(rooms)
    quotes.hold("AAPL.US")
    chat.post("/stock=AAPL.US")
    await_metric(bot, "confab_bot_waiting", 1)
    bot.kill()
    assert chat.until("error")["code"] == "BOT_UNAVAILABLE"
    await_metric(rooms, AWAY, 1)
    chat.close()


def test_a_command_that_fails_there_is_a_dead_letter_of_the_chat(make_pair, quotes):
    rooms, bot = make_pair()
    room, chat = enter(rooms)
    quotes.answers["AAPL.US"], _ = services.FAULTS["S404"]
    assert ask(chat, "/stock=AAPL.US").startswith("Failed to fetch")
    await_metric(bot, "confab_dead_letters_total", 1)
    assert room in rooms.command("dead-letters").stdout
    chat.close()


def test_only_takes_a_role_and_says_which_there_are(make_server):
    for words, status, said in ((["--only", "chess"], 78, "rooms"), (["--only", "stockbot"], 78, "mesh.listen"),
                                (["--only"], 2, "usage")):
        server = make_server()
        run = subprocess.run([str(servers.BINARY), "serve", *words], env=server.environment(), cwd=server.folder,
                             check=False, text=True, capture_output=True, timeout=servers.LIMIT_S)
        assert run.returncode == status and said in run.stderr
