"""One trace id follows a client's request through every actor, and comes back to the client."""

import pytest

from ws import Chat

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
                 f"00-{TRACE[:-1]}g-{SPAN}-01", f"01-{TRACE}-{SPAN}-01more", f"00-{TRACE}-{SPAN}-0"):
        _, headers, _ = server.client().raw("GET", "/health", headers={"traceparent": text})
        assert TRACE not in headers["X-Request-Id"] and len(headers["X-Request-Id"]) == 32, text
