"""Spans of sampled traces, as a collector gets them: OTLP over HTTP."""

import pytest

import server as servers
from collector import PATH, Collector
from nodes import settings
from quotes import Quotes, csv
from ws import Chat

SECRET = "words that belong into no span"
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
NEVER = "1000000000"  # of so many traces one is sampled
SERVER, CLIENT = 2, 3


@pytest.fixture
def collector():
    with Collector() as running:
        yield running


def tracing(collector, **more):
    return {"CONFAB_TRACE_URL": collector.url, "CONFAB_TRACE_SAMPLE_ONE_IN": "1", "CONFAB_TRACE_INTERVAL": "20ms", **more}


def holds(inner, outer):
    """Their clocks are one here, but each reads it in its own turn."""
    slack = 1_000_000_000
    return outer.begin - slack <= inner.begin <= inner.end <= outer.end + slack


def spans_of_a_post(collector, node=None):
    frame = collector.await_span(lambda span: span.name == "frame POST" and node in (None, span.node), "the post's span")
    append = collector.await_span(lambda span: span.name == "append" and span.trace == frame.trace, "the room's span")
    commit = collector.await_span(lambda span: span.name == "commit" and span.trace == frame.trace, "storage's span")
    assert frame.parent is None and append.parent == frame.id and commit.parent == append.id
    assert holds(append, frame) and holds(commit, append)
    assert not (frame.failed or append.failed or commit.failed)
    return frame, append, commit


def test_a_post_is_one_trace_from_its_frame_to_the_store(store_kind, make_server, collector):
    server = make_server(tracing(collector)).start()
    ann = server.user("ann")
    room = ann.create_room()
    chat = Chat(ann, room)
    chat.say(SECRET)
    frame, append, commit = spans_of_a_post(collector)
    assert (frame.kind, append.kind, commit.kind) == (SERVER, 1, CLIENT)
    assert {frame.attributes["confab.actor"], append.attributes["confab.actor"], commit.attributes["confab.actor"]} == {
        "gateway", "rooms", "storage"}
    assert frame.attributes["confab.room"] == append.attributes["confab.room"] == commit.attributes["confab.room"] == room
    assert append.attributes["confab.run.posts"] == "1"
    assert commit.attributes["db.system.name"] == ("sqlite" if store_kind == "sqlite" else "postgresql")
    assert frame.service == "confab" and frame.node == append.node == commit.node
    for request in collector.requests:
        assert request.path == PATH and request.headers["Content-Type"] == "application/json"
        for word in (SECRET, ann.token, "password123", "ann@"):
            assert word.encode() not in request.body, "a span holds what a client has written"


def test_a_request_is_told_with_what_it_asked_and_in_the_trace_that_its_client_is_in(store_kind, make_server, collector):
    server = make_server(tracing(collector)).start()
    ann = server.user("ann")
    server.client().raw("GET", "/api/v1/chatrooms", headers={"traceparent": f"00-{TRACE}-{SPAN}-00", "Cookie": f"session_id={ann.token}"})
    root = collector.await_span(lambda span: span.trace == TRACE and span.kind == SERVER, "the request's span")
    assert root.parent == SPAN and root.name == "GET /api/v1/chatrooms" and not root.failed
    assert root.attributes["http.request.method"] == "GET" and root.attributes["http.route"] == "/api/v1/chatrooms"
    assert root.attributes["http.response.status_code"] == "200"
    for name in ("AUTHENTICATE", "LIST_ROOMS"):
        asked = collector.await_span(lambda span, name=name: span.trace == TRACE and span.name == name, name)
        assert asked.parent == root.id and asked.kind == CLIENT and holds(asked, root)
    refused = server.client().raw("GET", "/api/v1/chatrooms", headers={"traceparent": f"00-{TRACE[::-1]}-{SPAN}-00"})
    assert refused[0] == 401
    told = collector.await_span(lambda span: span.trace == TRACE[::-1], "the refused request's span")
    assert told.attributes["http.response.status_code"] == "401" and not told.failed, "the server has not failed"


