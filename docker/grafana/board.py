#!/usr/bin/python3
"""docker/grafana/board.py: writes confab.json beside it, the board for Grafana (11 or newer), from the table below.

    docker/grafana/board.py            writes it
    docker/grafana/board.py --check    says whether it is current (exit 1: it is not)

In expressions SEL stands for the servers that are chosen above the board, RATE for the time to take rates over."""

import json
import pathlib
import sys

BOARD = pathlib.Path(__file__).with_name("confab.json")
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH, HEIGHT, IN_ROW = 8, 8, 3
STAT_WIDTH, STAT_HEIGHT = 4, 4


def per_second(name, by=None, labels=""):
    total = f"rate({name}{{{labels}SEL}}[RATE])"
    return f"sum by ({by}) ({total})" if by else f"sum({total})"


def each(name):
    return f"{name}{{SEL}}"


def quantile(q, name):
    return f"histogram_quantile({q}, sum by (le) (rate({name}_bucket{{SEL}}[RATE])))"


def latency(name):
    return [(quantile(q, name), f"p{round(q * 100)}") for q in (0.5, 0.95, 0.99)]


def one(title, unit, about, expression, bad=None, legend="", low_is_bad=False):
    """A number; red from `bad` on, or below it."""
    return {"kind": "stat", "title": title, "unit": unit, "about": about, "series": [(expression, legend)], "bad": bad, "low_is_bad": low_is_bad}


def lines(title, unit, about, *series, bad=None, stacked=False):
    """Lines over time, and a red one at `bad`."""
    return {"kind": "timeseries", "title": title, "unit": unit, "about": about, "series": series, "bad": bad, "stacked": stacked}


def spread(title, about, name):
    """A histogram over time: how many took how long."""
    return {"kind": "heatmap", "title": title, "unit": "s", "about": about, "series": [(f"sum by (le) (increase({name}_bucket{{SEL}}[RATE]))", "{{le}}")]}


