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
