"""`confab ctl dead-letters replay`: commands that failed run again in their rooms, against a quote service that was
away and is mended (docs/control.md)."""

import json
import signal
import socket
import subprocess
import uuid

import pytest

import server as servers
import test_commands
from quotes import csv, status
from server import until
from test_commands import ann, ask, dead_letters, letters_of, quotes, room, words  # noqa: F401
from ws import Chat

# One attempt, and a breaker that never opens: each replay asks. A quote that is held back comes in time.
QUICK = {**test_commands.QUICK, "CONFAB_STOCK_ATTEMPTS": "1", "CONFAB_STOCK_ATTEMPT_TIMEOUT": "5m",
         "CONFAB_STOCK_DEADLINE": "5m"}


@pytest.fixture
def make_bot(make_server, quotes):  # noqa: F811
    def make(**env):
        return make_server({**QUICK, "CONFAB_STOCK_URL": quotes.url, **env}).start()
    return make


@pytest.fixture
def bot(make_bot):
    return make_bot()


def replay(server, *words_, code=0):
    """What `confab ctl dead-letters replay` prints."""
    run = server.command("ctl", "dead-letters", "replay", *words_)
    assert run.returncode == code, (run.stdout, run.stderr)
    return [json.loads(line) for line in run.stdout.splitlines()]


def heard_until(chat, content):
    """The messages before the one with this content."""
    heard = []
    while True:
        frame = chat.recv()
        if frame["type"] == "chat_message":
            if frame["content"] == content:
                return heard
            heard.append(frame["content"])


