"""Each bound set to a value of the test's own: what the key says holds in the running server, at the bound and
one beyond. The C tests hold the bounds of actors; here it is seen that keys reach them."""

import pathlib
import re
import threading

import pytest

import rest
import server as servers
import ws
from test_limits import get, padded, raw, register, still_serves

pytestmark = pytest.mark.only_store("sqlite")


@pytest.fixture
def ann(server):
    return server.user("ann")


@pytest.fixture
def room(ann):
    return ann.create_room()


# ---- heads, bodies, messages


@pytest.mark.server_env(CONFAB_HTTP_HEAD_MAX_BYTES="2KiB")
def test_a_head_up_to_its_key_is_taken(store_kind, server):
    assert raw(server, padded(2048))[0] == 200
    assert raw(server, padded(2049))[0] == 431


@pytest.mark.server_env(CONFAB_HTTP_BODY_MAX_BYTES="2KiB")
def test_a_body_up_to_its_key_is_taken(store_kind, server):
    assert raw(server, register(2048))[0] == 400  # read in full
    assert raw(server, register(2049))[0] == 413


@pytest.mark.server_env(CONFAB_WS_MESSAGE_MAX_BYTES="2KiB")
def test_a_message_up_to_its_key_is_taken(store_kind, ann, room):
    frame = '{"content":"hi","pad":"%s"}'
    bare = len(frame % "")
    chat = ws.Chat(ann, room)
    chat.send_text(frame % ("p" * (2048 - bare)))
    assert chat.until("message_ack")
    chat.send_text(frame % ("p" * (2049 - bare)))
    assert chat.wait_closed() == 1009


@pytest.mark.server_env(CONFAB_WS_MESSAGE_TIMEOUT="500ms")
def test_a_message_has_to_be_finished_within_its_key(store_kind, server, ann, room):
    chat, other = ws.Chat(ann, room), ws.Chat(ann, room)
    chat.send_frame(ws.TEXT, b'{"content":', fin=False)
    assert chat.wait_closed() == 1008
    assert other.say("still here")
    servers.until(lambda: server.metrics()["confab_closed_unfinished_total"] == 1, "it to be counted")


@pytest.mark.server_env(CONFAB_WS_MESSAGE_POOL_BYTES="64KiB")
def test_half_messages_are_held_up_to_their_pool(store_kind, server, ann, room):
    chats = [ws.Chat(ann, room) for _ in range(5)]
    for chat in chats:
        chat.send_frame(ws.TEXT, b'{"content":"hi","pad":"' + b"p" * 16_000, fin=False)
    servers.until(lambda: server.metrics()["confab_ws_pool_refused_total"] == 1, "one to be refused")
    codes = []
    for chat in chats:
        try:
            chat.send_frame(ws.CONTINUATION, b'"}')
            chat.until("message_ack")
        except (ws.Closed, ConnectionError) as ended:
            codes.append(getattr(ended, "code", 1013))
    assert codes == [1013]


@pytest.mark.server_env(CONFAB_HTTP_REQUEST_POOL_BYTES="4MiB")
def test_bodies_up_to_their_pool_are_read_and_more_are_503(store_kind, server):
    """Each holds 60 KB of an unfinished body: 4 MiB have room for 32 at 128 KiB each, not for 70."""
    head = b"POST /api/v1/auth/register HTTP/1.1\r\nHost: x\r\nContent-Length: 65000\r\n\r\n"
    held = [ws.Socket(server.port) for _ in range(70)]
    for one in held:
        one.send(head + b"x" * 60_000)
    servers.until(lambda: server.metrics()["confab_http_pool_refused_total"] > 0, "one to be refused")
    assert server.metrics()["confab_http_request_bytes"] <= 4 << 20
    still_serves(server)  # small requests go on
    for one in held:
        one.close()
    servers.until(lambda: server.metrics()["confab_http_request_bytes"] == 0, "the pool to be free again")
    assert raw(server, register(65536))[0] == 400


# ---- sockets of one user


