"""Commands and the bot: rooms contract, sections 7 and 8, against a quote service that does whatever a test
tells it to."""

import json
import re
import signal
import socket
import subprocess

import pytest

import quotes as services
import server as servers
from quotes import FAULTS, csv, redirect
from server import until
from ws import Chat

BOT = "b07b07b0-7b07-8b07-8b07-b07b07b07b07"
MEMBERS = {"type", "id", "user_id", "username", "content", "is_bot", "created_at", "chatroom_id"}
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

# Short enough that no test waits for long; every one of them is a key.
QUICK = {"CONFAB_STOCK_ATTEMPT_TIMEOUT": "1s", "CONFAB_STOCK_PAUSE": "10ms", "CONFAB_STOCK_CACHE": "0",
         "CONFAB_STOCK_CACHE_NOT_FOUND": "0", "CONFAB_STOCK_BREAKER_FAILURES": "1000", "CONFAB_STOCK_ATTEMPTS": "3"}


@pytest.fixture
def quotes():
    with services.Quotes() as made:
        yield made


@pytest.fixture
def make_bot(make_server, quotes):
    def make(**env):
        return make_server({**QUICK, "CONFAB_STOCK_URL": quotes.url, **env}).start()
    return make


@pytest.fixture
def bot(make_bot, request):
    marker = request.node.get_closest_marker("server_env")
    return make_bot(**(marker.kwargs if marker else {}))


@pytest.fixture
def ann(bot):
    return bot.user("ann")


@pytest.fixture
def room(ann):
    return ann.create_room("General")


def words(chat):
    """The next words of the bot."""
    return chat.until("chat_message", is_bot=True)


def ask(chat, command):
    chat.post(command)
    return words(chat)


def dead_letters(server):
    """What `confab dead-letters` prints."""
    run = subprocess.run([str(servers.BINARY), "dead-letters"], env=server.environment(), cwd=server.folder,
                         check=True, capture_output=True, text=True, timeout=servers.LIMIT_S)
    assert run.stderr == ""
    return [json.loads(line) for line in run.stdout.splitlines()]


def letters_of(server, count):
    until(lambda: len(dead_letters(server)) >= count, f"{count} dead letters")
    return dead_letters(server)


# ---- 7: words


def test_a_quote_reaches_the_whole_room_and_the_echo_its_sender_alone(store_kind, quotes, bot, ann, room):
    bob = bot.user("bob")
    bob.join(room)
    quotes.answers["AAPL.US"] = csv("AAPL.US", "93.42")
    first, second = Chat(ann, room), Chat(bob, room)
    first.until("user_joined", username="bob")
    command = " /stock=aapl.us\t"
    first.post(command)
    frames = []
    while len(frames) < 2:
        frame = first.recv()
        if frame["type"] != "user_count_update":  # counts come when they come
            frames.append(frame)
    echo, quote = frames
    assert set(echo) == MEMBERS
    assert (echo["content"], echo["username"], echo["user_id"], echo["is_bot"]) == (command, "ann", ann.id, False)
    assert set(quote) == MEMBERS  # no is_error, no seq
    assert (quote["content"], quote["username"], quote["user_id"], quote["is_bot"]) == \
        ("AAPL.US quote is $93.42 per share", "StockBot", BOT, True)
    assert quote["chatroom_id"] == room and UUID.fullmatch(quote["id"]) and UUID.fullmatch(echo["id"])
    assert quote["id"] != echo["id"] and quote["created_at"].endswith("Z")
    assert words(second) == quote
    assert quotes.paths == ["/q/l/?s=AAPL.US&f=sd2t2ohlcv&h&e=csv"]
    second.say("after it")
    assert second.until("chat_message")["content"] == "after it"  # bob saw no echo
    assert all("/stock" not in frame.get("content", "") for frame in second.kept)
    assert [message["content"] for message in ann.messages(room)] == ["after it"]  # nothing else is stored


@pytest.mark.parametrize("close,price", [("93.42", "93.42"), ("93", "93.00"), ("0", "0.00"), ("1234567.891", "1234567.89"),
                                         ("0.3333333333333333", "0.33"), ("99.999", "100.00")])
def test_prices_have_two_decimals(store_kind, quotes, ann, room, close, price):
    quotes.answers["A"] = csv("a.us", close)
    assert ask(Chat(ann, room), "/stock=a")["content"] == f"a.us quote is ${price} per share"


