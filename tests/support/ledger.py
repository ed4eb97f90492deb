"""The ledger: what clients saw, judged against history and the table itself.

bench/load writes one line for each event (bench/ledger_file.h). After quiescence judge() holds it
against what REST history says and against the rows of the posts table, by eight rules:

1 loss        every acked post is in history, with the acked id and seq and the content sent
2 invention   every entry of history was sent
3 duplicate   each (writer, n) is in history at most once
4 order       each writer's n ascend
5 gap         seq runs 1, 2, 3 .. without a gap
6 delivery    what a reader got on one connection is a contiguous slice of history; it starts no later
              than the first post sent after the reader was in the room, and ends with history if the
              connection was still there at the end; between connections stands a reload verdict
7 agreement   readers agree on the post at each seq, and a writer's ack comes before its own copy
8 one truth   table and history are the same, whether a post was acked or not

No failure in n trials bounds the rate of failures below 3/n.
"""

import collections
import dataclasses
import zlib


@dataclasses.dataclass
class Connection:
    """What one client got between OPEN and CLOSE."""

    client: int
    room: str
    opened: int
    resumed: bool = False
    closed: int | None = None
    received: list = dataclasses.field(default_factory=list)  # (seq, id, writer, n, crc)


@dataclasses.dataclass
class Ledger:
    run: int = 0
    sent: dict = dataclasses.field(default_factory=dict)      # (writer, n) -> (crc, first time)
    acks: dict = dataclasses.field(default_factory=dict)      # (writer, n) -> (id, seq)
    refused: dict = dataclasses.field(default_factory=dict)   # (writer, n) -> code
    connections: list = dataclasses.field(default_factory=list)
    room_of: dict = dataclasses.field(default_factory=dict)   # client -> room
    problems: list = dataclasses.field(default_factory=list)  # what the file itself shows

    def closes(self):
        """How many connections ended with which code."""
        return collections.Counter(c.closed for c in self.connections if c.closed is not None)

    def acked(self):
        return len(self.acks)


@dataclasses.dataclass(frozen=True)
class Post:
    """One entry of history or one row of the table."""

    seq: int
    id: str
    text: str


def read(lines):
    """Reads a ledger's lines. A last line cut short by a kill of the writer is left out."""
    ledger = Ledger()
    current = {}
    sent_on = {}  # (writer, n) -> the connection on which it was sent last
    for line in lines:
        if not line.endswith("\n"):
            break
        time, kind, *fields = line.split()
        _readers[kind](ledger, current, sent_on, int(time), fields)
    return ledger


def read_file(path):
    with open(path, encoding="ascii") as file:
        return read(file)


def _on_run(ledger, _current, _sent_on, _time, fields):
    ledger.run = int(fields[0])


def _on_open(ledger, current, _sent_on, time, fields):
    client, room = int(fields[0]), fields[1]
    ledger.room_of[client] = room
    current[client] = Connection(client, room, time)
    ledger.connections.append(current[client])


def _on_sent(ledger, current, sent_on, time, fields):
    writer, n = int(fields[0]), int(fields[1])
    crc = int(fields[2], 16)
    first = ledger.sent.setdefault((writer, n), (crc, time))
    if first[0] != crc:
        ledger.problems.append(f"the ledger is broken: {writer}/{n} was sent with two contents")
    sent_on[writer, n] = current.get(writer)


def _on_ack(ledger, _current, _sent_on, _time, fields):
    writer, n, seq = int(fields[0]), int(fields[1]), int(fields[3])
    if ledger.acks.setdefault((writer, n), (fields[2], seq)) != (fields[2], seq):
        ledger.problems.append(f"rule 3: {writer}/{n} was acked with two ids")


def _on_refused(ledger, _current, _sent_on, _time, fields):
    ledger.refused[int(fields[0]), int(fields[1])] = " ".join(fields[2:])


def _on_recv(ledger, current, sent_on, _time, fields):
    reader, post_id, seq = int(fields[0]), fields[1], int(fields[2])
    writer, n, crc = (None, None, None) if fields[3] == "-" else (
        int(fields[3]), int(fields[4]), int(fields[5], 16))
    connection = current[reader]
    connection.received.append((seq, post_id, writer, n, crc))
    own = writer == reader and sent_on.get((writer, n)) is connection
    if own and (writer, n) not in ledger.acks and (writer, n) not in ledger.refused:
        ledger.problems.append(f"rule 7: {writer}/{n}: the own copy came before the ack")


def _on_close(_ledger, current, _sent_on, _time, fields):
    connection = current.pop(int(fields[0]), None)
    if connection:
        connection.closed = int(fields[1])


def _on_resume(ledger, current, _sent_on, _time, fields):
    client, verdict = int(fields[0]), fields[2]
    if verdict == "reload":
        current[client].resumed = True
    else:
        ledger.problems.append(f"rule 6: client {client} has a verdict '{verdict}' that is not known")