def begin_replay(server, letter):
    return subprocess.Popen([str(servers.BINARY), "ctl", "dead-letters", "replay", letter], env=server.environment(),
                            cwd=server.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def fail(quotes, server, chat, code="AAPL.US"):  # noqa: F811
    """One more dead letter; returns its id."""
    before = {letter["id"] for letter in dead_letters(server)}
    quotes.answers[code] = status("500 Internal Server Error")
    assert ask(chat, f"/stock={code}")["content"] == f"Failed to fetch quote for {code}"
    letters = letters_of(server, len(before) + 1)
    (new,) = [letter["id"] for letter in letters if letter["id"] not in before]
    return new


def test_a_letter_is_answered_in_its_room_when_the_service_is_mended(store_kind, quotes, bot, ann, room):  # noqa: F811
    bob = bot.user("bob")
    bob.join(room)
    first, second = Chat(ann, room), Chat(bob, room)
    letter = fail(quotes, bot, first)
    assert words(second)["content"] == "Failed to fetch quote for AAPL.US"
    quotes.answers["AAPL.US"] = csv("AAPL.US", "93.42")
    assert replay(bot, letter) == [{"id": letter, "result": "answered"}]
    for chat in (first, second):
        frame = words(chat)
        assert (frame["content"], frame["username"], frame["is_bot"]) == \
            ("AAPL.US quote is $93.42 per share", "StockBot", True)
        assert "is_error" not in frame
    assert dead_letters(bot) == []
    first.post("after it")
    assert heard_until(first, "after it") == heard_until(second, "after it") == []  # no echo, and the words once
    assert [message["content"] for message in ann.messages(room)] == ["after it"]
    assert replay(bot, letter, code=1) == [{"id": letter, "result": "refused", "reason": "there is no such letter"}]
    until(lambda: bot.metrics()['confab_dead_letters_replayed_total{result="answered"}'] == 1, "the count")
    assert bot.metrics()['confab_dead_letters_replayed_total{result="refused"}'] == 1


def test_one_that_fails_again_stays_and_says_why(store_kind, quotes, bot, ann, room):  # noqa: F811
    chat = Chat(ann, room)
    letter = fail(quotes, bot, chat)
    before = dead_letters(bot)
    quotes.answers["AAPL.US"] = status("503 Service Unavailable")
    assert replay(bot, letter, code=1) == [{"id": letter, "result": "failed", "reason": "HTTP status 503"}]
    assert dead_letters(bot) == before  # the same one, and no second
    chat.post("a")
    assert heard_until(chat, "a") == []  # the room is not told so again
    quotes.answers["AAPL.US"] = csv("AAPL.US", "1")
    assert replay(bot, letter) == [{"id": letter, "result": "answered"}]
    until(lambda: bot.metrics()['confab_dead_letters_replayed_total{result="failed"}'] == 1, "the count")


def test_that_there_is_no_such_stock_is_an_answer(store_kind, quotes, bot, ann, room):  # noqa: F811
    chat = Chat(ann, room)
    letter = fail(quotes, bot, chat)
    quotes.answers["AAPL.US"] = csv("AAPL.US", "N/D")
    assert replay(bot, letter) == [{"id": letter, "result": "answered"}]
    assert words(chat)["content"] == "Stock AAPL.US not found"
    assert dead_letters(bot) == []


def test_all_of_them_in_rooms_that_nobody_is_in(store_kind, quotes, bot, ann, room):  # noqa: F811
    other = ann.create_room("Other")
    chats = [Chat(ann, room), Chat(ann, other)]
    letters = [fail(quotes, bot, chats[i % 2], f"C{i}.US") for i in range(12)]
    for chat in chats:
        chat.close()
    for i in range(12):
        quotes.answers[f"C{i}.US"] = status("500") if i == 5 else csv(f"C{i}.US", "2")
    run = bot.command("ctl", "dead-letters", "replay", "--all")
    assert run.returncode == 1 and run.stderr == "confab ctl: 11 answered, 1 not\n"
    outcomes = {entry["id"]: entry["result"] for entry in map(json.loads, run.stdout.splitlines())}
    assert outcomes == {letter: "failed" if i == 5 else "answered" for i, letter in enumerate(letters)}
    assert [letter["id"] for letter in dead_letters(bot)] == [letters[5]]
    quotes.answers["C5.US"] = csv("C5.US", "2")
    assert replay(bot, "--all") == [{"id": letters[5], "result": "answered"}]
    assert replay(bot, "--all") == []


def test_who_wrote_it_need_not_be_a_member_any_more(store_kind, quotes, bot, ann, room):  # noqa: F811
    bob = bot.user("bob")
    bob.join(room)
    chat = Chat(bob, room)
    letter = fail(quotes, bot, chat)
    chat.close()
    watcher = Chat(ann, room)
    quotes.answers["AAPL.US"] = csv("AAPL.US", "3")
    assert replay(bot, letter) == [{"id": letter, "result": "answered"}]
    assert words(watcher)["content"] == "AAPL.US quote is $3.00 per share"


def test_two_at_once_run_it_once(store_kind, quotes, bot, ann, room):  # noqa: F811
    chat = Chat(ann, room)
    letter = fail(quotes, bot, chat)
    quotes.answers["AAPL.US"] = csv("AAPL.US", "4")
    asked = len(quotes.asked)
    quotes.hold("AAPL.US")
    first = begin_replay(bot, letter)
    until(lambda: len(quotes.asked) == asked + 1, "the first to ask")
    assert replay(bot, letter, code=1) == \
        [{"id": letter, "result": "refused", "reason": "it is being run again already"}]
    quotes.release("AAPL.US")
    out, _ = first.communicate(timeout=servers.LIMIT_S)
    assert first.returncode == 0 and json.loads(out) == {"id": letter, "result": "answered"}
    assert len(quotes.asked) == asked + 1
    assert words(chat)["content"] == "AAPL.US quote is $4.00 per share"
    assert dead_letters(bot) == []


def test_a_letter_survives_a_restart_and_a_drain_that_comes_between(store_kind, quotes, bot, ann, room):  # noqa: F811
    chat = Chat(ann, room)
    letter = fail(quotes, bot, chat)
    chat.close()
    before = dead_letters(bot)
    quotes.hold("AAPL.US")
    asked = len(quotes.asked)
    run = begin_replay(bot, letter)
    until(lambda: len(quotes.asked) == asked + 1, "the replay to ask")
    assert bot.terminate() == 0  # the quote does not come
    out, err = run.communicate(timeout=servers.LIMIT_S)
    assert run.returncode == 1 and json.loads(out) == {"id": letter, "result": "failed", "reason": "shutting down"}, err
    bot.start()
    assert dead_letters(bot) == before
    quotes.release("AAPL.US")
    quotes.answers["AAPL.US"] = csv("AAPL.US", "5")
    assert replay(bot, letter) == [{"id": letter, "result": "answered"}]
    assert dead_letters(bot) == []


def test_a_server_that_is_killed_is_told_and_the_letter_stays(store_kind, quotes, bot, ann, room):  # noqa: F811
    chat = Chat(ann, room)
    letter = fail(quotes, bot, chat)
    before = dead_letters(bot)
    quotes.hold("AAPL.US")
    asked = len(quotes.asked)
    run = begin_replay(bot, letter)
    until(lambda: len(quotes.asked) == asked + 1, "the replay to ask")
    assert bot.kill() == -signal.SIGKILL
    out, err = run.communicate(timeout=servers.LIMIT_S)
    assert run.returncode == 1 and json.loads(out)["result"] == "unknown"
    assert "the server is shutting down, or has ended" in err
    quotes.release("AAPL.US")
    bot.start()
    assert dead_letters(bot) == before


def test_a_letter_that_cannot_be_removed_is_removed_when_the_store_is_well(store_kind, faults, quotes, make_bot):  # noqa: F811
    bot = make_bot()
    bot.allow_errors("^the store is away$")
    ann = bot.user("ann")
    chat = Chat(ann, ann.create_room("General"))
    letter = fail(quotes, bot, chat)
    quotes.answers["AAPL.US"] = csv("AAPL.US", "6")
    faults.write_text("write fail\n")
    run = begin_replay(bot, letter)
    assert words(chat)["content"] == "AAPL.US quote is $6.00 per share"
    until(lambda: bot.metrics()["confab_store_errors_total"] >= 1, "the store to fail")
    assert [entry["id"] for entry in dead_letters(bot)] == [letter]
    faults.write_text("")
    out, _ = run.communicate(timeout=servers.LIMIT_S)
    assert run.returncode == 0 and json.loads(out) == {"id": letter, "result": "answered"}
    assert dead_letters(bot) == []
    chat.post("after it")
    assert heard_until(chat, "after it") == []  # said once


def test_what_was_answered_when_the_server_died_is_answered_again(store_kind, faults, quotes, make_bot):  # noqa: F811
    """At least once: the words were said, the letter was not removed yet."""
    bot = make_bot()
    bot.allow_errors("^the store is away$")
    ann = bot.user("ann")
    room = ann.create_room("General")
    chat = Chat(ann, room)
    letter = fail(quotes, bot, chat)
    quotes.answers["AAPL.US"] = csv("AAPL.US", "9")
    faults.write_text("write fail\n")
    run = begin_replay(bot, letter)
    assert words(chat)["content"] == "AAPL.US quote is $9.00 per share"
    bot.kill()
    out, _ = run.communicate(timeout=servers.LIMIT_S)
    assert run.returncode == 1 and json.loads(out)["result"] == "unknown"
    faults.write_text("")
    bot.start()
    assert [entry["id"] for entry in dead_letters(bot)] == [letter]
    chat = Chat(ann, room)
    assert replay(bot, letter) == [{"id": letter, "result": "answered"}]
    assert words(chat)["content"] == "AAPL.US quote is $9.00 per share"
    assert dead_letters(bot) == []


def test_what_the_server_has_no_place_for_is_not_asked(store_kind, quotes, bot, ann, room):  # noqa: F811
    letter = fail(quotes, bot, Chat(ann, room))
    quotes.answers["AAPL.US"] = csv("AAPL.US", "5")
    others = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(16)]
    for other in others:
        other.connect(str(bot.folder / "control.sock"))
    run = bot.command("ctl", "dead-letters", "replay", letter)
    assert run.returncode == 1
    assert json.loads(run.stdout) == {"id": letter, "result": "refused", "reason": "the server was not asked"}
    assert "too much is being asked of the server at once" in run.stderr
    assert [entry["id"] for entry in dead_letters(bot)] == [letter]
    for other in others:
        other.close()
    assert replay(bot, letter) == [{"id": letter, "result": "answered"}]