@pytest.mark.server_env(CONFAB_LIMITS_SOCKETS_PER_USER="3")
def test_one_user_has_as_many_sockets_as_the_key_says(store_kind, server, ann, room):
    bob = server.user("bob")
    bob.join(room)
    chats = [ws.Chat(ann, room) for _ in range(3)]
    with pytest.raises(ws.NotUpgraded) as refused:
        ws.Chat(ann, room)
    assert refused.value.status == 429
    assert b"Rate limit exceeded" in refused.value.body
    assert int(refused.value.headers["retry-after"]) >= 1
    ws.Chat(bob, room)
    servers.until(lambda: server.metrics()["confab_user_sockets_refused_total"] == 1, "it to be counted")
    chats[0].close()

    def again():
        try:
            return ws.Chat(ann, room)
        except ws.NotUpgraded:
            return None
    servers.until(again, "a closed socket to make room for another")


@pytest.mark.over_tls_too
@pytest.mark.server_env(CONFAB_WS_CONTROL_MAX_BYTES="16KiB", CONFAB_WS_PING="1s")
def test_pings_beyond_their_key_end_a_socket_and_messages_do_not(store_kind, server, ann, room):
    flood, talks = ws.Chat(ann, room), ws.Chat(ann, room)
    for _ in range(2500):
        flood.send_frame(ws.PING, b"x" * 125)
    for n in range(100):
        talks.say("x" * 500)
    assert flood.wait_closed() == 1008
    talks.say("still here")
    servers.until(lambda: server.metrics()["confab_closed_control_total"] == 1, "it to be counted")


# ---- passwords


def hashes(server):
    return re.findall(rb"\$argon2id\$v=19\$m=(\d+),t=(\d+)", pathlib.Path(server.store.path).read_bytes())


@pytest.mark.server_env(CONFAB_AUTH_ARGON2_MEMORY_KIB="96", CONFAB_AUTH_ARGON2_PASSES="3")
def test_passwords_cost_what_the_keys_say_and_are_redone_at_login(store_kind, server):
    server.user("ann")
    server.terminate()
    assert hashes(server) == [(b"96", b"3")]
    server.start(CONFAB_AUTH_ARGON2_MEMORY_KIB="128", CONFAB_AUTH_ARGON2_PASSES="2")
    server.client().login("ann")
    server.terminate()
    assert (b"128", b"2") in hashes(server)
    server.start()
    server.client().login("ann")


@pytest.mark.server_env(CONFAB_AUTH_HASH_RATE="1")
def test_beyond_the_rate_of_hashes_it_is_429(store_kind, server):
    """Twenty in a row take less than the twenty seconds that one a second would."""
    def refused():
        try:
            server.client().login("nobody")
        except rest.Refused as answer:
            return answer
    answers = [refused() for _ in range(20)]
    assert {answer.status for answer in answers} == {401, 429}
    busy = next(answer for answer in answers if answer.status == 429)
    assert busy.error == "Rate limit exceeded"
    assert int(busy.headers["Retry-After"]) >= 1


# ---- threads


def threads(server):
    return len(list(pathlib.Path(f"/proc/{server.pid}/task").iterdir()))


@pytest.mark.parametrize("key", ["CONFAB_GATEWAY_COUNT", "CONFAB_STORE_READERS", "CONFAB_AUTH_HASH_WORKERS",
                                 "CONFAB_ROOMS_THREADS_MAX"])
def test_there_are_as_many_threads_as_the_key_says(store_kind, make_server, key):
    def count(value):
        server = make_server({"CONFAB_ROOMS_THREADS_MAX": "1", key: str(value)}).start()
        ann = server.user(f"ann{value}")
        for _ in range(8):
            ws.Chat(ann, ann.create_room())  # a room on each thread that rooms may have
        found = threads(server)
        server.terminate()
        return found
    assert count(5) - count(1) == 4


# ---- posts that wait for the store


@pytest.mark.server_env(CONFAB_ROOMS_QUEUE_POSTS="4", CONFAB_ROOMS_VERDICT_TIMEOUT="1m",
                        CONFAB_STORE_STATEMENT_TIMEOUT="1m")