@pytest.mark.parametrize("symbol,close", [("N/D", "1"), ("XYZ", "N/D"), ("N/D", "N/D")])
def test_there_is_no_such_stock(store_kind, quotes, bot, ann, room, symbol, close):
    quotes.answers["XYZ"] = csv(symbol, close)
    frame = ask(Chat(ann, room), "/stock=xyz")
    assert frame["content"] == "Stock XYZ not found" and frame["is_error"] is True
    assert dead_letters(bot) == []


def test_every_fault_of_the_service_has_one_answer_and_costs_nothing_else(store_kind, quotes, bot, ann, room):
    """All of them at once, while posts go on; each ends in the contract's words and a dead letter."""
    quotes.answers.update({code: answer for code, (answer, _) in FAULTS.items()})
    trap = socket.create_server(("127.0.0.1", 0))  # where a redirect must not lead
    quotes.answers["TRAP"] = redirect(f"http://127.0.0.1:{trap.getsockname()[1]}/")
    codes = [*FAULTS, "TRAP"]
    writer = Chat(ann, room)  # before the first command, as words of the bot are not stored: who comes later missed them
    chats = [Chat(ann, room, wait=False) for _ in range(4)]
    for i, code in enumerate(codes):
        chats[i % 4].post(f"/stock={code.lower()}")
    for i in range(50):
        writer.say(f"post {i}")
    told = {}
    while len(told) < len(codes):
        frame = words(writer)
        assert frame["is_error"] is True
        told[frame["content"]] = frame
    assert set(told) == {f"Failed to fetch quote for {code}" for code in codes}
    letters = {letter["command"]: letter for letter in letters_of(bot, len(codes))}
    for code, (_, is_tried_again) in FAULTS.items():
        letter = letters[f"/stock={code}"]
        assert letter["room"] == room and letter["reason"]
        if is_tried_again is not None:
            assert letter["attempts"] == (3 if is_tried_again else 1), letter
    assert letters["/stock=SILENT"]["reason"] == letters["/stock=DRIP"]["reason"] == "timed out"
    assert letters["/stock=S503"]["reason"] == "HTTP status 503"
    assert letters["/stock=HTML"]["reason"] == "the answer is no quote"
    assert letters["/stock=BODY"]["reason"] == letters["/stock=COLUMNS"]["reason"] == "the answer is too big"
    assert letters["/stock=LOOP"]["reason"] == "too many redirects"
    trap.settimeout(0)
    with pytest.raises(BlockingIOError):
        trap.accept()
    trap.close()
    assert [message["content"] for message in ann.messages(room, limit=100)] == [f"post {i}" for i in range(50)]
    until(lambda: bot.metrics()['confab_bot_answers_total{result="failed"}'] == len(codes), "the count of failures")
    until(lambda: bot.metrics()["confab_bot_waiting"] == bot.metrics()["confab_quote_in_flight"] == 0, "rest")
    quotes.answers["GOOD"] = csv("good", "1")  # and it is as well as before
    assert ask(writer, "/stock=good")["content"] == "good quote is $1.00 per share"


@pytest.mark.only_store("sqlite")
def test_a_service_that_is_not_there(store_kind, quotes, bot, ann, room):
    quotes.close()
    frame = ask(Chat(ann, room), "/stock=a")
    assert frame["content"] == "Failed to fetch quote for A" and frame["is_error"] is True
    (letter,) = letters_of(bot, 1)
    assert letter["attempts"] == 3


@pytest.mark.only_store("sqlite")
def test_a_redirect_within_the_named_service_is_followed(store_kind, quotes, ann, room):
    quotes.answers["OLD"] = redirect("/q/l/?s=NEW")
    quotes.answers["NEW"] = csv("new", "2")
    assert ask(Chat(ann, room), "/stock=old")["content"] == "new quote is $2.00 per share"
    assert quotes.asked == ["OLD", "NEW"]


@pytest.mark.only_store("sqlite")
def test_hello_is_a_saying_by_the_clock_without_an_echo(store_kind, quotes, ann, room):
    chat = Chat(ann, room)
    said = set()

    def another():
        chat.post(" /hello\n")
        frame = chat.until("chat_message")
        assert frame["is_bot"] is True and "is_error" not in frame and frame["username"] == "StockBot"
        assert 10 < len(frame["content"]) < 200
        said.add(frame["content"])
        return len(said) == 3

    until(another, "three different sayings")
    assert quotes.asked == [] and ann.messages(room) == []