@pytest.mark.only_store("sqlite")
@pytest.mark.parametrize("method, path, status, name, known, route", (
    ("GET", "/api/v1/chatrooms/none/messages", 401, "GET /api/v1/chatrooms/{id}/messages", "GET", "/api/v1/chatrooms/{id}/messages"),
    ("GET", "/of/nobody", 404, "GET", "GET", None),
    ("GET", "/", 200, "GET", "GET", None),
    ("BREW", "/api/v1/chatrooms", 405, "HTTP /api/v1/chatrooms", "_OTHER", "/api/v1/chatrooms"),
))
def test_a_request_has_the_name_of_its_route_and_no_other(store_kind, make_server, collector, method, path, status, name, known, route):
    """Semantic conventions for HTTP: a method that is not known is _OTHER, what is no route is not named."""
    server = make_server(tracing(collector)).start()
    assert server.client().raw(method, path, headers={"traceparent": f"00-{TRACE}-{SPAN}-00"})[0] == status
    told = collector.await_span(lambda span: span.trace == TRACE and span.kind == SERVER)
    assert told.name == name and not told.failed and "error.type" not in told.attributes
    assert told.attributes["http.request.method"] == known and told.attributes.get("http.route") == route


@pytest.mark.only_store("sqlite")
def test_a_request_that_the_server_has_failed_says_how(store_kind, faults, make_server, collector):
    server = make_server(tracing(collector)).start()
    server.allow_errors("store")
    faults.write_text("read fail\n")
    assert server.client().raw("GET", "/api/v1/auth/me", headers={
        "traceparent": f"00-{TRACE}-{SPAN}-00", "Cookie": f"session_id={'x' * 43}"})[0] == 503
    told = collector.await_span(lambda span: span.trace == TRACE and span.kind == SERVER)
    assert told.failed and told.attributes["error.type"] == told.attributes["http.response.status_code"] == "503"
    asked = collector.await_span(lambda span: span.trace == TRACE and span.name == "AUTHENTICATE")
    assert asked.failed and asked.attributes["error.type"] == "storage failed"


@pytest.mark.only_store("sqlite")
def test_a_post_beyond_its_users_limit_is_no_failure_of_the_server(store_kind, make_server, collector):
    server = make_server(tracing(collector, CONFAB_LIMITS_POSTS_PER_MINUTE="1")).start()
    ann = server.user("ann")
    chat = Chat(ann, ann.create_room())
    chat.say("one")
    chat.post("two")
    assert chat.until("error")["code"] == "RATE_LIMIT_EXCEEDED"
    server.terminate()
    frames = [span for span in collector.spans if span.name == "frame POST"]
    assert len(frames) == 2 and not any(span.failed or "error.type" in span.attributes for span in frames)


def test_what_a_room_cannot_be_asked_is_told_as_well(store_kind, make_server, collector, faults):
    """It cannot be opened while the store is away, so nobody knows where it is."""
    server = make_server(tracing(collector)).start()
    server.allow_errors("store|storage")
    room = server.user("ann").create_room()
    bob = server.user("bob")
    faults.write_text("write fail\n")
    assert server.client().raw("POST", f"/api/v1/chatrooms/{room}/join", headers={
        "traceparent": f"00-{TRACE}-{SPAN}-00", "Cookie": f"session_id={bob.token}"})[0] == 503
    root = collector.await_span(lambda span: span.trace == TRACE and span.kind == SERVER, "the request's span")
    asked = collector.await_span(lambda span: span.trace == TRACE and span.name == "JOIN", "what the room was to be asked")
    assert asked.parent == root.id and asked.failed and root.failed and asked.attributes["confab.room"] == room
    faults.write_text("")


def test_probes_and_scrapes_are_told_to_nobody(store_kind, make_server, collector):
    server = make_server(tracing(collector)).start()
    for path in ("/livez", "/readyz", "/health", "/metrics"):
        server.client().raw("GET", path)
    server.user("ann")
    collector.await_span(lambda span: span.name.startswith("POST /"), "a request behind them")
    names = {span.name.lower() for span in collector.spans}
    assert not any(word in name for name in names for word in ("livez", "readyz", "health", "metrics")), names


@pytest.mark.only_store("sqlite")
def test_a_command_leads_to_the_quote_service_which_is_told_the_span(store_kind, make_server, collector):
    with Quotes() as quotes:
        quotes.answers["AAPL.US"] = csv("AAPL.US", "93.42")
        server = make_server(tracing(collector, CONFAB_STOCK_URL=quotes.url, CONFAB_STOCK_TRACEPARENT="true")).start()
        ann = server.user("ann")
        chat = Chat(ann, ann.create_room())
        chat.post("/stock=AAPL.US")
        chat.until("chat_message", is_bot=True)
        headers = [line.split(": ", 1)[1] for line in quotes.heads[0].split("\r\n") if line.lower().startswith("traceparent:")]
    frame = collector.await_span(lambda span: span.name == "frame COMMAND")
    asked = collector.await_span(lambda span: span.name == "ask_bot")
    attempt = collector.await_span(lambda span: span.name == "GET quote")
    assert frame.trace == asked.trace == attempt.trace
    assert frame.parent is None and asked.parent == frame.id and attempt.parent == asked.id
    assert headers == [f"00-{frame.trace}-{attempt.id}-01"]
    assert attempt.attributes["http.response.status_code"] == "200" and not attempt.failed