ROWS = [
    ("Now", [
        one("Servers ready", "percentunit", "Of those chosen above that are scraped, those that are gone included. One that is not ready: see its /readyz.",
            "(sum(confab_ready{SEL}) or vector(0)) / count(up{SEL})", bad=1, low_is_bad=True),
        one("WebSockets open", "none", "Now, on all of them.", "sum(websocket_connections_active{SEL})"),
        one("Posts acknowledged", "ops", "Stored, and said to be, per second.", per_second("confab_posts_acked_total")),
        one("Delivery p99", "s", "From the moment a post gets its number until all copies that a server sends are handed over, commit included.",
            quantile(0.99, "confab_delivery_seconds"), bad=0.5),
        one("Clients closed as slow", "none", "In the last hour. A few come with bad networks; many mean that sending is late here.",
            "sum(increase(confab_closed_slow_total{SEL}[1h]))"),
        one("Store", "percentunit", "Of the servers, those that can use their store, or are ready without one, as a bot alone is.",
            "1 - (count(confab_store_up{SEL} == 0 and confab_ready{SEL} == 0) or vector(0)) / count(confab_store_up{SEL})", bad=1, low_is_bad=True),
    ]),
    ("Connections", [
        lines("WebSockets", "none", "Open now, by server. A server that is restarted loses its own; the others get them.",
              (each("websocket_connections_active"), "{{instance}}"), stacked=True),
        lines("Sockets come and go", "cps", "Accepted and refused per second. Refused: over http.connections_max or limits.connections_per_ip.",
              (per_second("confab_connections_accepted_total"), "accepted"), (per_second("confab_connections_refused_total"), "refused: caps"),
              (per_second("confab_user_sockets_refused_total"), "refused: one user's"), (per_second("confab_tls_handshake_failures_total"), "TLS handshakes failed")),
        lines("Closed by the server", "cps", "Slow clients are told to come back (1013); the rest misbehaved or is gone.",
              (per_second("confab_closed_slow_total"), "slow"), (per_second("confab_closed_idle_total"), "without a sign of life"),
              (per_second("confab_closed_unfinished_total"), "message not finished"), (per_second("confab_closed_protocol_total"), "protocol"),
              (per_second("confab_closed_control_total"), "too many pings"), (per_second("confab_closed_flood_total"), "flood")),
        lines("Came back to a room that had moved", "ops", "complete: brought up to date. reload: missed more than the room remembers, and told to read the history.",
              (per_second("confab_resumes_total", "result"), "{{result}}")),
        lines("Waiting for slow clients", "bytes", "Bytes in send queues. A client may have ws.queue_max_bytes, or be ws.queue_max_age behind.",
              (each("confab_send_queue_bytes"), "{{instance}}")),
        lines("Logins", "ops", "Sessions that begin, accounts that are made, and what was refused.",
              (per_second("confab_logins_total"), "logins"), (per_second("confab_logins_failed_total"), "refused"),
              (per_second("confab_registrations_total"), "registrations")),
    ]),
    ("Posts", [
        lines("Posts", "ops", "Reached a room, acknowledged, refused, answered by their key as they were stored already, outcome not known in time.",
              (per_second("confab_posts_received_total"), "received"), (per_second("confab_posts_acked_total"), "acknowledged"),
              (per_second("confab_posts_refused_total"), "refused"), (per_second("confab_posts_repeated_total"), "repeated"),
              (per_second("confab_posts_unconfirmed_total"), "not confirmed")),
        lines("Messages out", "ops", "WebSocket messages to clients, one for each, by type.",
              (per_second("websocket_messages_sent_total", "type"), "{{type}}"), stacked=True),
        lines("Traffic", "Bps", "Payload in, and bytes handed to the kernel.",
              (per_second("confab_bytes_received_total"), "in"), (per_second("confab_bytes_sent_total"), "out")),
        lines("Until a post is acknowledged", "s", "From its arrival at the room until it is stored. Mostly the store: see the commits below.",
              *latency("confab_post_ack_seconds"), bad=1),
        lines("Until a post is delivered", "s", "From the moment it gets its number until all copies that a server sends are handed over, commit included.",
              *latency("confab_delivery_seconds"), bad=0.5),
        spread("Deliveries", "How many took how long: once for each post and gateway.", "confab_delivery_seconds"),
        lines("Room furthest behind", "none", "Events that the gateway furthest behind a room has not been sent yet.",
              (each("confab_room_lag_events"), "{{instance}}")),
        lines("Pages of history", "ops", "From the rooms' memory, or by a reader from the store.",
              (per_second("confab_history_pages_total", "from"), "{{from}}")),
        lines("Refused by limits", "ops", "What clients asked for beyond limits.*; who waits as long as the refusal says gets through.",
              (per_second("confab_limit_refused_total", "kind"), "{{kind}}")),
    ]),
    ("Store", [
        lines("Commits", "s", "One write transaction, from its begin until it is durable.", *latency("confab_store_commit_seconds"), bad=0.5),
        lines("Time in use of the writing connection", "percentunit", "At 1 the store cannot take more; posts wait longer then.",
              (f"rate({each('confab_store_commit_seconds_sum')}[RATE])", "{{instance}}"), bad=0.8),
        lines("Rows in one commit", "none", "Posts, and what else is written. More under load: what arrives while one is under way goes into the next.",
              (quantile(0.5, "confab_store_batch_rows"), "p50"), (quantile(0.99, "confab_store_batch_rows"), "p99")),
        lines("Queries p95", "s", "By what they do, and on what.",
              ("histogram_quantile(0.95, sum by (le, operation, table) (rate(db_query_duration_seconds_bucket{SEL}[RATE])))", "{{operation}} {{table}}")),
        lines("Connections to the store", "none", "Open, and in use.",
              ("sum(db_connections_open{SEL})", "open"), ("sum(db_connections_in_use{SEL})", "in use")),
        lines("Trouble with the store", "ops", "Calls that failed, and runs of posts whose answer was lost: they are settled when it answers again.",
              (per_second("confab_store_errors_total"), "errors"), (per_second("confab_store_unknown_total"), "answers lost")),
    ]),
    ("Actors", [
        lines("Inbox depth", "none", "Messages found waiting at once, by the actor of its kind that had most. Hundreds that stay: it cannot keep up.",
              ("max by (actor) (confab_actor_inbox_depth{SEL})", "{{actor}}")),
        lines("Messages handled", "ops", "By kind of actor.", (per_second("confab_actor_messages_total", "actor"), "{{actor}}"), stacked=True),
        lines("Kept while actors wait", "bytes", "Of messages that came while an actor waited for the database; refused beyond 64 MiB.",
              ("sum by (actor) (confab_actor_kept_bytes{SEL})", "{{actor}}")),
        lines("Requests for the store wait", "s", "How long a message waited for its actor's connection, on average.",
              ("sum by (actor) (rate(confab_actor_waited_seconds_total{SEL}[RATE])) / (sum by (actor) (rate(confab_actor_waited_total{SEL}[RATE])) > 0)",
               "{{actor}}"), bad=0.1),
        lines("What must not be", "none", "Messages of our own that were lost or unreadable, actors and rooms put into quarantine. Any of it: report it.",
              ("sum(confab_actor_quarantined{SEL})", "actors in quarantine"), ("sum(increase(confab_rooms_quarantined_total{SEL}[RATE]))", "rooms put away"),
              ("sum(increase(confab_actor_malformed_total{SEL}[RATE]))", "malformed"), ("sum(increase(confab_link_undeliverable_total{SEL}[RATE]))", "undeliverable"),
              ("sum(increase(confab_log_dropped{SEL}[RATE]))", "log lines dropped"), bad=1),
        lines("Spans for the collector", "ops", "By what became of them, where trace.url names a collector; all but sent are lost.",
              (per_second("confab_trace_spans_total", "result"), "{{result}}")),
        lines("Rooms in memory", "none", "Awake and resting, by server.", (each("confab_rooms_active"), "{{instance}}"), stacked=True),
    ]),
    ("The bot", [
        lines("Breaker", "none", "The quote service is asked: 0 yes, 1 not for now, 2 once, to see how it is.", ("max by (instance) (confab_quote_breaker_state{SEL})", "{{instance}}"), bad=1),
        lines("Answers", "ops", "To commands, by what came of them.", (per_second("confab_bot_answers_total", "result"), "{{result}}"),
              (per_second("confab_quote_cache_hits_total"), "from memory")),
        lines("Dead letters", "ops", "Commands that could not be carried out and were stored: `confab dead-letters`. Lost: could not be stored either.",
              (per_second("confab_dead_letters_total"), "stored"), (per_second("confab_dead_letters_lost_total"), "lost"),
              (per_second("confab_dead_letters_replayed_total", "result"), "run again: {{result}}")),
    ]),
    ("Nodes", [
        lines("Links", "none", "Other nodes that each has heard of in the last three seconds: one less than there are, on every one.",
              (each("confab_mesh_links"), "{{instance}}")),
        lines("To other nodes", "Bps", "Of messages, without heads of frames.", (per_second("confab_mesh_bytes_total", "instance"), "{{instance}}")),
        lines("Not confirmed by other nodes", "bytes", "On the way. A node that stays over mesh.queue_max_bytes is given up.",
              (each("confab_mesh_queue_bytes"), "{{instance}}")),
        lines("Nodes and keys refused, nodes given up", "none", "A key that is not in mesh.allowed_keys; a node that was over its bound or spoke nonsense.",
              ("sum(increase(confab_mesh_refused_total{SEL}[RATE]))", "refused"), ("sum(increase(confab_mesh_cut_off_total{SEL}[RATE]))", "given up"),
              ("sum(increase(confab_mesh_malformed_total{SEL}[RATE]))", "malformed frames"), ("sum(increase(confab_mesh_sent_again_total{SEL}[RATE]))", "sent again")),
        lines("Rooms open and retire", "ops", "A node that goes makes the others open its rooms.",
              (per_second("confab_rooms_opened_total"), "opened"), (per_second("confab_rooms_retired_total"), "retired"),
              (per_second("confab_posts_sent_again_total"), "posts sent again for a dead node")),
        lines("Version", "none", "Of each server; more than one while an update is under way.",
              ("count by (version) (confab_build_info{SEL})", "{{version}}"), stacked=True),
    ]),
    ("Processes", [
        lines("Processors", "none", "In use, by server.", ("rate(process_cpu_seconds_total{SEL}[RATE])", "{{instance}}")),
        lines("Memory", "bytes", "Resident. The container's limit is what kills it; `confab memory` says what the settings allow in the worst case.", (each("process_resident_memory_bytes"), "{{instance}}")),
        lines("Descriptors", "percentunit", "Open, of those there may be.", ("process_open_fds{SEL} / process_max_fds{SEL}", "{{instance}}"), bad=0.8),
        lines("Memory for requests", "bytes", "Posts and commands that are not answered, big requests, messages that have begun: each has a bound of its own.",
              ("sum(confab_gateway_pool_bytes{SEL})", "posts"), ("sum(confab_gateway_command_bytes{SEL})", "commands"),
              ("sum(confab_http_request_bytes{SEL})", "requests"), ("sum(confab_ws_message_bytes{SEL})", "half messages")),
        lines("Certificate expires in", "s", "TLS of this server itself, not of a proxy in front.",
              ("confab_tls_certificate_expiry_timestamp_seconds{SEL} - time()", "{{instance}}")),
        lines("Up since", "s", "A line that falls is a restart.", ("time() - process_start_time_seconds{SEL}", "{{instance}}")),
    ]),
]


