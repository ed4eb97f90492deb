"""One trace id follows a client's request through every actor, and comes back to the client."""

import json
import re
import uuid

import pytest

from quotes import Quotes
from rest import Refused
from ws import CLOSE, Chat, Closed

SECRET = "words that belong into no log"


@pytest.mark.only_store("sqlite")
@pytest.mark.server_env(CONFAB_LOG_LEVEL="debug", CONFAB_LOG_MESSAGES="true")
def test_a_post_is_one_trace_from_gateway_to_store_and_back(store_kind, server):
    ann = server.user("ann")
    room = ann.create_room("General")
    chat = Chat(ann, room)
    chat.post(SECRET)
    chat.until("chat_message")
    posted = server.wait_log(lambda line: line.get("type") == "POST" and line["msg"] == "sent")
    assert posted, "the POST passed no trace point"
    server.wait_log(lambda line: line.get("type") == "EVENT" and line["msg"] == "received"
                    and line.get("trace_id") == posted["trace_id"])
    steps = [(line["actor"], line["msg"], line["type"]) for line in server.lines
             if line.get("trace_id") == posted["trace_id"] and "type" in line]
    for step in (("gateway", "sent", "POST"), ("rooms", "received", "POST"), ("rooms", "sent", "APPEND"),
                 ("storage", "received", "APPEND"), ("storage", "sent", "VERDICT"),
                 ("rooms", "sent", "POSTED"), ("gateway", "received", "POSTED"),
                 ("gateway", "received", "EVENT")):
        assert step in steps, f"{step} is not among {steps}"
    assert not any(SECRET in str(line) or ann.token in str(line) for line in server.lines), \
        "a log line holds post text or a token"


TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.only_store("sqlite")
@pytest.mark.server_env(CONFAB_LOG_LEVEL="debug", CONFAB_LOG_MESSAGES="true")
def test_a_trace_that_a_client_is_in_goes_on_here(store_kind, server):
    """W3C Trace Context: the id of a request is that of its traceparent, through every actor."""
    ann = server.user("ann")
    for text in (f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-00", f"01-{TRACE}-{SPAN}-01-more", f"cc-{TRACE}-{SPAN}-01"):
        _, headers, _ = server.client().raw("GET", "/api/v1/chatrooms", headers={
            "traceparent": text, "Cookie": f"session_id={ann.token}"})
        assert headers["X-Request-Id"] == TRACE
    for actor, kind in (("gateway", "LIST_ROOMS"), ("reader", "LIST_ROOMS"), ("lobby", "ROOM_LIST")):
        assert server.wait_log(lambda line, who=actor, what=kind: line.get("trace_id") == TRACE and line["actor"] == who
                               and line.get("type") == what), actor
    for text in ("", "x", f"00-{TRACE}-{SPAN}", f"00-{TRACE.upper()}-{SPAN}-01", f"00-{'0' * 32}-{SPAN}-01", f"ff-{TRACE}-{SPAN}-01",
                 f"00-{TRACE}-{SPAN}-01-more", f"00-{TRACE}x{SPAN}-01", f"0-{TRACE}-{SPAN}-01", f"00-{TRACE[:-1]}-{SPAN}-01",
                 f"00-{TRACE}-{'0' * 16}-01", f"00-{TRACE}-{SPAN.upper()}-01", f"00-{TRACE[:-1]}g-{SPAN}-01", f"01-{TRACE}-{SPAN}-01more", f"00-{TRACE}-{SPAN}-0"):
        _, headers, _ = server.client().raw("GET", "/health", headers={"traceparent": text})
        assert TRACE not in headers["X-Request-Id"] and len(headers["X-Request-Id"]) == 32, text


@pytest.mark.only_store("sqlite")
@pytest.mark.parametrize("told", ("true", "false"))
def test_a_command_is_one_trace_up_to_the_quote_service_if_wanted(store_kind, make_server, told):
    with Quotes() as quotes:
        server = make_server({"CONFAB_STOCK_URL": quotes.url, "CONFAB_STOCK_TRACEPARENT": told, "CONFAB_LOG_LEVEL": "debug",
                              "CONFAB_LOG_MESSAGES": "true"}).start()
        ann = server.user("ann")
        chat = Chat(ann, ann.create_room(), headers={"traceparent": f"00-{TRACE}-{SPAN}-01"})
        chat.post("/stock=AAPL.US")
        chat.until("chat_message", is_bot=True)
        asked = server.wait_log(lambda line: line.get("type") == "ASK_BOT" and line["actor"] == "stockbot")
        headers = [line.split(": ", 1)[1] for line in quotes.heads[0].split("\r\n") if line.lower().startswith("traceparent:")]
    if told == "false":
        assert headers == []
        return
    version, trace, span, flags = headers[0].split("-")
    assert len(headers) == 1 and version == "00" and flags == "00", "nobody here samples"
    assert trace == asked["trace_id"] != TRACE, "each message of a socket is a trace of its own"
    assert re.fullmatch("[0-9a-f]{16}", span) and span not in ("0" * 16, SPAN)


@pytest.mark.server_env(CONFAB_LOG_LEVEL="debug", CONFAB_LOG_MESSAGES="true", CONFAB_LIMITS_COMMANDS_PER_MINUTE="1")
def test_what_a_socket_does_is_known_by_the_request_that_opened_it(store_kind, server):
    """Request id, connection, user and session in every line of it, whether it goes well or not."""
    ann = server.user("ann")
    room = ann.create_room()
    chat, other = Chat(ann, room, headers={"X-Request-Id": "conn-77"}), Chat(ann, room)
    chat.say(SECRET)
    for bad in ("{", json.dumps({"content": ""}), "/hello", "/hello"):
        chat.send_text(bad if bad[0] == "{" else json.dumps({"content": bad}))
    for code in ("INVALID_FORMAT", "INVALID_LENGTH", "RATE_LIMIT_EXCEEDED"):
        assert chat.until("error")["code"] == code
    chat.send_frame(CLOSE, b"")
    with pytest.raises(Closed):
        while True:
            chat.recv()
    closed = server.wait_log(lambda line: line["msg"] == "closed a socket" and line["request_id"] == "conn-77")
    lines = [line for line in server.lines if line.get("request_id") == "conn-77"]
    ours = [line for line in lines if "conn" in line]
    assert [line["msg"] for line in lines if "conn" not in line] == ["answered"], "before there was a socket"
    assert {(line["conn"], line["user"], line["session"]) for line in ours} == {
        (closed["conn"], ann.id, closed["session"])}
    assert [line["msg"] for line in ours if line["msg"] in ("opened a socket", "took a message", "closed a socket")] == [
        "opened a socket"] + ["took a message"] * 5 + ["closed a socket"]
    assert [line["code"] for line in ours if line["msg"] == "told an error"] == [
        "INVALID_FORMAT", "INVALID_LENGTH", "RATE_LIMIT_EXCEEDED"]
    opened = next(line["trace_id"] for line in ours if line["msg"] == "opened a socket")
    assert opened == next(line["trace_id"] for line in lines if line["msg"] == "answered")
    taken = [line["trace_id"] for line in ours if line["msg"] == "took a message"]
    assert len({opened, *taken}) == 6, "each frame is a trace of its own"
    for kind, trace in (("CHECK", opened), ("ATTACH", opened), ("POST", taken[0]), ("COMMAND", taken[3]), ("DETACH", opened)):
        assert server.wait_log(lambda line: line.get("trace_id") == trace and line["actor"] == "rooms" and line.get("type") == kind), \
            f"what other actors say of the {kind} is not found by its trace"
    other.say("another connection")
    assert len({line["conn"] for line in server.lines if line["msg"] == "opened a socket"}) == 2
    assert str(uuid.UUID(closed["session"])) == closed["session"] != ann.token
    with pytest.raises(Refused) as caught:
        server.client(token=closed["session"]).call("GET", "/auth/me")
    assert caught.value.status == 401, "what the log calls the session lets nobody in"
    assert not any(SECRET in str(line) or ann.token in str(line) for line in server.lines)


@pytest.mark.server_env(CONFAB_LOG_LEVEL="debug", CONFAB_LOG_MESSAGES="true")
def test_every_post_of_a_batch_is_traced_to_the_store(store_kind, make_server, faults):
    """Three at once: while the first is stored the others gather, and go in one APPEND."""
    server = make_server().start()
    ann = server.user("ann")
    room = ann.create_room()
    chat = Chat(ann, room)
    faults.write_text("write late 300\n")
    for i in range(3):
        chat.post(f"post {i}", key=str(i))
    for i in range(3):
        chat.until("message_ack", client_key=str(i))
    faults.write_text("")
    posts = [line["trace_id"] for line in server.lines if line["msg"] == "sent" and line.get("type") == "POST"]
    assert len(set(posts)) == 3
    in_run = {line["trace_id"]: line for line in server.lines if line["msg"] == "put a post into a run"}
    appended = {line["corr"] for line in server.lines
                if line["actor"] == "storage" and line["msg"] == "received" and line.get("type") == "APPEND"}
    for seq, trace in enumerate(posts, 1):
        assert in_run[trace]["room"] == room and in_run[trace]["seq"] == seq and in_run[trace]["user"] == ann.id
        assert in_run[trace]["corr"] in appended
    assert len({in_run[trace]["corr"] for trace in posts}) < 3, "not each in a run of its own"
