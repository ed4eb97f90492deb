"""/metrics: the names the rooms contract promises, correct after traffic, and nothing of anybody in labels."""

import re
import threading

import prometheus_client.parser
import pytest

import server as servers
import ws
from rest import Refused
from test_socket import ann, bob, room  # noqa: F401

HTTP_BUCKETS = ["0.001", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"]
MISSING = "01a1f924-9471-7391-8886-641884dcdd56"


def families(server):
    """name -> family; every series once, every family in one piece."""
    text = server.scrape()
    types = re.findall(r"^# TYPE (\S+) ", text, re.M)
    assert len(types) == len(set(types)), "a family in two pieces"
    samples = [line.rsplit(" ", 1)[0] for line in text.splitlines() if not line.startswith("#")]
    assert len(samples) == len(set(samples)), "a series twice"
    assert text.endswith("\n")
    return {family.name: family for family in prometheus_client.parser.text_string_to_metric_families(text)}


def value(server, name, **labels):
    """The sum of all series of that name with these labels; None without one."""
    found = [sample.value for family in families(server).values() for sample in family.samples
             if sample.name == name and labels.items() <= sample.labels.items()]
    return sum(found) if found else None


def await_value(server, expected, name, **labels):
    """Counters come once a second."""
    servers.until(lambda: value(server, name, **labels) == expected, f"{name}{labels} to be {expected}")


def test_every_name_of_the_contract_is_there_and_set(store_kind, server, ann, bob, room):  # noqa: F811
    chat, other = ws.Chat(ann, room), ws.Chat(bob, room)
    chat.say("one")
    other.until("chat_message")
    await_value(server, 2, "websocket_connections_active")
    await_value(server, 2, "websocket_messages_sent_total", type="chat_message")
    await_value(server, 1, "websocket_messages_sent_total", type="message_ack")
    await_value(server, 3, "websocket_messages_sent_total", type="user_joined")
    chat.post("")
    await_value(server, 1, "websocket_messages_sent_total", type="error")
    other.leave()
    await_value(server, 1, "websocket_messages_sent_total", type="user_left")
    assert value(server, "websocket_messages_sent_total", type="user_count_update") > 0
    found = families(server)
    assert {"http_request_duration_seconds", "http_requests", "websocket_connections_active", "db_connections_open",
            "websocket_messages_sent", "db_query_duration_seconds", "db_connections_in_use", "db_connections_idle",
            "process_cpu_seconds", "process_resident_memory_bytes", "process_virtual_memory_bytes",
            "process_open_fds", "process_max_fds", "process_start_time_seconds", "go_goroutines",
            "go_memstats_heap_inuse_bytes"} <= set(found)
    for name in ("process_cpu_seconds_total", "process_resident_memory_bytes", "process_virtual_memory_bytes",
                 "process_open_fds", "process_max_fds", "process_start_time_seconds", "go_goroutines"):
        assert value(server, name) > 0, name
    assert 1 << 20 < value(server, "go_memstats_heap_inuse_bytes") < value(server, "process_resident_memory_bytes")
    open_, used, idle = (value(server, f"db_connections_{kind}") for kind in ("open", "in_use", "idle"))
    assert open_ == 3 == used + idle, "the writer and two readers"
    for operation, table in (("insert", "users"), ("select", "users"), ("insert", "sessions"), ("insert", "rooms"),
                             ("insert", "members"), ("insert", "posts"), ("update", "rooms")):
        assert value(server, "db_query_duration_seconds_count", operation=operation, table=table) > 0, table


def test_what_an_operator_watches_is_there(store_kind, server, ann, bob, room):  # noqa: F811
    chat, other = ws.Chat(ann, room), ws.Chat(bob, room)
    for n in range(5):
        chat.say(f"post {n}")
        other.until("chat_message")
    await_value(server, 5, "confab_delivery_seconds_count")
    await_value(server, 5, "confab_post_ack_seconds_count")
    commits = value(server, "confab_store_commits_total")
    assert value(server, "confab_store_commit_seconds_count") >= commits > 0
    assert value(server, "confab_store_batch_rows_count") >= commits
    assert value(server, "confab_store_batch_rows_sum") >= value(server, "confab_store_batch_rows_count")
    for actor in ("gateway", "lobby", "rooms", "storage", "reader", "accounts", "hasher", "sweeper", "stats"):
        assert value(server, "confab_actor_inbox_depth", actor=actor) is not None, actor
    assert value(server, "confab_room_lag_events") == 0
    for name in ("confab_send_queue_bytes", "confab_closed_slow_total"):
        assert value(server, name) is not None, name
    for result in ("complete", "reload"):
        assert value(server, "confab_resumes_total", result=result) == 0
    assert value(server, "confab_build_info") == 1


def test_requests_are_counted_by_method_template_and_status(store_kind, server, ann, room):  # noqa: F811
    for _ in range(3):
        ann.messages(room)
    with pytest.raises(Refused):
        ann.messages(MISSING)
    client = server.client()
    client.raw("GET", f"/nothing/{MISSING}")
    client.raw("DELETE", "/api/v1/chatrooms")
    client.raw("PATCH", "/nothing")
    client.raw("HEAD", "/health")
    client.raw("OPTIONS", "/health")
    chat = ws.Chat(ann, room)
    raw = ws.Socket(server.port)
    raw.send(b"GET / HTTP/1.1\nHost: x\n\n")
    assert raw.read_head()[0] == 400
    template = "/api/v1/chatrooms/{id}/messages"
    await_value(server, 3, "http_requests_total", method="GET", path=template, status="200")
    await_value(server, 1, "http_requests_total", method="GET", path=template, status="404")
    await_value(server, 1, "http_requests_total", method="GET", path="unmatched", status="404")
    await_value(server, 1, "http_requests_total", method="other", path="unmatched", status="404")
    await_value(server, 1, "http_requests_total", method="DELETE", path="/api/v1/chatrooms", status="405")
    await_value(server, 1, "http_requests_total", method="HEAD", path="/health", status="200")
    await_value(server, 1, "http_requests_total", method="GET", path="/ws/chat/{id}", status="101")
    await_value(server, 1, "http_requests_total", method="other", path="unmatched", status="400")
    assert value(server, "http_requests_total", method="OPTIONS") is None
    chat.close()


def test_the_request_histogram_has_the_contracts_buckets_and_agrees_with_the_counter(store_kind, server, ann):  # noqa: F811
    labels = {"method": "GET", "path": "/api/v1/auth/me", "status": "200"}
    for _ in range(5):
        ann.call("GET", "/auth/me")
    await_value(server, 5, "http_requests_total", **labels)
    samples = families(server)["http_request_duration_seconds"].samples
    mine = [s for s in samples if labels.items() <= s.labels.items()]
    buckets = {s.labels["le"]: s.value for s in mine if s.name.endswith("_bucket")}
    assert set(HTTP_BUCKETS) <= set(buckets)
    counts = [buckets[le] for le in sorted(buckets, key=float)]
    assert counts == sorted(counts) and counts[-1] == 5
    (total,) = [s.value for s in mine if s.name.endswith("_count")]
    (spent,) = [s.value for s in mine if s.name.endswith("_sum")]
    assert total == 5 and 0 < spent < 60


@pytest.mark.only_store("sqlite")
def test_labels_are_few_whatever_clients_ask(store_kind, server, ann, room):  # noqa: F811
    client = server.client(keep=True)
    for n in range(300):
        client.raw("GET", f"/{n}/{MISSING}?token=secret{n}")
        client.raw(f"X{n}", f"/api/v1/chatrooms/{MISSING}/messages")
    ann.create_room("a \"name\" with {braces}\\")
    await_value(server, 300, "http_requests_total", method="GET", path="unmatched", status="404")
    text = server.scrape()
    assert text.count("http_requests_total{") < 20
    for secret in (room, ann.id, MISSING, "ann", "secret", "braces", ann.token):
        assert not re.search(rf"[{{,][a-z]+=\"[^\"]*{re.escape(secret)}", text), "no ids in labels"


@pytest.mark.only_store("sqlite")
def test_metrics_are_for_those_who_may_read_them(store_kind, make_server):
    """A proxy's client is no loopback, also if nobody can tell who it is; one that metrics.allow names is let in."""
    server = make_server({"CONFAB_HTTP_TRUSTED_PROXIES": "127.0.0.1",
                          "CONFAB_METRICS_ALLOW": "192.0.2.0/24,127.0.0.0/8"}).start()
    for told, status in (("198.51.100.7", 404), ("192.0.2.9", 200), ("127.0.0.1", 200), ("9.9.9.9, 192.0.2.9", 200),
                         ("unknown", 404), ("198.51.100.7:1234", 404), ("198.51.100.7, garbage", 404), (",", 404)):
        assert server.client().raw("GET", "/metrics", headers={"X-Forwarded-For": told})[0] == status, told
    for name in ("X-Real-IP", "True-Client-IP"):  # perhaps the client's own word: nobody is local by it
        for told, status in (("198.51.100.7", 404), ("192.0.2.9", 200), ("unknown", 404), ("::1", 404)):
            assert server.client().raw("GET", "/metrics", headers={name: told})[0] == status, (name, told)
            listed = {name: "192.0.2.9", "X-Forwarded-For": "198.51.100.7"}
            assert server.client().raw("GET", "/metrics", headers=listed)[0] == 404, name
    assert server.client().raw("GET", "/metrics")[0] == 200


@pytest.mark.only_store("sqlite")
def test_a_proxy_on_this_host_that_was_not_named_does_not_make_metrics_public(store_kind, server):
    for name in ("X-Forwarded-For", "X-Real-IP", "True-Client-IP"):
        for told in ("198.51.100.7", "127.0.0.1", "unknown"):
            assert server.client().raw("GET", "/metrics", headers={name: told})[0] == 404, (name, told)
    assert server.client().raw("GET", "/metrics")[0] == 200


QUEUES = ("confab_gateway_pool_bytes", "confab_gateway_requests_waiting", "confab_room_queue_bytes", "confab_room_held_bytes",
          "confab_store_unsettled_bytes", "confab_actor_kept_bytes", "confab_accounts_waiting")


@pytest.mark.server_env(CONFAB_LIMITS_POSTS_PER_MINUTE="0", CONFAB_LIMITS_FAILED_LOGINS="0")
def test_what_waits_for_a_store_that_hangs_is_shown_and_gone_afterwards(store_kind, make_server, faults):
    """P8: each queue has a figure. Those that need no store to fill stay at zero: commands, lookups of rooms."""
    server = make_server().start()
    server.allow_errors("store|not answered")
    carl, eve = server.user("carl"), server.user("eve")
    chats = [ws.Chat(carl, carl.create_room()) for _ in range(2)]
    assert all(value(server, name) == 0 for name in ("confab_gateway_command_bytes", "confab_lobby_lookups_waiting"))
    faults.write_text("write hang\nsettle hang\nread hang\n")
    over = threading.Event()

    def knock():
        while not over.is_set():
            for call in (lambda: server.client().login("carl"), lambda: eve.history(chats[0].room)):
                try:
                    call()
                except Refused:
                    pass  # the store does not answer
    knocking = [threading.Thread(target=knock) for _ in range(2)]
    for thread in knocking:
        thread.start()
    seen = set()

    def look():
        for chat in chats:
            chat.post("waits")
        seen.update(name for name in QUEUES if value(server, name))
        return seen == set(QUEUES)
    try:
        servers.until(look, f"all of {QUEUES} to be seen")
    finally:
        over.set()
        faults.write_text("")
        for thread in knocking:
            thread.join()
    servers.until(lambda: not any(value(server, name) for name in QUEUES), "all of them to be zero again")


def test_alerts_are_about_what_is_exported(store_kind, server, ann, bob, room):  # noqa: F811
    """docs/alerts.yml: each figure it names is one of ours, with the labels it asks for."""
    with open(servers.ROOT / "docs/alerts.yml", encoding="utf-8") as file:
        rules = re.findall(r"^      - alert: (\w+)\n        expr: (.+(?:\n {10}.+)*)$", file.read(), re.M)
    assert len(rules) > 10 and len({name for name, _ in rules}) == len(rules)
    ws.Chat(ann, room).say("so that there are queries")
    servers.until(lambda: value(server, "confab_posts_acked_total"), "the counters")
    exported = {sample.name: sample.labels for family in families(server).values() for sample in family.samples}
    operations = {sample.labels.get("operation") for family in families(server).values() for sample in family.samples}
    for name, expression in rules:
        figures = re.findall(r"\b(?:confab|db|process|websocket|http)_\w+", expression)
        assert figures or 'up{job="confab"}' in expression, name
        assert set(figures) - {"confab_tls_certificate_expiry_timestamp_seconds"} <= set(exported), name  # see test_tls.py
        assert set(re.findall(r'operation="(\w+)"', expression)) <= operations, name
