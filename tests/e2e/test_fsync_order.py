"""P1 for SQLite, where kill -9 cannot show it: at every ack, the log of the store was synced to disk
after the commit was written and before the ack's bytes were given to the socket (strace)."""

import re
import shutil

import pytest

import server as servers
import ws

pytestmark = [pytest.mark.skipif(shutil.which("strace") is None, reason="package strace is not installed"),
              pytest.mark.only_store("sqlite")]

# 123 12:00:00.1 pwrite64(7</tmp/x/confab.db-wal>, ...  and what resumes after another thread's line
CALL = re.compile(r"^(?P<pid>\d+) +(?P<call>\w+)\((?P<rest>.*)")
RESUMED = re.compile(r"^(?P<pid>\d+) +<\.\.\. (?P<call>\w+) resumed>(?P<rest>.*)")


def events(lines):
    """(kind, detail) in the order things were done: 'written' to the log of the store, 'synced' it, when
    that call had returned, 'sent' the detail's client key in an ack, when that call began."""
    pending = {}
    for line in lines:
        call = CALL.match(line)
        resumed = RESUMED.match(line)
        if call:
            name, rest = call["call"], call["rest"]
            if name in ("sendto", "sendmsg", "write", "writev", "send") and "message_ack" in rest:
                for key in re.findall(r'client_key\\":\\"([^\\]+)\\"', rest):
                    yield "sent", key
            if ".db-wal>" in rest:
                if rest.rstrip().endswith("<unfinished ...>"):
                    pending[call["pid"]] = name
                else:
                    yield from done(name)
        elif resumed and pending.get(resumed["pid"]) == resumed["call"]:
            del pending[resumed["pid"]]
            yield from done(resumed["call"])


def done(name):
    if name in ("fsync", "fdatasync"):
        yield "synced", ""
    elif name.startswith("pwrite") or name == "write":
        yield "written", ""


def test_the_log_is_synced_between_the_write_and_every_ack(store_kind, make_server, tmp_path):
    trace = tmp_path / "trace"
    # LeakSanitizer traces the process itself, and only one can
    server = make_server(servers.sanitizer("detect_leaks=0"),
                         wrap=["strace", "-f", "-y", "-qq", "-s", "4096", "-o", str(trace), "-e",
                               "trace=pwrite64,pwritev,fsync,fdatasync,write,writev,sendto,sendmsg,send"]).start()
    ann = server.user("ann")
    room = ann.create_room()
    chat = ws.Chat(ann, room)
    for n in range(30):
        chat.say(f"post {n}", key=f"key-{n}")
    chat.close()
    assert server.terminate(limit=2 * servers.LIMIT_S) == 0
    dirty, acks, written, trail = True, [], 0, []
    for kind, detail in events(trace.read_text(encoding="utf-8", errors="replace").splitlines()):
        trail.append((kind, detail))
        if kind == "written":
            dirty = True
            written += 1
        elif kind == "synced":
            dirty = False
        else:
            acks.append(detail)
            assert not dirty, f"ack {detail} left before the log was synced: {trail[-8:]}"
    assert acks == [f"key-{n}" for n in range(30)], "every ack was seen"
    assert written >= 30
    assert trail.count(("synced", "")) >= 30, "each post, alone in its batch, was synced"