def test_the_grammar_of_commands(store_kind, quotes, ann, room):
    chat = Chat(ann, room)
    posts = ["/stock=", "/STOCK=A", "/Stock=A", "/stock= A", "/stock =A", "/stock=A B", "/stock=A-B", "/stock=A_B", "/stock=^A",
             "/stock=A@B", "/stock=A=B", "/stock=" + "A" * 21, "/HELLO", "/Hello", "/hello bob", "/help", "x /hello",
             "/stock=Ä"]
    for text in posts:
        chat.say(text)
        assert chat.until("chat_message")["content"] == text
    assert [message["content"] for message in ann.messages(room, limit=100)] == posts
    for command, code in (("/stock=a", "A"), ("/stock=Aapl.Us", "AAPL.US"), ("\r\n\t /stock=.\r\n", "."),
                          ("/stock=" + "a1." * 6 + "zz", "A1." * 6 + "ZZ"), ("\u00a0/stock=b\u3000", "B")):
        chat.post(command)
        assert chat.until("chat_message")["content"] == command  # the echo
        assert words(chat)["content"] == f"{code} quote is $93.42 per share"
        assert quotes.asked[-1] == code
    assert len(ann.messages(room, limit=100)) == len(posts)


@pytest.mark.only_store("sqlite")
@pytest.mark.server_env(CONFAB_STOCK_ECHO="false")
def test_the_echo_can_be_switched_off(store_kind, quotes, ann, room):
    chat = Chat(ann, room)
    chat.post("/stock=a")
    assert chat.until("chat_message")["is_bot"] is True


@pytest.mark.only_store("sqlite")
def test_an_ephemeral_room_has_the_bot_too(store_kind, quotes, ann):
    chat = Chat(ann, ann.create_room("short-lived", ephemeral=True))
    assert ask(chat, "/stock=a")["content"] == "A quote is $93.42 per share"


# ---- 8: many at once, and what a dead service may cost


@pytest.mark.server_env(CONFAB_STOCK_ATTEMPT_TIMEOUT="60s")
def test_ten_commands_are_asked_side_by_side_and_chat_goes_on(store_kind, quotes, bot, ann, room):
    codes = [f"C{i}" for i in range(10)]
    for code in codes:
        quotes.hold(code)
    chat = Chat(ann, room)
    for code in codes:
        chat.post(f"/stock={code}")
    quotes.wait_asked(10)  # none of them has been answered
    assert sorted(quotes.asked) == codes
    for i in range(20):
        chat.say(f"post {i}")
    for code in reversed(codes):
        quotes.release(code)
        assert words(chat)["content"] == f"{code} quote is $93.42 per share"
    assert len(ann.messages(room)) == 20


@pytest.mark.only_store("sqlite")
@pytest.mark.server_env(CONFAB_STOCK_ATTEMPT_TIMEOUT="60s", CONFAB_LIMITS_COMMANDS_IN_FLIGHT="3",
                        CONFAB_GATEWAY_CREDITS_REQUESTS="2")
def test_a_connection_has_so_many_commands_open(store_kind, quotes, ann, room):
    quotes.hold("A")
    chat, other = Chat(ann, room), Chat(ann, room)
    for _ in range(3):
        chat.post("/stock=a")
    chat.post("/stock=a", key="one-too-many")
    error = chat.until("error")
    assert error["message"] == "Failed to process command" and error["code"] == "TOO_MANY_COMMANDS"
    assert error["client_key"] == "one-too-many" and "content" not in error
    for i in range(5):
        chat.say(f"post {i}")  # its socket is read as before
    other.post("/hello")
    words(other)
    quotes.release("A")
    for _ in range(3):
        chat.until("chat_message", content="/stock=a")
    assert quotes.times("A") == 1  # one request for all who ask the same


@pytest.mark.only_store("sqlite")
@pytest.mark.server_env(CONFAB_STOCK_DEADLINE="2s", CONFAB_STOCK_ATTEMPT_TIMEOUT="60s")
def test_a_command_ends_at_its_deadline(store_kind, quotes, bot, ann, room):
    quotes.answers["SLOW"] = services.silent
    assert ask(Chat(ann, room), "/stock=slow")["content"] == "Failed to fetch quote for SLOW"
    (letter,) = letters_of(bot, 1)
    assert letter["reason"] in ("deadline passed", "timed out") and letter["attempts"] == 1


