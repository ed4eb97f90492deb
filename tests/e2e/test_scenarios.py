"""The six load scenarios of the rooms contract at scale 10, on servers with default settings: counts, checks,
success rates, errors, loss, order and history. Latencies are printed; `./dev bench scenarios` judges them.

Only passwords are hashed cheaply, as in all these tests: hashes run at low priority, and beside whatever else
the machine is doing a hundred logins would take their time."""

import asyncio
import concurrent.futures
import dataclasses
import json
import pathlib
import struct
import sys
import threading

import pytest

import liar
import quotes
import server as servers
import stores

sys.path.insert(0, str(servers.ROOT / "bench"))

import scenarios  # noqa: E402

PROGRAM = servers.LOAD.parent / "scenario"
SCALE = 10
ALL_SIX = ("1", "2", "3", "4", "5-short", "6")

# Eight users in one room who talk fast: what a lie needs to be noticed.
SMALL = scenarios.Scenario("small", "small", 1, ((1, 8), (6, 8), (1, 0)), 5, (scenarios.Group(1, 0, 0, (60, 60)),),
                           {"checks": ("rate>0.95",), "message_delivery_success": ("rate>0.999",),
                            "websocket_connection_success": ("rate>0.99",), "errors": ("count<1",)}, graceful=2)


def play(scenario, url, folder, pid=None):
    """Plays and judges, without latencies; the Outcome."""
    folder = pathlib.Path(folder)
    folder.mkdir(exist_ok=True)
    with open(folder / "output", "w", encoding="utf-8") as output:
        outcome = scenarios.play(scenario, url, folder, PROGRAM, pid, output)
    scenarios.judge(outcome, timed=False)
    return outcome


def quoted_by(service):
    return {"CONFAB_STOCK_URL": service.url, "CONFAB_STOCK_ATTEMPTS": ""}  # for the rest the defaults


def play_on_its_own(name, store_kind, folder):
    """One scenario with a server and a store of its own; the Outcome, with what the server's log complains of."""
    folder.mkdir()
    store = stores.KINDS[store_kind](folder)
    service = quotes.Quotes()
    one = servers.Server(store, folder, quoted_by(service))
    try:
        one.start()
        outcome = play(scenarios.SCENARIOS[name].scaled(SCALE), one.url, folder / "run", one.pid)
        assert one.terminate() == 0
        outcome.faults += one.log_problems()
    finally:
        one.close()
        service.close()
        store.drop()
    print(f"\nscenario {name} at scale {SCALE} on {store_kind}: {scenarios.SCENARIOS[name].text}", *outcome.lines, sep="\n")
    return outcome


def test_all_six_keep_their_thresholds(store_kind, tmp_path):
    """All at once, as each mostly waits."""
    with concurrent.futures.ThreadPoolExecutor(len(ALL_SIX)) as pool:
        played = {name: pool.submit(play_on_its_own, name, store_kind, tmp_path / name) for name in ALL_SIX}
    assert {name: outcome.result().faults for name, outcome in played.items()} == {name: [] for name in ALL_SIX}


# ---- a scenario that cannot fail proves nothing