def test_posts_up_to_the_rooms_queue_wait_and_more_are_refused(store_kind, make_server, faults):
    server = make_server().start()
    server.allow_errors("store|storage")
    ann = server.user("ann")
    chat = ws.Chat(ann, ann.create_room())
    faults.write_text("write late 3000 1\n")  # one write waits, and all that comes meanwhile with it
    keys = [f"k{i}" for i in range(8)]
    for key in keys:
        chat.post("hi", key=key)
    busy = [chat.until("error") for _ in range(4)]
    assert {(frame["code"], frame["message"]) for frame in busy} == {("ROOM_BUSY", "Rate limit exceeded")}
    assert all(frame["retry_after_ms"] > 0 for frame in busy)
    acked = [chat.until("message_ack")["client_key"] for _ in range(4)]
    assert acked + [frame["client_key"] for frame in busy] == keys


@pytest.mark.server_env(CONFAB_ROOMS_VERDICT_TIMEOUT="200ms", CONFAB_STORE_STATEMENT_TIMEOUT="1m")
def test_a_post_without_a_verdict_in_time_is_not_confirmed(store_kind, make_server, faults):
    server = make_server().start()
    ann = server.user("ann")
    chat = ws.Chat(ann, ann.create_room())
    faults.write_text("write hang\n")
    chat.post("hi", key="k")
    answer = chat.until("error")
    assert (answer["code"], answer["client_key"]) == ("NOT_CONFIRMED", "k")
    server.allow_errors(".")
    faults.write_text("")
    server.kill()


# ---- what gathers while one write is late: each bound is met by its key, and not by its default

ROOMY = {"CONFAB_ROOMS_VERDICT_TIMEOUT": "1m", "CONFAB_STORE_STATEMENT_TIMEOUT": "1m",
         "CONFAB_GATEWAY_CREDITS_BYTES": "1MiB", "CONFAB_GATEWAY_CREDITS_REQUESTS": "1024",
         "CONFAB_ROOMS_QUEUE_BYTES": "4MiB"}
WIDE = "\U0001f600" * 1000  # the longest text in bytes: 4,000


@pytest.fixture
def gathered(make_server, store, tmp_path):
    """Posts to `rooms` rooms on a connection each, all behind one late write. What the metrics have grown by when
    all are answered, and the errors."""
    runs = []

    def gather(env, posts, rooms=1, text=WIDE):
        runs.append(env)
        script = tmp_path / f"faults{len(runs)}"
        script.write_text("")
        plain = store.url
        store.url = f"faulty:{script}:{plain}"
        server = make_server({**ROOMY, **env}).start()
        store.url = plain
        ann = server.user(f"ann{len(runs)}")
        chats = [ws.Chat(ann, ann.create_room()) for _ in range(rooms)]
        swept = 'db_query_duration_seconds_count{operation="delete",table="sessions"}'
        servers.until(lambda: server.metrics()[swept] == 1, "the first sweep, whose writes would be counted too")
        before = server.metrics()
        script.write_text("write late 1000 1\n")
        chats[0].post("first", key="first")
        for chat in chats:
            for n in range(posts):
                chat.post(text, key=str(n))
        answers = []
        for chat in chats:
            mine = posts + (chat is chats[0])
            while mine:
                frame = chat.recv()
                if frame["type"] in ("message_ack", "error"):
                    answers.append(frame)
                    mine -= 1
        acked = sum(frame["type"] == "message_ack" for frame in answers)
        total = before["confab_posts_acked_total"] + acked
        servers.until(lambda: server.metrics()["confab_posts_acked_total"] == total, "all to be counted")
        metrics = server.metrics()
        server.kill()
        return {name: value - before.get(name, 0) for name, value in metrics.items()}, [frame for frame in answers if frame["type"] == "error"]
    return gather