def written(expression):
    return expression.replace("SEL", 'job=~"$job",instance=~"$instance"').replace("RATE", "$__rate_interval")


def steps(panel):
    good = {"color": "green", "value": None}
    if panel.get("bad") is None:
        return [good]
    if panel.get("low_is_bad"):
        return [{"color": "red", "value": None}, {"color": "green", "value": panel["bad"]}]
    return [good, {"color": "red", "value": panel["bad"]}]


def custom(panel):
    if panel["kind"] != "timeseries":
        return {}
    return {"lineWidth": 1, "fillOpacity": 20 if panel["stacked"] else 0, "showPoints": "never",
            "stacking": {"mode": "normal" if panel["stacked"] else "none"},
            "thresholdsStyle": {"mode": "off" if panel["bad"] is None else "line"}}


OPTIONS = {
    "stat": {"reduceOptions": {"calcs": ["lastNotNull"]}, "graphMode": "area", "colorMode": "value"},
    "timeseries": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}},
    "heatmap": {"calculate": False, "yAxis": {"unit": "s"}, "color": {"scheme": "Oranges", "mode": "scheme"}, "cellGap": 1},
}


def drawn(panel, number, place):
    heat = {"format": "heatmap"} if panel["kind"] == "heatmap" else {}
    return {
        "id": number, "type": panel["kind"], "title": panel["title"], "description": panel["about"], "datasource": SOURCE, "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel["unit"], "min": 0, "custom": custom(panel), "thresholds": {"mode": "absolute", "steps": steps(panel)}},
                        "overrides": []},
        "options": OPTIONS[panel["kind"]],
        "targets": [{"refId": chr(ord("A") + i), "expr": written(expression), "legendFormat": legend, "datasource": SOURCE, **heat}
                    for i, (expression, legend) in enumerate(panel["series"])],
    }