class Proxy:
    """Stands between users and server and tells one lie about the frames that the server sends."""

    def __init__(self, port, lie):
        self.port, self.lie = port, getattr(self, lie)
        self.seen = 0        # copies of posts, over all sockets
        self.held = {}       # of a socket, to be sent after its next post
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        listener = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0), self.loop).result()
        self.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"

    def close(self):
        """Ends also what still waits for a server's next word."""
        async def ends():
            running = asyncio.all_tasks() - {asyncio.current_task()}
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            self.loop.stop()
        asyncio.run_coroutine_threadsafe(ends(), self.loop)

    async def _serve(self, reader, writer):
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self.port)
        await asyncio.gather(self._pass_on(reader, to_server), self._answer(from_server, writer), return_exceptions=True)

    @staticmethod
    async def _pass_on(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def _answer(self, reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(head)
            if not head.startswith(b"HTTP/1.1 101"):
                await self._pass_on(reader, writer)
            while True:
                writer.writelines(self._tell(writer, *await self._read_frame(reader)))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    @staticmethod
    async def _read_frame(reader):
        head = await reader.readexactly(2)
        size = head[1] & 0x7f
        if size == 126:
            more = await reader.readexactly(2)
            head, size = head + more, struct.unpack("!H", more)[0]
        payload = await reader.readexactly(size)
        return head + payload, head[0] & 0x0f, payload

    def _tell(self, writer, raw, opcode, payload):
        """The frames to send in place of this one."""
        value = json.loads(payload) if opcode == 1 else {}
        if value.get("type") not in ("chat_message", "message_ack"):
            return [raw]
        self.seen += value["type"] == "chat_message"
        if value["type"] == "chat_message" and writer in self.held:
            return [raw, self.held.pop(writer)]
        told = self.lie(writer, raw, value)
        return [raw] if told is None else told

    def _is_the_one(self, value, kind="chat_message"):
        return value["type"] == kind and self.seen == 40

    # -- lies; None: the truth

    def no_lie(self, _writer, _raw, _value):
        return None

    def drop_one_copy(self, _writer, _raw, value):
        return [] if self._is_the_one(value) else None

    def double_one_copy(self, _writer, raw, value):
        return [raw, raw] if self._is_the_one(value) else None

    def swap_with_the_next(self, writer, raw, value):
        if not self._is_the_one(value):
            return None
        self.held[writer] = raw
        return []

    def change_one_copy(self, _writer, _raw, value):
        return [liar.frame({**value, "content": value["content"] + "!"})] if self._is_the_one(value) else None

    def another_room(self, _writer, _raw, value):
        return [liar.frame({**value, "chatroom_id": value["id"]})] if self._is_the_one(value) else None

    def break_one_copy(self, _writer, raw, value):
        return [raw[:-1] + b" "] if self._is_the_one(value) else None

    def ack_after_the_copy(self, writer, raw, value):
        if value["type"] != "message_ack":
            return None
        self.held[writer] = raw
        return []

    def ack_another_id(self, _writer, _raw, value):
        return [liar.frame({**value, "id": "0" + value["id"][1:] if value["id"][0] != "0" else "1" + value["id"][1:]})] \
            if value["type"] == "message_ack" else None

    def ack_what_nobody_gets(self, _writer, _raw, value):
        return [liar.frame({**value, "seq": value["seq"] + 1000})] if value["type"] == "message_ack" else None

    def show_nothing(self, _writer, _raw, value):
        return [] if value["type"] == "chat_message" else None

    def refuse_one(self, _writer, raw, value):
        return [raw, liar.frame({"type": "error", "message": "Rate limit exceeded"})] if self._is_the_one(value) else None

    def close_one_socket(self, _writer, raw, value):
        return [raw, b"\x88\x02" + struct.pack("!H", 1011)] if self._is_the_one(value) else None


LIES = {  # what the report must name
    "no_lie": "",
    "drop_one_copy": "'lost'",
    "double_one_copy": "'doubled'",
    "swap_with_the_next": "'out_of_order'",
    "change_one_copy": "'differing'",
    "another_room": "'misrouted'",
    "break_one_copy": "'unreadable'",
    "ack_after_the_copy": "'ack_after_copy'",
    "ack_another_id": "'ack_wrong'",
    "ack_what_nobody_gets": "'acked_unseen'",
    "show_nothing": "'acked_unseen'",
    "refuse_one": "refusals",
    "close_one_socket": "closed by the server",
}


@pytest.mark.only_store("sqlite")
@pytest.mark.server_env(CONFAB_AUTH_HASH_RATE="1000")
def test_a_lie_is_noticed(server, tmp_path):
    """Each lie is told about a room of its own; the server is the same and does nothing wrong."""
    proxies = {lie: Proxy(server.port, lie) for lie in LIES}
    with concurrent.futures.ThreadPoolExecutor(len(LIES)) as pool:
        played = {lie: pool.submit(play, dataclasses.replace(SMALL, prefix=f"small{i}"), proxy.url, tmp_path / lie)
                  for i, (lie, proxy) in enumerate(proxies.items())}
    for proxy in proxies.values():
        proxy.close()
    found = {lie: "\n".join(outcome.result().faults) for lie, outcome in played.items()}
    assert found.pop("no_lie") == ""
    assert {lie: faults for lie, faults in found.items() if LIES[lie] not in faults} == {}


class Pages:
    """A history of one room, page by page, which a lie may have changed."""

    def __init__(self, posts):
        self.pages = {None: posts[-100:], posts[-100]["id"]: posts[:-100]}

    def call(self, _method, path):
        return {"messages": self.pages.get(path.partition("before=")[2] or None, [])}


@pytest.mark.parametrize("lie, told", [
    (lambda posts: None, ""),
    (lambda posts: posts.pop(), "has 119"),
    (lambda posts: posts.pop(60), "has 60"),
    (lambda posts: posts.pop(0), "ends before 1"),
    (lambda posts: posts[70].update(content="other"), "has 71"),
    (lambda posts: posts[5].update(id="other"), "has 6"),
], ids=["no lie", "newest missing", "one missing", "oldest missing", "other text", "other id"])
def test_a_history_that_differs_is_noticed(lie, told, tmp_path):
    posts = [{"seq": n, "id": f"id{n}", "content": f"text {n}"} for n in range(1, 121)]
    path = tmp_path / "posts"
    path.write_text("".join(f"room {p['seq']} {p['id']} {scenarios.crc32(p['content']):08x} 1\n" for p in posts))
    lie(posts)
    wrong, _ = scenarios.read_history(Pages(posts), ["room"], path)
    assert told in "\n".join(wrong) and bool(told) == bool(wrong)


@pytest.mark.only_store("sqlite")
@pytest.mark.parametrize("setting, noticed", [
    ({"CONFAB_AUTH_HASH_RATE": "4"}, ("checks", "errors")),  # the set-up, four hashes, just passes
    ({"CONFAB_LIMITS_POSTS_PER_MINUTE": "2"}, ("refusals",)),
], ids=["hashes", "posts"])
def test_a_limit_that_is_too_low_is_noticed(setting, noticed, make_server, tmp_path):
    server = make_server(setting).start()
    outcome = play(SMALL, server.url, tmp_path / "run", server.pid)
    assert [one for one in noticed if not any(fault.startswith(one) for fault in outcome.faults)] == []


@pytest.mark.only_store("sqlite")
def test_without_the_echo_of_commands_the_third_scenario_fails(make_server, tmp_path):
    with quotes.Quotes() as service:
        server = make_server({**quoted_by(service), "CONFAB_STOCK_ECHO": "false"}).start()
        outcome = play(scenarios.SCENARIOS["3"].scaled(30), server.url, tmp_path / "run", server.pid)
    assert outcome.report["ephemeral"] > 0, "the bot did answer"
    assert [fault for fault in outcome.faults if "overflowed" not in fault] == ["stock_responses_received: count>0: 0"]


GOOD = {"db_connections_open": 3, 'db_query_duration_seconds_bucket{operation="select",table="users",le="0.1"}': 0,
        'db_query_duration_seconds_bucket{operation="select",table="users",le="+Inf"}': 0, "confab_store_commit_seconds_sum": 0,
        'db_query_duration_seconds_sum{operation="select"}': 0, "confab_posts_acked_total": 0, "confab_sessions_cached": 100,
        "websocket_connections_active": 100, "confab_gateway_pool_bytes": 0, "confab_room_queue_bytes": 0,
        'confab_actor_inbox_depth{actor="rooms"}': 3}
EACH_SECOND = {'db_query_duration_seconds_bucket{operation="select",table="users",le="0.1"}': 100, "confab_posts_acked_total": 10,
               'db_query_duration_seconds_bucket{operation="select",table="users",le="+Inf"}': 100, "confab_store_commit_seconds_sum": 0.1,
               'db_query_duration_seconds_sum{operation="select"}': 0.2}


@pytest.mark.parametrize("change, each_second, left, noticed", [
    ({}, {}, {}, []),
    ({}, {"confab_store_commit_seconds_sum": 0.85}, {}, ["store connections"]),
    ({}, {'db_query_duration_seconds_sum{operation="select"}': 1.7}, {}, ["store connections"]),
    ({}, {'db_query_duration_seconds_bucket{operation="select",table="users",le="0.1"}': 90}, {}, ["queries p95"]),
    ({"confab_gateway_pool_bytes": 60 << 20}, {}, {}, ["gateway's pool", "queues"]),
    ({"confab_room_queue_bytes": 1 << 20}, {}, {}, ["queues"]),
    ({'confab_actor_inbox_depth{actor="rooms"}': 300}, {}, {}, ["queues"]),
    ({}, {"confab_sessions_cached": 1}, {}, ["sessions"]),
    ({}, {"websocket_connections_active": -1}, {}, ["sockets"]),
    ({}, {}, {"confab_room_held_bytes": 1}, ["left behind"]),
    ({}, {}, {"websocket_connections_active": 1}, ["left behind"]),
], ids=["good", "writer", "readers", "slow", "pool", "queue", "inbox", "sessions", "sockets", "held", "socket"])
def test_figures_that_are_not_good_are_noticed(change, each_second, left, noticed):
    soak = scenarios.SCENARIOS["5-short"]
    begin = int(soak.steady()[0])
    grows = {**EACH_SECOND, **each_second}
    rows = [(begin + i, {name: figure + grows.get(name, 0) * i for name, figure in {**GOOD, **change}.items()})
            for i in range(60)]
    outcome = scenarios.Outcome(soak, {}, [], 0, rows, {**GOOD, "websocket_connections_active": 0, **left})
    told = []
    scenarios.judge_figures(outcome, lambda what, text, passed, counts=True: passed or not counts or told.append(what), True)
    assert len(told) == len(noticed) and all(what.startswith(start) for what, start in zip(told, noticed)), told


def test_posts_that_come_unevenly_and_figures_that_do_not_come_are_noticed():
    soak, told = scenarios.SCENARIOS["5-short"], []
    begin = int(soak.steady()[0])

    def say(what, _text, passed, counts=True):
        if counts and not passed:
            told.append(what)
    rows = [(begin + i, {**GOOD, "confab_posts_acked_total": i * i}) for i in range(60)]
    scenarios.judge_figures(scenarios.Outcome(soak, {}, [], 0, rows, {**GOOD, "websocket_connections_active": 0}), say, True)
    scenarios.judge_figures(scenarios.Outcome(soak, {}, [], 0), say, True)
    assert told == ["posts, first and second half", "figures of the server"]