@pytest.mark.only_store("sqlite")
@pytest.mark.parametrize("follows", ("true", "false"))
def test_a_client_that_says_its_trace_is_sampled_is_followed_only_if_wanted(store_kind, make_server, collector, follows):
    server = make_server(tracing(collector, CONFAB_TRACE_SAMPLE_ONE_IN=NEVER, CONFAB_TRACE_FOLLOW_CLIENTS=follows)).start()
    ann = server.user("ann")
    for flag in ("00", "01"):
        server.client().raw("GET", "/api/v1/auth/me", headers={"traceparent": f"00-{TRACE[:-1]}{flag[1]}-{SPAN}-{flag}",
                                                              "Cookie": f"session_id={ann.token}"})
    last = "f" * 32  # sampled by its id
    server.client().raw("GET", "/api/v1/auth/me", headers={"traceparent": f"00-{last}-{SPAN}-00", "Cookie": f"session_id={ann.token}"})
    collector.await_span(lambda span: span.trace == last and span.kind == SERVER, "the last request's span")
    assert {span.trace for span in collector.spans} == {last, *([f"{TRACE[:-1]}1"] if follows == "true" else [])}


@pytest.mark.only_store("sqlite")
def test_of_all_traces_those_with_the_largest_ends_are_sampled(store_kind, make_server, collector):
    """As OpenTelemetry's samplers choose, by the last seven bytes: of four, those from 0xc0... on."""
    server = make_server(tracing(collector, CONFAB_TRACE_SAMPLE_ONE_IN="4")).start()
    ends = {f"{'1' * 18}{end}": sampled for end, sampled in (
        ("0" * 14, False), ("bf" + "f" * 12, False), ("c0" + "0" * 12, True), ("f" * 14, True))}
    for trace in ends:
        server.client().raw("GET", "/api/v1/auth/me", headers={"traceparent": f"00-{trace}-{SPAN}-00"})
    for trace in (trace for trace, sampled in ends.items() if sampled):
        collector.await_span(lambda span, trace=trace: span.trace == trace, trace)
    assert not [span for span in collector.spans if not ends.get(span.trace, True)]


@pytest.mark.only_store("sqlite")
def test_without_a_collector_nothing_is_sampled(store_kind, server):
    ann = server.user("ann")
    server.client().raw("GET", "/api/v1/auth/me", headers={"traceparent": f"00-{TRACE}-{SPAN}-01", "Cookie": f"session_id={ann.token}"})
    figures = server.metrics()
    assert all(value == 0 for name, value in figures.items() if name.startswith("confab_trace_")), figures


@pytest.mark.only_store("sqlite")
def test_the_chat_goes_on_while_the_collector_is_away_and_spans_come_when_it_is_back(store_kind, make_server):
    with Collector() as first:
        port = first.port
        server = make_server(tracing(first, CONFAB_TRACE_PAUSE="50ms", CONFAB_TRACE_ATTEMPTS="100")).start()
        server.allow_errors("the collector of traces takes no spans")
    ann = server.user("ann")
    chat = Chat(ann, ann.create_room())
    for number in range(10):
        chat.say(f"post {number}")
    servers.until(lambda: server.metrics()["confab_trace_failures_total"] >= 1, "a failure")
    with Collector(port=port) as back:
        spans_of_a_post(back)
        figures = servers.until(lambda: (lambda now: now["confab_trace_spans_waiting"] == 0 and now)(server.metrics()), "an empty queue")
        assert figures['confab_trace_spans_total{result="failed"}'] == 0
        assert figures['confab_trace_spans_total{result="sent"}'] == len(back.spans)


@pytest.mark.only_store("sqlite")
def test_what_a_busy_collector_has_not_taken_comes_again_and_what_it_refuses_does_not(store_kind, make_server, collector):
    collector.statuses = [503, 200, 400]
    server = make_server(tracing(collector, CONFAB_TRACE_PAUSE="20ms")).start()
    server.allow_errors("the collector of traces takes no spans")
    server.user("ann")
    servers.until(lambda: len(collector.requests) >= 2, "another try")
    assert {span.id for span in collector.spans}
    server.client().raw("GET", "/api/v1/auth/me", headers={"traceparent": f"00-{TRACE}-{SPAN}-00"})
    servers.until(lambda: server.metrics()['confab_trace_spans_total{result="refused"}'] >= 1, "a refusal")
    seen = len(collector.requests)
    server.client().raw("GET", "/api/v1/auth/me", headers={"traceparent": f"00-{TRACE[::-1]}-{SPAN}-00"})
    collector.await_span(lambda span: span.trace == TRACE[::-1])
    assert len(collector.requests) == seen + 1, "what was refused is not sent again"