@pytest.mark.only_store("sqlite")
def test_all_are_more_than_one_look_into_the_store_finds(store_kind, store, quotes, make_bot):  # noqa: F811
    bot = make_bot(CONFAB_STOCK_CACHE="10m")
    room = bot.user("ann").create_room("General")
    quotes.answers["A"] = csv("A", "8")
    assert bot.terminate() == 0
    store.run("INSERT INTO dead_letters (id, room, at_us, command, reason, attempts) WITH RECURSIVE n(i) AS (SELECT 1"
              f" UNION ALL SELECT i + 1 FROM n WHERE i < 501) SELECT randomblob(16), x'{uuid.UUID(room).hex}', i / 7,"
              " '/stock=A', 'timed out', 1 FROM n")
    bot.start()
    run = bot.command("ctl", "dead-letters", "replay", "--all")
    assert (run.returncode, run.stderr) == (0, "confab ctl: 501 answered, 0 not\n")
    assert len(set(run.stdout.splitlines())) == 501
    assert dead_letters(bot) == []


@pytest.mark.only_store("sqlite")
def test_ids_that_are_none_begin_nothing(store_kind, quotes, bot, ann, room):  # noqa: F811
    letter = fail(quotes, bot, Chat(ann, room))
    quotes.answers["AAPL.US"] = csv("AAPL.US", "7")
    for words_ in ((letter, "x"), (letter.upper(),), (), ("--all", letter)):
        run = bot.command("ctl", "dead-letters", "replay", *words_)
        assert run.returncode == 2 and run.stdout == "", words_
    assert len(dead_letters(bot)) == 1
    unknown = str(uuid.uuid4())
    assert replay(bot, unknown, letter, code=1) == [
        {"id": unknown, "result": "refused", "reason": "there is no such letter"}, {"id": letter, "result": "answered"}]
