"""P15: a wall clock that steps by two hours, either way, changes no order, loses no post and drops no
live socket; sessions obey the new clock. libfaketime (package faketime) moves CLOCK_REALTIME alone."""

import pathlib

import pytest

import runs
import server as servers
from rest import Refused
from ws import Chat

LIBRARY = next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
pytestmark = [pytest.mark.only_store("sqlite")]


@pytest.fixture
def clock(tmp_path):
    """A function that sets how far the server's wall clock is off, in seconds."""
    assert LIBRARY, "package faketime is not installed"
    file = tmp_path / "clock"

    def step(seconds):
        new = file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.replace(file)
    step(0)
    step.env = {"LD_PRELOAD": str(LIBRARY), "FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                **servers.sanitizer("verify_asan_link_order=0")}  # it wants to be loaded first
    return step


@pytest.mark.parametrize("steps", [(7200, -7200), (-7200, 7200), (7200, 0, -7200, 0)])
def test_steps_change_no_order_lose_nothing_and_drop_nobody(store_kind, make_server, load, clock, steps):
    rooms = runs.Rooms(make_server({**clock.env, "CONFAB_WS_PING": "1s", "CONFAB_WS_IDLE": "3s"}), members=6)
    run = load(rooms.server, rooms, rate=200, seconds=300)
    run.wait_acks(100)
    for step in steps:
        clock(step)
        run.wait_acks(run.lines("ACK") + 300)
    report = run.stop().finish()
    assert report["faults"] == dict.fromkeys(report["faults"], 0), run.text()
    assert report["closes"] == {}
    assert run.judge() == []
    times = [message["created_at"] for message in rooms.owner.history(rooms.ids[0])]
    assert len(set(times)) == len(times)
    if max(steps) > 0:
        hours = {time[:13] for time in times}
        assert len(hours) > 1, "the clock did step"


@pytest.mark.parametrize("step", [7200, -7200])
def test_a_key_is_known_after_the_clock_has_stepped(store_kind, make_server, clock, step):
    server = make_server(clock.env).start()
    ann = server.user("ann")
    room = ann.create_room("General")
    chat = Chat(ann, room)
    chat.post("once", "key-1")
    first = chat.until("message_ack")
    clock(step)
    chat.post("once", "key-1")
    assert chat.until("message_ack")["id"] == first["id"]
    assert [message["content"] for message in ann.messages(room)] == ["once"]


def test_a_session_obeys_the_new_clock(store_kind, make_server, clock):
    server = make_server({**clock.env, "CONFAB_AUTH_SESSION_TTL": "1h", "CONFAB_AUTH_SESSION_CACHE": "0"}).start()
    ann = server.user("ann")
    clock(7200)

    def is_over():
        try:
            ann.call("GET", "/auth/me")
        except Refused as answer:
            return answer.status == 401
        return False
    servers.until(is_over, "the session to end")
    ann.login("ann")
    assert ann.call("GET", "/auth/me")["username"] == "ann"