@pytest.mark.only_store("sqlite")
def test_a_collector_that_takes_every_other_request_does_not_fill_the_log(store_kind, make_server, collector):
    collector.statuses = [503, 200] * 10
    server = make_server(tracing(collector, CONFAB_TRACE_PAUSE="1ms", CONFAB_TRACE_BATCH_MAX="2")).start()
    server.allow_errors("the collector of traces takes no spans")
    ann = server.user("ann")
    chat = Chat(ann, ann.create_room())
    for number in range(20):
        chat.say(f"post {number}")
    servers.until(lambda: server.metrics()["confab_trace_failures_total"] == 10, "all failures")
    server.terminate()
    said = [line["msg"] for line in server.lines if line["msg"].startswith("the collector of traces")]
    assert said == ["the collector of traces takes no spans", "the collector of traces takes spans again"]


@pytest.mark.only_store("sqlite")
def test_spans_that_would_be_too_many_are_dropped_and_counted(store_kind, make_server, collector):
    collector.free.clear()  # it takes the first request, and answers nothing
    server = make_server(tracing(collector, CONFAB_TRACE_QUEUE_MAX="4", CONFAB_TRACE_BATCH_MAX="2", CONFAB_TRACE_SPANS_PER_SECOND="3")).start()
    ann = server.user("ann")
    chat = Chat(ann, ann.create_room())
    for number in range(20):
        chat.post(f"post {number}", key=str(number))  # one behind the other, so that they are answered in one second
    figures = servers.until(lambda: (lambda now: now['confab_trace_spans_total{result="full"}'] > 0
                                     and now['confab_trace_spans_total{result="limited"}'] > 0 and now)(server.metrics()), "drops")
    assert figures["confab_trace_spans_waiting"] == 4
    collector.free.set()
    servers.until(lambda: server.metrics()["confab_trace_spans_waiting"] == 0, "an empty queue")


@pytest.mark.only_store("sqlite")
def test_what_waits_is_sent_before_the_end(store_kind, make_server, collector):
    server = make_server(tracing(collector, CONFAB_TRACE_INTERVAL="1m")).start()
    ann = server.user("ann")
    Chat(ann, ann.create_room()).say("the last words")
    assert collector.spans == []
    server.terminate()
    spans_of_a_post(collector)


@pytest.mark.only_store("sqlite")
def test_a_collector_is_told_its_header_over_https_by_who_vouches_for_it(store_kind, make_server, tmp_path):
    from tls import Certificate
    folder = tmp_path / "collector"
    folder.mkdir()
    certificate = Certificate(folder)
    header = tmp_path / "header"
    header.write_text("Authorization: Bearer let-me-tell\n")
    header.chmod(0o600)
    with Collector(certificate) as collector:
        server = make_server(tracing(collector, CONFAB_TRACE_CA_FILE=str(certificate.cert), CONFAB_TRACE_HEADER_FILE=str(header))).start()
        server.user("ann")
        collector.await_span(lambda span: span.kind == SERVER)
        assert collector.requests[0].headers["Authorization"] == "Bearer let-me-tell"
    assert not any("let-me-tell" in str(line) for line in server.lines)


@pytest.mark.only_store("postgres")
def test_a_post_on_one_node_into_a_room_of_another_is_one_trace(store_kind, make_one, keys, collector):
    nodes = [make_one({**settings(keys, number, range(2)), "CONFAB_MESH_LISTEN": "127.0.0.1:0", **tracing(collector)}).start()
             for number in range(2)]
    for node in nodes:
        servers.until(lambda node=node: node.metrics()["confab_mesh_links"] == 1, "a link")
    ann = nodes[0].user("ann")
    room = ann.create_room()
    for node in nodes:
        Chat(node.client(token=ann.token), room).say("from each node")
    told = [spans_of_a_post(collector, node=f"node-{number}") for number in range(2)]
    (owner,) = {span.node for _, append, commit in told for span in (append, commit)}
    assert owner in ("node-0", "node-1"), "and so one of the posts came from the other"