def panels():
    """A row's title, then its panels, three or six beside each other."""
    made, y = [], 0
    for title, row in ROWS:
        made.append({"id": len(made) + 1, "type": "row", "title": title, "collapsed": False, "panels": [],
                     "gridPos": {"x": 0, "y": y, "w": 24, "h": 1}})
        y += 1
        is_stats = row[0]["kind"] == "stat"
        width, height, beside = (STAT_WIDTH, STAT_HEIGHT, 6) if is_stats else (WIDTH, HEIGHT, IN_ROW)
        for i, panel in enumerate(row):
            place = {"x": i % beside * width, "y": y + i // beside * height, "w": width, "h": height}
            made.append(drawn(panel, len(made) + 1, place))
        y += -(-len(row) // beside) * height
    return made


def query_variable(name, label, query, **more):
    return {"name": name, "label": label, "type": "query", "datasource": SOURCE, "query": query, "refresh": 2, "sort": 1, **more}


def board():
    every = {"multi": True, "includeAll": True, "allValue": ".*", "current": {"text": "All", "value": "$__all"}}
    return {
        "uid": "confab", "title": "confab", "tags": ["confab"], "schemaVersion": 39, "editable": True, "graphTooltip": 1,
        "time": {"from": "now-1h", "to": "now"}, "refresh": "30s", "timezone": "",
        "templating": {"list": [
            {"name": "datasource", "label": "Source", "type": "datasource", "query": "prometheus"},
            # "All" of it are these and no other, as the others' `up` is no matter of this board
            query_variable("job", "Job", "label_values(confab_build_info, job)", **{**every, "allValue": None}),
            query_variable("instance", "Server", 'label_values(confab_build_info{job=~"$job"}, instance)', **every),
        ]},
        "annotations": {"list": [{"name": "restarts", "enable": True, "iconColor": "orange", "datasource": SOURCE,
                                  "expr": written("changes(process_start_time_seconds{SEL}[RATE]) > 0"), "titleFormat": "{{instance}} was started"}]},
        "panels": panels(),
    }


def main():
    text = json.dumps(board(), indent=1) + "\n"
    if sys.argv[1:] == ["--check"]:
        current = BOARD.exists() and BOARD.read_text(encoding="utf-8") == text
        print("current" if current else f"{BOARD.name} is not what board.py makes; run docker/grafana/board.py")
        return 0 if current else 1
    BOARD.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