@pytest.mark.parametrize("envs, posts, rooms", [
    ([{"CONFAB_GATEWAY_CREDITS_BYTES": "64KiB"}, {"CONFAB_GATEWAY_CREDITS_REQUESTS": "8"}], 24, 1),  # 96 KiB
    ([{"CONFAB_GATEWAY_POOL_BYTES": "1MiB"}], 150, 2)])  # 600 KiB on each of two
def test_a_connection_is_not_read_beyond_its_credit_or_the_pool(store_kind, gathered, envs, posts, rooms):
    for env in [{}, *envs]:
        metrics, errors = gathered(env, posts, rooms)
        assert errors == [] and bool(metrics["confab_credit_stops_total"]) == bool(env), env


def test_posts_up_to_the_rooms_bytes_wait_and_more_are_refused(store_kind, gathered):
    metrics, errors = gathered({"CONFAB_ROOMS_QUEUE_BYTES": "16KiB"}, 8)
    assert {frame["code"] for frame in errors} == {"ROOM_BUSY"}
    assert 4 <= len(errors) <= 6  # the first post waits as well; three of 4 KB beside it, and what each costs


def test_events_beyond_the_window_are_sent_later(store_kind, gathered):
    for env in ({}, {"CONFAB_ROOMS_WINDOW_EVENTS": "4"}, {"CONFAB_ROOMS_WINDOW_BYTES": "16KiB"}):
        metrics, errors = gathered(env, 24)
        assert errors == [] and metrics["confab_delivery_seconds_count"] == 25
        assert bool(metrics["confab_room_lags_total"]) == bool(env), env


def test_a_transaction_has_so_many_rows_and_bytes(store_kind, gathered):
    """One post in each of twelve rooms, all together behind the late write."""
    def larger(metrics, most):
        return (metrics["confab_store_batch_rows_count"]
                - metrics[f'confab_store_batch_rows_bucket{{le="{most}"}}'])
    for env, most in (({"CONFAB_STORAGE_BATCH_ROWS": "2"}, 2), ({"CONFAB_STORAGE_BATCH_BYTES": "16KiB"}, 5)):
        assert larger(gathered(env, 1, rooms=12)[0], most) == 0, env
    assert larger(gathered({}, 1, rooms=12)[0], 5) >= 1


@pytest.mark.server_env(CONFAB_WS_FLUSH_DELAY="50ms")
def test_a_flush_waits_as_long_as_the_key_says(store_kind, server, ann, room):
    """A lower bound: the delay itself is what makes a post that long."""
    chat = ws.Chat(ann, room)
    for n in range(5):
        chat.say(f"{n}")
        chat.until("chat_message", content=f"{n}")
    servers.until(lambda: server.metrics()["confab_delivery_seconds_count"] == 5, "five to be counted")
    assert server.metrics()["confab_delivery_seconds_sum"] >= 5 * 0.045


# ---- what is kept in memory


def selects(server, table):
    return server.metrics().get(f'db_query_duration_seconds_count{{operation="select",table="{table}"}}', 0)


@pytest.mark.parametrize("env", [{"CONFAB_ROOMS_RING_POSTS": "4"}, {"CONFAB_ROOMS_RING_BYTES": "16KiB"}])
def test_history_beyond_the_ring_is_read_from_the_store(store_kind, make_server, env):
    def read_all(env):
        server = make_server(env).start()
        ann = server.user(f"ann{len(env)}")
        room = ann.create_room()
        chat = ws.Chat(ann, room)
        for _ in range(10):
            chat.say(WIDE)
        assert len(ann.messages(room, limit=10)) == 10
        acked = 10
        servers.until(lambda: server.metrics()["confab_posts_acked_total"] == acked, "all to be counted")
        found = selects(server, "posts")
        server.kill()
        return found
    assert read_all(env) >= 1
    assert read_all({}) == 0