@pytest.mark.server_env(CONFAB_STOCK_BREAKER_FAILURES="4", CONFAB_STOCK_BREAKER_PAUSE="2s")
def test_the_breaker_opens_and_recovers(store_kind, quotes, bot, ann, room):
    chat = Chat(ann, room)
    quotes.answers["BAD"] = services.status("500 Internal Server Error")
    for _ in range(3):
        assert ask(chat, "/stock=bad")["content"] == "Failed to fetch quote for BAD"
    letters = letters_of(bot, 3)
    assert [letter["attempts"] for letter in letters] == [3, 1, 0]
    assert [letter["reason"] for letter in letters] == ["HTTP status 500", *2 * ["the quote service is left alone after failures"]]
    assert len(quotes.asked) == 4
    until(lambda: bot.metrics()["confab_quote_breaker_refused_total"] == 2, "the count of refusals")
    status, _, body = bot.client().raw("GET", "/health/ready")
    assert status == 200 and json.loads(body)["quote_service"] == "disconnected"
    until(lambda: bot.metrics()["confab_quote_breaker_state"] == 2, "the pause to end")
    assert ask(chat, "/stock=good")["content"] == "GOOD quote is $93.42 per share"
    until(lambda: bot.metrics()["confab_quote_breaker_state"] == 0, "the breaker to close")
    assert json.loads(bot.client().raw("GET", "/health/ready")[2])["quote_service"] == "connected"
    bot_log = [line["msg"] for line in bot.lines if line.get("actor") == "stockbot"]
    assert bot_log == ["the quote service is left alone for a while", "the quote service answers again"]


@pytest.mark.only_store("sqlite")
@pytest.mark.server_env(CONFAB_STOCK_CACHE="60s", CONFAB_STOCK_CACHE_NOT_FOUND="60s")
def test_a_quote_is_remembered(store_kind, quotes, bot, ann, room):
    quotes.answers["NONE"] = csv("N/D", "N/D")
    chat = Chat(ann, room)
    for _ in range(3):
        assert ask(chat, "/stock=a")["content"] == "A quote is $93.42 per share"
        assert ask(chat, "/stock=none")["content"] == "Stock NONE not found"
    assert quotes.asked == ["A", "NONE"]
    until(lambda: bot.metrics()["confab_quote_cache_hits_total"] == 4, "the count of hits")


@pytest.mark.only_store("sqlite")
@pytest.mark.server_env(CONFAB_STOCK_ATTEMPT_TIMEOUT="60s")
def test_nobody_waits_with_the_room_of_a_dead_service(store_kind, quotes, bot, ann, room):
    """The service is silent; members come and go, talk, leave, and other rooms have their quotes."""
    quotes.answers["DEAD"] = services.silent
    chat = Chat(ann, room)
    for _ in range(10):
        chat.post("/stock=dead")
    quotes.wait_asked(1)
    bob = bot.user("bob")
    bob.join(room)
    second = Chat(bob, room)
    assert second.say("hi") and chat.until("chat_message", content="hi")
    assert second.leave() == 1000
    chat.until("user_left", username="bob")
    elsewhere = Chat(bob, bob.create_room("elsewhere"))
    assert ask(elsewhere, "/stock=alive")["content"] == "ALIVE quote is $93.42 per share"
    chat.close()  # with its commands open
    again = Chat(ann, room)
    assert again.say("still here")


@pytest.mark.only_store("sqlite")
@pytest.mark.server_env(CONFAB_GATEWAY_COUNT="3")
def test_nine_connections_on_three_gateways_hear_the_bot_in_one_order(store_kind, quotes, ann, room):
    chats = [Chat(ann, room) for _ in range(9)]
    for i, chat in enumerate(chats):
        chat.post(f"/stock=c{i}")
    heard = []
    for i, chat in enumerate(chats):
        said, echoes = [], []
        while len(said) < 9 or not echoes:
            frame = chat.recv()
            if frame["type"] == "chat_message":
                (said if frame["is_bot"] else echoes).append(frame)
        assert [frame["content"] for frame in echoes] == [f"/stock=c{i}"]
        heard.append(said)
    assert all(said == heard[0] for said in heard)
    assert {frame["content"] for frame in heard[0]} == {f"C{i} quote is $93.42 per share" for i in range(9)}


@pytest.mark.only_store("sqlite")
def test_nothing_is_sent_to_the_service_but_the_code(store_kind, quotes, ann, room):
    ask(Chat(ann, room), "/stock=a")
    (head,) = quotes.heads
    names = sorted(line.split(":")[0].lower() for line in head.split("\r\n")[1:] if line)
    assert names == ["accept", "host", "user-agent"]
    assert "ann" not in head and room not in head and ann.token not in head


# ---- dead letters, drain, identity


def test_dead_letters_survive_and_are_listed_oldest_first(store_kind, quotes, bot, ann, room):
    quotes.answers.update({code: services.status("404 Not Found") for code in ("A", "B", "C")})
    chat = Chat(ann, room)
    for code in ("a", "b", "c"):
        ask(chat, f"/stock={code}")
    letters = letters_of(bot, 3)
    assert [letter["command"] for letter in letters] == ["/stock=A", "/stock=B", "/stock=C"]
    for letter in letters:
        assert set(letter) == {"id", "time", "room", "command", "reason", "attempts"}
        assert UUID.fullmatch(letter["id"]) and letter["room"] == room
        assert letter["reason"] == "HTTP status 404" and letter["attempts"] == 1
    assert letters == sorted(letters, key=lambda letter: letter["time"])
    bot.kill()
    assert dead_letters(bot) == letters
    assert bot.start().metrics()["confab_dead_letters_total"] == 0