_readers = {"RUN": _on_run, "OPEN": _on_open, "SENT": _on_sent, "ACK": _on_ack, "REFUSED": _on_refused,
            "RECV": _on_recv, "CLOSE": _on_close, "RESUME": _on_resume}


def parse_text(text):
    """(run, writer, n, crc) of a test post's text; None if it is none, or not whole."""
    parts = text.split("|", 6)
    if len(parts) != 7 or parts[0] != "L":
        return None
    run, writer, n, size, crc, pad = parts[1:]
    if len(pad) != int(size) or zlib.crc32(pad.encode()) != int(crc, 16):
        return None
    return int(run), int(writer), int(n), int(crc, 16)


def judge(ledger, histories, tables=None):
    """All broken rules, as texts; an empty list is a clean ledger.

    histories: room -> its whole history as Posts, oldest first. tables: the same from the posts
    table; None for a store that keeps none (ephemeral rooms)."""
    problems = list(ledger.problems)
    for room in sorted(set(ledger.room_of.values())):
        history = histories[room]
        problems += _judge_history(ledger, room, history)
        problems += _judge_deliveries(ledger, room, history)
        if tables is not None and tables[room] != history:
            problems.append(f"rule 8: room {room}: {_first_difference(tables[room], history)}")
    problems += _judge_agreement(ledger)
    return problems


def _judge_history(ledger, room, history):
    place = {}  # (writer, n) -> Post
    last_n = collections.defaultdict(int)
    for expected, post in enumerate(history, start=1):
        if post.seq != expected:
            yield f"rule 5: room {room}: seq {post.seq} stands where {expected} must"
        origin = parse_text(post.text)
        if origin is None or origin[0] != ledger.run or ledger.sent.get(origin[1:3], (None,))[0] != origin[3]:
            yield f"rule 2: room {room}: seq {post.seq} was never sent"
            continue
        writer, n = origin[1:3]
        if (writer, n) in place:
            yield f"rule 3: {writer}/{n} is at seq {place[writer, n].seq} and at {post.seq}"
        elif n < last_n[writer]:
            yield f"rule 4: {writer}/{n} comes after {writer}/{last_n[writer]}"
        place.setdefault((writer, n), post)
        last_n[writer] = max(n, last_n[writer])
    for (writer, n), (post_id, seq) in ledger.acks.items():
        if ledger.room_of.get(writer) != room:
            continue
        post = place.get((writer, n))
        if post is None:
            yield f"rule 1: {writer}/{n} was acked and is not in history"
        elif post.id != post_id or (seq and post.seq != seq):
            yield f"rule 1: {writer}/{n} was acked as {post_id} seq {seq}, history has {post.id} seq {post.seq}"


def _judge_deliveries(ledger, room, history):
    for connection in ledger.connections:
        if connection.room != room:
            continue
        where = f"rule 6: client {connection.client} in room {room}"
        received = connection.received
        for (seq, *_), (following, *_) in zip(received, received[1:]):
            if following != seq + 1:
                yield f"{where}: seq {following} came after {seq}"
        for seq, post_id, writer, n, crc in received:
            post = history[seq - 1] if 0 < seq <= len(history) else None
            if post is None:
                yield f"{where}: got seq {seq}, which history lacks"
            elif post.id != post_id:
                yield f"{where}: seq {seq} was {post_id}, history has {post.id}"
            elif writer is not None and parse_text(post.text) != (ledger.run, writer, n, crc):
                yield f"{where}: seq {seq} had another content than history"
        yield from _judge_ends(ledger, connection, history, where)


def _judge_ends(ledger, connection, history, where):
    owed = [post.seq for post in history if _sent_after(ledger, post, connection.opened)]
    if connection.received:
        if owed and connection.received[0][0] > owed[0]:
            yield f"{where}: seq {owed[0]} was posted after it joined, the first it got is {connection.received[0][0]}"
        if connection.closed is None and connection.received[-1][0] != len(history):
            yield f"{where}: its connection stayed, but ends at seq {connection.received[-1][0]} of {len(history)}"
    elif owed and connection.closed is None:
        yield f"{where}: got nothing, history has seq {owed[0]} from after it joined"


def _sent_after(ledger, post, time):
    origin = parse_text(post.text)
    return origin is not None and ledger.sent.get(origin[1:3], (0, 0))[1] > time


def _judge_agreement(ledger):
    first = {}  # (room, seq) -> (id, client)
    seen = set()
    for connection in ledger.connections:
        if connection.client in seen and not connection.resumed:
            yield f"rule 6: client {connection.client} connected again without a verdict"
        seen.add(connection.client)
        for seq, post_id, *_ in connection.received:
            other = first.setdefault((connection.room, seq), (post_id, connection.client))
            if other[0] != post_id:
                yield (f"rule 7: room {connection.room} seq {seq}: client {other[1]} got {other[0]}, "
                       f"client {connection.client} got {post_id}")


def _first_difference(table, history):
    for row, post in zip(table, history):
        if row != post:
            return f"the table has {row}, history {post}"
    return f"the table has {len(table)} posts, history {len(history)}"