def test_memberships_beyond_the_cache_are_looked_up_again(store_kind, make_server):
    def ask_all(env):
        server = make_server(env)
        names = [f"member{len(env)}{i}" for i in range(40)]
        tokens = server.import_sessions(names)
        server.start()
        members = [server.client(token=tokens[name]) for name in names]
        room = members[0].create_room()
        for member in members:
            member.join(room)
        before = selects(server, "members")
        for member in members:
            member.messages(room)
        requests = 'http_requests_total{method="GET",path="/api/v1/chatrooms/{id}/messages",status="200"}'
        servers.until(lambda: server.metrics().get(requests) == 40, "all to be counted")
        found = selects(server, "members") - before
        server.kill()
        return found
    assert ask_all({"CONFAB_ROOMS_MEMBERS_CACHE": "16"}) >= 1
    assert ask_all({}) == 0


# ---- time


@pytest.mark.parametrize("env, ask", [
    ({"CONFAB_AUTH_ANSWER_TIMEOUT": "200ms"}, lambda user: user.register("carl")),
    ({"CONFAB_ROOMS_ANSWER_TIMEOUT": "200ms"}, lambda user: user.join(user.room)),
    ({"CONFAB_GATEWAY_ANSWER_TIMEOUT": "1s", "CONFAB_AUTH_ANSWER_TIMEOUT": "400ms",
      "CONFAB_ROOMS_ANSWER_TIMEOUT": "900ms"}, lambda user: user.create_room())])
def test_what_a_store_that_hangs_leaves_unanswered_is_503_in_time(store_kind, make_server, env, ask, faults):
    """Every other limit is longer than the test may take."""
    server = make_server({"CONFAB_STORE_STATEMENT_TIMEOUT": "1m", "CONFAB_AUTH_ANSWER_TIMEOUT": "1m",
                          "CONFAB_ROOMS_ANSWER_TIMEOUT": "1m", "CONFAB_GATEWAY_ANSWER_TIMEOUT": "4m",
                          "CONFAB_HTTP_ANSWER_TIMEOUT": "5m", **env}).start()
    ann, bob = server.user("ann"), server.user("bob")
    bob.room = ann.create_room()
    ws.Chat(ann, bob.room).say("the room is open")
    faults.write_text("write hang\n")
    with pytest.raises(rest.Refused) as refused:
        ask(bob)
    assert refused.value.status == 503 and int(refused.value.headers["Retry-After"]) >= 1
    server.allow_errors(".")
    faults.write_text("")
    server.kill()


@pytest.mark.server_env(CONFAB_AUTH_HASH_QUEUE="1", CONFAB_AUTH_HASH_WORKERS="1", CONFAB_AUTH_ARGON2_PASSES="10",
                        CONFAB_AUTH_ARGON2_MEMORY_KIB="65536", CONFAB_AUTH_HASH_RATE="10000")
def test_logins_up_to_the_queue_wait_and_more_are_429(store_kind, server):
    def log_in(outcomes):
        try:
            server.client().login("nobody")
        except rest.Refused as answer:
            outcomes.append((answer.status, answer.headers["Retry-After"]))
    outcomes = []
    together = [threading.Thread(target=log_in, args=(outcomes,)) for _ in range(8)]
    for one in together:
        one.start()
    for one in together:
        one.join()
    assert (429, "1") in outcomes and (401, None) in outcomes
    assert {status for status, _ in outcomes} == {401, 429}


# ---- the store


def test_a_store_out_of_reach_is_waited_for_as_long_as_the_key_says(store_kind, make_server, store):
    store.url = "postgres://nobody@127.0.0.1:1/nothing"
    server = make_server({"CONFAB_STORE_START_WAIT": "1s"})
    server.allow_errors("store")
    server.launch()
    assert server.wait_exit() == 69


@pytest.mark.server_env(CONFAB_SWEEPER_INTERVAL="100ms", CONFAB_AUTH_SESSION_TTL="1s")
def test_expired_sessions_are_swept_at_the_interval(store_kind, server, ann):
    servers.until(lambda: server.metrics()["confab_sessions_expired_total"] >= 1, "the session to be swept")
    assert get(server)[0] == 200
    with pytest.raises(rest.Refused) as ended:
        ann.call("GET", "/auth/me")
    assert ended.value.status == 401