@pytest.mark.server_env(CONFAB_SWEEPER_DEAD_LETTERS_TTL="1s", CONFAB_SWEEPER_INTERVAL="100ms")
def test_dead_letters_expire(store_kind, quotes, bot, ann, room):
    quotes.answers["A"] = services.status("404 Not Found")
    ask(Chat(ann, room), "/stock=a")
    until(lambda: bot.metrics()["confab_dead_letters_expired_total"] == 1, "the letter to expire")
    assert dead_letters(bot) == []


@pytest.mark.server_env(CONFAB_SWEEPER_POSTS_TTL="2s", CONFAB_SWEEPER_INTERVAL="100ms")
def test_posts_expire_and_numbers_go_on(store_kind, quotes, bot, ann, room):
    chat = Chat(ann, room)
    for i in range(3):
        chat.say(f"old {i}")
    until(lambda: bot.metrics()["confab_posts_expired_total"] == 3, "the posts to expire")
    assert ann.messages(room) == [] and bot.store.posts(room) == []
    chat.post("new")
    frame = chat.until("chat_message", content="new")
    assert frame["seq"] == 4
    assert [message["seq"] for message in ann.messages(room)] in ([4], [])  # it expires in its turn


@pytest.mark.server_env(CONFAB_STOCK_ATTEMPT_TIMEOUT="60s")
def test_a_drain_answers_and_dead_letters_what_is_under_way(store_kind, quotes, bot, ann, room):
    quotes.answers["SLOW"] = services.silent
    chat = Chat(ann, room)
    chat.post("/stock=slow")
    quotes.wait_asked(1)
    bot.signal(signal.SIGTERM)
    assert words(chat)["content"] == "Failed to fetch quote for SLOW"
    assert chat.wait_closed() == 1001
    assert bot.wait_exit() == 0
    (letter,) = dead_letters(bot)
    assert (letter["command"], letter["reason"]) == ("/stock=SLOW", "shutting down")


def test_the_bot_cannot_log_in_and_its_name_cannot_be_registered(store_kind, bot):
    client = bot.client()
    for password in ("", "password", "password123", "StockBot"):
        status, _, _ = client.raw("POST", "/api/v1/auth/login", json.dumps({"username": "StockBot", "password": password}))
        assert status == 401
    for name in ("StockBot", "stockbot", "STOCKBOT"):
        status, _, body = client.raw("POST", "/api/v1/auth/register", json.dumps(
            {"username": name, "email": f"{name}@test.com", "password": "password123"}))
        assert (status, json.loads(body)) == (409, {"error": "User already exists"})


@pytest.mark.only_store("postgres")
def test_ten_first_starts_at_once_make_one_bot(store_kind, make_server, store):
    made = [make_server() for _ in range(10)]
    for one in made:
        one.allow_errors("^another server has taken over this database$|^this node was marked gone$"
                         "|^the store is away$")  # ten of them on one machine
        one.launch()
    for one in made:
        assert one.wait_log(lambda line: line.get("msg") in ("serving", "another server has taken over this database"))
    servers.until(lambda: sum(one.is_running() for one in made) == 1, "the last to have taken over")
    rows = store.cluster.run("SELECT id::text, username, email, password_hash FROM users", store.url)
    assert rows == [(BOT, "StockBot", "stockbot", "")]
    assert store.cluster.run("SELECT count(*), max(version) FROM schema_version", store.url)[0][0] == \
        store.cluster.run("SELECT max(version) FROM schema_version", store.url)[0][0]


@pytest.mark.only_store("sqlite")
def test_of_ten_first_starts_on_one_file_one_serves_and_the_others_say_why(store_kind, make_server):
    made = [make_server() for _ in range(10)]
    for one in made:
        one.allow_errors("another process owns the file|cannot open the store|cannot start")
        one.launch()
    serving = [one for one in made if one.wait_log(lambda line: line.get("msg") == "serving")]
    assert len(serving) == 1
    for one in made:
        if one not in serving:
            assert one.wait_exit() == 69
            assert any(line["msg"] == "sqlite: another process owns the file" for line in one.lines)
    assert serving[0].terminate() == 0
    assert serving[0].start().user("ann").id
