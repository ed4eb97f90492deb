"""What operators watch with: the board for Grafana and the alerts, held to two servers that a real Prometheus scrapes while
people chat."""

import json
import re
import subprocess
import sys

import pytest
import yaml

import server as servers
import ws
from nodes import LINKS, await_metric, keys  # noqa: F401 (fixture)
from prometheus import CONFIG, RULES, Prometheus
from test_mesh import make_node  # noqa: F401 (fixture)
from test_socket import ann, bob, room  # noqa: F401

BOARD = servers.ROOT / "docker/grafana/confab.json"
# Of these panels a healthy chat without TLS has nothing to show: nobody waited, no certificate.
MAY_BE_EMPTY = {"Requests for the store wait", "Certificate expires in"}


def panels():
    return [panel for panel in json.loads(BOARD.read_text())["panels"] if panel["type"] != "row"]


def figures(expression):
    """Names of metrics in an expression: words that are no functions, labels, or variables."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^]]*\]|\bby \([^)]*\)', "", expression)
    return {name for name in re.findall(r"\b[a-z]\w*_\w+\b", bare) if name not in ("histogram_quantile", "min_over_time", "max_over_time")}


@pytest.fixture
def chat(store_kind, make_node):  # noqa: F811
    """Two servers, a room with one person on each, who have talked."""
    pair = [make_node(i, allowed=range(2)).start() for i in range(2)]
    for node in pair:
        await_metric(node, LINKS, 1)
    ann, bob = pair[0].user("ann"), pair[1].user("bob")
    room = ann.create_room("watched")
    bob.join(room)
    here, there = ws.Chat(ann, room), ws.Chat(bob, room)

    def talk():
        said = here.say("is anybody watching?")
        there.until("chat_message", id=said)
    talk()
    return pair, talk


@pytest.fixture
def watched(chat, tmp_path):
    pair, talk = chat
    made = Prometheus(tmp_path / "prometheus", *(node.port for node in pair))
    try:
        yield made, talk
    finally:
        made.close()


def test_the_board_is_what_its_table_says():
    run = subprocess.run([sys.executable, BOARD.with_name("board.py"), "--check"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


def test_the_board_can_be_read():
    """Every panel has a place of its own, a unit, and words about what to make of it."""
    taken = set()
    for panel in json.loads(BOARD.read_text())["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert place["x"] + place["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells
    for panel in panels():
        assert panel["description"].endswith(".") or "`" in panel["description"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] and panel["targets"], panel["title"]
    titles = [panel["title"] for panel in panels()]
    assert len(titles) == len(set(titles)) > 40


ALERT_OF = {"Delivery p99": "ConfabDeliverySlow", "Until a post is delivered": "ConfabDeliverySlow", "Until a post is acknowledged": "ConfabAcksSlow",
            "Commits": "ConfabCommitsSlow", "Time in use of the writing connection": "ConfabWriterBusy",
            "Requests for the store wait": "ConfabWaitsForConnections"}


@pytest.mark.parametrize("title", ALERT_OF)
def test_the_board_is_red_where_its_alert_goes_off(title):
    (panel,) = [panel for panel in panels() if panel["title"] == title]
    red = panel["fieldConfig"]["defaults"]["thresholds"]["steps"][-1]
    assert red["color"] == "red" and float(alerts()[ALERT_OF[title]]["expr"].rpartition(" > ")[2]) == red["value"]


@pytest.mark.parametrize("title", ["Servers ready", "Store"])
def test_the_board_is_green_only_when_all_servers_are_well(title, tmp_path):
    """Two servers; then one of them is not ready, without its store; then it is gone, and with it what it said of itself."""
    (panel,) = [panel for panel in panels() if panel["title"] == title]
    steps = [(step["color"], step["value"]) for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]
    assert steps == [("red", None), ("green", 1)]
    (target,) = panel["targets"]
    series = {f'{name}{{instance="{instance}"}}': values for instance, values in (("one", "1x40"), ("two", "1x9 0x9 stale _x20"))
              for name in ("confab_ready", "confab_store_up")} | {"up": "1x40", 'up{instance="two"}': "1x19 0x20"}
    expected = {5: 1, 15: 0.5, 30: 0.5 if title == "Servers ready" else 1}
    expression = target["expr"].replace("$job", "confab").replace("$instance", ".*")
    promtool(tmp_path, {"interval": "1m", "input_series": [{"series": labelled(name), "values": values} for name, values in series.items()],
                        "promql_expr_test": [{"expr": expression, "eval_time": f"{minute}m", "exp_samples": [{"labels": "{}", "value": value}]}
                                             for minute, value in expected.items()]})


@pytest.mark.only_store("postgres")
def test_every_panel_shows_something(watched):
    prometheus, talk = watched
    def has_data(panel):
        talk()
        return all(prometheus.query(target["expr"]) for target in panel["targets"])
    servers.until(lambda: prometheus.query('count(up{job="confab"} == 1) == 2'), "both to be scraped")
    exported = set(prometheus.ask("label/__name__/values"))
    for panel in panels():
        if panel["title"] in MAY_BE_EMPTY:
            for target in panel["targets"]:
                prometheus.query(target["expr"])
                assert figures(target["expr"]) - {"confab_tls_certificate_expiry_timestamp_seconds"} <= exported, panel["title"]
        else:
            servers.until(lambda one=panel: has_data(one), panel["title"])


@pytest.mark.only_store("postgres")
def test_alerts_can_be_reckoned_and_none_goes_off_in_a_healthy_chat(watched):
    prometheus, talk = watched
    rules = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]

    def reckoned():
        talk()
        answer = prometheus.ask("rules")
        found = [rule for group in answer["groups"] for rule in group["rules"]] if answer else []
        return len(found) == len(rules) and all(rule["health"] != "unknown" for rule in found) and found
    found = servers.until(reckoned, "all alerts to be reckoned")
    assert [rule["lastError"] for rule in found if rule["health"] != "ok"] == []
    servers.until(lambda: prometheus.query('count(up{job="confab"} == 1) == 2'), "both to be scraped")
    talk()
    assert [rule["name"] for rule in servers.until(reckoned, "them again") if rule["state"] == "firing"] == []


def test_configuration_and_rules_are_good_by_promtools_own_check():
    for words in (["rules", RULES], ["config", "--syntax-only", CONFIG]):
        run = subprocess.run(["promtool", "check", *words], capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stdout + run.stderr


SEVERAL = {'confab_build_info{version="1"}': "1x60", 'confab_build_info{version="1",instance="other"}': "1x60"}
# alert: what makes it go off when it lasts, and what does not, as promtool writes series, a value a minute; their other labels are added
NOISE = {
    "ConfabNotWatched": ({"up": "1x5 _x60"}, {"up": "0x60"}),
    "ConfabNotLive": ({"confab_live": "0x60"}, {"confab_live": "1x60"}),
    "ConfabAcksSlow": ({'confab_post_ack_seconds_bucket{le="1"}': "0+50x60", 'confab_post_ack_seconds_bucket{le="2.5"}': "0+60x60",
                        'confab_post_ack_seconds_bucket{le="+Inf"}': "0+60x60"},
                       {'confab_post_ack_seconds_bucket{le="1"}': "0+600x60", 'confab_post_ack_seconds_bucket{le="2.5"}': "0+601x60",
                        'confab_post_ack_seconds_bucket{le="+Inf"}': "0+601x60"}),
    "ConfabLoginsWait": ({"confab_password_hash_waiting": "820x60"}, {"confab_password_hash_waiting": "819x60"}),
    "ConfabReplicaAway": ({'confab_replica_pages_total{result="away"}': "0+1x60"}, {'confab_replica_pages_total{result="away"}': "3x60"}),
    "ConfabMemoryNearLimit": ({"process_resident_memory_bytes": "1800000000x60"}, {"process_resident_memory_bytes": "1600000000x60"}),
    "ConfabLimiterForgets": ({"confab_limiter_evicted_total": "0+1x60"}, {"confab_limiter_evicted_total": "5x60"}),
    # servers without a mesh hear nobody, and never have
    "ConfabMeshParted": ({**SEVERAL, "confab_mesh_links": "1x10 0x49", 'confab_mesh_links{instance="other"}': "1x10 0x49"},
                         {**SEVERAL, "confab_mesh_links": "0x60", 'confab_mesh_links{instance="other"}': "0x60"}),
    "ConfabDown": ({"up": "0x60"}, {"up": "1x60"}),
    "ConfabNotReady": ({"confab_ready": "0x60"}, {"confab_ready": "1x20 0 1x39"}),
    "ConfabRestarts": ({"process_start_time_seconds": "1x50 2 3 4 5 6 6 6 6 6 6"}, {"process_start_time_seconds": "1x50 2x10"}),
    "ConfabQuarantined": ({"confab_actor_quarantined": "0x50 1x10"}, {"confab_actor_quarantined": "0x60"}),
    "ConfabMessagesLost": ({"confab_rooms_quarantined_total": "0x55 1x5"}, {"confab_rooms_quarantined_total": "7x60"}),
    "ConfabVersionsDiffer": ({'confab_build_info{version="1"}': "1x120", 'confab_build_info{version="2"}': "1x120"}, {'confab_build_info{version="1"}': "1x60"}),
    "ConfabLogLinesDropped": ({"confab_log_dropped": "0x55 9x5"}, {"confab_log_dropped": "9x60"}),
    "ConfabPostsNotConfirmed": ({"confab_posts_unconfirmed_total": "0+1x60"}, {"confab_posts_unconfirmed_total": "3x60"}),
    "ConfabDeliverySlow": ({'confab_delivery_seconds_bucket{le="0.5"}': "0+50x60", 'confab_delivery_seconds_bucket{le="1"}': "0+60x60",
                            'confab_delivery_seconds_bucket{le="+Inf"}': "0+60x60"},
                           {'confab_delivery_seconds_bucket{le="0.5"}': "0+600x60", 'confab_delivery_seconds_bucket{le="1"}': "0+601x60",
                            'confab_delivery_seconds_bucket{le="+Inf"}': "0+601x60"}),
    "ConfabSlowClients": ({"confab_closed_slow_total": "0+10x60", "websocket_connections_active": "1000x60"},
                          {"confab_closed_slow_total": "0+4x60", "websocket_connections_active": "1000x60"}),
    "ConfabConnectionsRefused": ({"confab_connections_refused_total": "0+120x60"}, {"confab_connections_refused_total": "0+30x60"}),
    "ConfabLimitsRefuse": ({'confab_limit_refused_total{kind="posts"}': "0+1200x60"}, {'confab_limit_refused_total{kind="posts"}': "0+60x60"}),
    "ConfabLoginsRefused": ({"confab_logins_failed_total": "0+600x60", "confab_logins_total": "0+6x60"},
                            {"confab_logins_failed_total": "0+600x60", "confab_logins_total": "0+600x60"}),
    "ConfabStoreDown": ({"confab_store_up": "0x60", "confab_ready": "0x60"}, {"confab_store_up": "0x60", "confab_ready": "1x60"}),
    "ConfabStoreErrors": ({"confab_store_errors_total": "0+1x60"}, {"confab_store_errors_total": "8x60"}),
    "ConfabCommitsSlow": ({'confab_store_commit_seconds_bucket{le="0.5"}': "0+50x60", 'confab_store_commit_seconds_bucket{le="1"}': "0+60x60",
                           'confab_store_commit_seconds_bucket{le="+Inf"}': "0+60x60"},
                          {'confab_store_commit_seconds_bucket{le="0.5"}': "0+600x60", 'confab_store_commit_seconds_bucket{le="1"}': "0+601x60",
                           'confab_store_commit_seconds_bucket{le="+Inf"}': "0+601x60"}),
    "ConfabWriterBusy": ({"confab_store_commit_seconds_sum": "0+54x60"}, {"confab_store_commit_seconds_sum": "0+30x60"}),
    "ConfabReadersBusy": ({'db_query_duration_seconds_sum{operation="select"}': "0+110x60", "db_connections_open": "3x60"},
                          {'db_query_duration_seconds_sum{operation="select"}': "0+60x60", "db_connections_open": "3x60"}),
    "ConfabWaitsForConnections": ({"confab_actor_waited_seconds_total": "0+12x60", "confab_actor_waited_total": "0+60x60"},
                                  {"confab_actor_waited_seconds_total": "0+3x60", "confab_actor_waited_total": "0+60x60"}),
    "ConfabQueriesSlow": ({'db_query_duration_seconds_bucket{le="0.1"}': "0+50x60", 'db_query_duration_seconds_bucket{le="1"}': "0+60x60",
                           'db_query_duration_seconds_bucket{le="+Inf"}': "0+60x60"},
                          {'db_query_duration_seconds_bucket{le="0.1"}': "0+600x60", 'db_query_duration_seconds_bucket{le="1"}': "0+601x60",
                           'db_query_duration_seconds_bucket{le="+Inf"}': "0+601x60"}),
    "ConfabPoolNearBound": ({"confab_gateway_pool_bytes": "60000000x60"}, {"confab_gateway_pool_bytes": "40000000x60"}),
    "ConfabKeptNearBound": ({"confab_store_unsettled_bytes": "14000000x60"}, {"confab_store_unsettled_bytes": "9000000x60"}),
    "ConfabRoomQueueNotEmpty": ({"confab_room_queue_bytes": "9x60"}, {"confab_room_queue_bytes": "9 9 0 9 9 9 0 9 9 0 0x50"}),
    "ConfabInboxDeep": ({'confab_actor_inbox_depth{actor="rooms"}': "2000x60"}, {'confab_actor_inbox_depth{actor="rooms"}': "2000x55 0 2000x4"}),
    "ConfabRoomLags": ({"confab_room_lag_events": "200x60"}, {"confab_room_lag_events": "200x55 0 200x4"}),
    "ConfabDescriptorsNearLimit": ({"process_open_fds": "900x60", "process_max_fds": "1024x60"}, {"process_open_fds": "700x60", "process_max_fds": "1024x60"}),
    "ConfabCertificateExpires": ({"confab_tls_certificate_expiry_timestamp_seconds": "1000000x120"},
                                 {"confab_tls_certificate_expiry_timestamp_seconds": "2000000x120"}),
    "ConfabCertificateRefused": ({"confab_tls_reloads_refused_total": "0x50 1x10"}, {"confab_tls_reloads_refused_total": "1x60"}),
    "ConfabNodeHearsFewer": ({"confab_mesh_links": "1x60", 'confab_mesh_links{instance="other"}': "2x60"},
                             {"confab_mesh_links": "2x60", 'confab_mesh_links{instance="other"}': "2x60"}),
    "ConfabNodeCutOff": ({"confab_mesh_cut_off_total": "0x57 1x3"}, {"confab_mesh_cut_off_total": "1x60"}),
    "ConfabNodeRefused": ({"confab_mesh_refused_total": "0+1x60"}, {"confab_mesh_refused_total": "4x60"}),
    "ConfabBotAway": ({"confab_bot_away_total": "0+1x60"}, {"confab_bot_away_total": "4x60"}),
    "ConfabQuotesUnavailable": ({"confab_quote_breaker_state": "1x60"}, {"confab_quote_breaker_state": "0x50 1 1 0x8"}),
    "ConfabDeadLetters": ({"confab_dead_letters_total": "0+1x60"}, {"confab_dead_letters_total": "90x55 95x5"}),
    "ConfabDeadLettersLost": ({"confab_dead_letters_lost_total": "0x57 1x3"}, {"confab_dead_letters_lost_total": "1x60"}),
    "ConfabSpansLost": ({'confab_trace_spans_total{result="failed"}': "0+1x60", 'confab_trace_spans_total{result="sent"}': "0x60",
                         'confab_trace_spans_total{result="limited"}': "0x60"},
                        {'confab_trace_spans_total{result="sent"}': "0+1x60", 'confab_trace_spans_total{result="limited"}': "0+1x60"}),
}


def alerts():
    return {rule["alert"]: rule for rule in yaml.safe_load(RULES.read_text())["groups"][0]["rules"]}


def labelled(series):
    """With the labels that a scrape adds, unless it has its own."""
    name, _, own = series.rstrip("}").partition("{")
    labels = {"job": "confab", "namespace": "chats", "release": "one", "instance": "one", **dict(re.findall(r'(\w+)="([^"]*)"', own))}
    return name + "{" + ",".join(f'{key}="{value}"' for key, value in labels.items()) + "}"


def promtool(folder, *tests):
    written = {"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": list(tests)}
    (folder / "test.yml").write_text(yaml.safe_dump(written))
    run = subprocess.run(["promtool", "test", "rules", folder / "test.yml"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def case(alert, series, goes_off):
    """One of promtool's tests: does it go off for somebody."""
    minutes = max(sum(int(part.partition("x")[2] or 0) + 1 for part in values.split()) - 1 for values in series.values())
    return {"interval": "1m", "input_series": [{"series": labelled(name), "values": values} for name, values in series.items()],
            "promql_expr_test": [{"expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) > bool 0', "eval_time": f"{minutes}m",
                                  "exp_samples": [{"labels": "{}", "value": 1}] if goes_off else []}]}


@pytest.mark.parametrize("alert", sorted(NOISE))
def test_it_goes_off_when_it_should_and_else_not(alert, tmp_path):
    sick, well = NOISE[alert]
    assert well.keys() <= sick.keys()
    promtool(tmp_path, case(alert, sick, True), case(alert, well, False))


THREE_AND_TWO = [("chats", "one", f"a{i}", "2x120", "1") for i in range(3)] + [("others", "one", f"b{i}", "1x120", "2") for i in range(2)] + \
    [("chats", "two", "c0", "0x120", "3")]


def chats(*nodes):
    """Series of nodes of several releases."""
    labels = [(f'namespace="{namespace}",release="{release}",instance="{instance}"', links, version)
              for namespace, release, instance, links, version in nodes]
    return {f"confab_mesh_links{{{of}}}": links for of, links, _ in labels} | \
        {f'confab_build_info{{version="{version}",{of}}}': "1x120" for of, _, version in labels}


@pytest.mark.parametrize("alert, sick", [
    ("ConfabNodeHearsFewer", ("others", "one", "b2", "0x120", "2")),
    ("ConfabMeshParted", ("others", "one", "b2", "_x120", "2")),
    ("ConfabVersionsDiffer", ("others", "one", "b2", "1x120", "1"))])
def test_it_looks_at_each_of_several_chats_alone(alert, sick, tmp_path):
    """Releases of one Prometheus: of three, two and one nodes, of different versions; then the second has one more, which is ill."""
    for_whom = {"expr": f'sum by (namespace, release) (ALERTS{{alertname="{alert}",alertstate="firing"}})', "eval_time": "120m",
                "exp_samples": [{"labels": '{namespace="others",release="one"}', "value": 1}]}
    promtool(tmp_path, case(alert, chats(*THREE_AND_TWO), False), {**case(alert, chats(*THREE_AND_TWO, sick), True), "promql_expr_test": [for_whom]})


def test_every_alert_asks_for_the_job():
    """So that whoever has several chats can put the release there, as the chart does."""
    for name, rule in alerts().items():
        asked = re.findall(r"\b(?:(?:confab|db|process|websocket)_\w+|up)\b(\{[^}]*\})?", rule["expr"])
        assert asked and all('job="confab"' in of for of in asked), name


def test_every_alert_is_tried_and_has_its_part_in_the_documentation():
    rules = alerts()
    assert sorted(rules) == sorted(NOISE)
    text = (servers.ROOT / "docs/operations.md").read_text()
    parts = dict(re.findall(r"^### (Confab\w+)\n\n(.+?)(?=^#)", text, re.M | re.S))
    assert sorted(parts) == sorted(rules), "a part for each, and none for another"
    for name, rule in rules.items():
        assert rule["annotations"]["runbook_url"] == f"docs/operations.md#{name.lower()}" and rule["annotations"]["summary"], name
        assert rule["labels"]["severity"] in ("critical", "warning") and re.fullmatch(r"\d+[mh]", rule["for"]), name
        assert len(parts[name]) > 80, name


def test_the_alert_on_memory_knows_the_limit_of_the_compose_files():
    bound = float(re.search(r"([0-9.]+) # bound: resources.limits.memory", RULES.read_text())[1])
    for name in ("compose.yaml", "compose.full.yaml"):
        services = yaml.safe_load((servers.ROOT / "docker" / name).read_text())["services"]
        limits = {service["mem_limit"] for service in services.values() if "confab" in service["image"]}
        assert limits == {"2g"} and bound == 2 * 2**30, name


def test_what_a_part_tells_to_look_at_exists(store_kind, server, ann, bob, room):  # noqa: F811
    """Settings, metrics and commands that are named there."""
    text = (servers.ROOT / "docs/operations.md").read_text()
    section = text[text.index("## Alerts and what to do"):text.index("## Pages of your own")]
    failures = section[section.index("## When something fails"):]
    headings = {re.sub(r"[^a-z0-9 -]", "", line.lower()).replace(" ", "-") for line in re.findall(r"^#+ (.+)$", text, re.M)}
    assert set(re.findall(r"\]\(#([^)]+)\)", failures)) <= headings and set(re.findall(r"\bConfab[A-Z]\w+", section)) <= set(alerts())
    sources = "".join(path.read_text() for folder in ("actors", "store") for path in (servers.ROOT / folder).glob("*.c"))
    said = re.findall(r"`msg: ([^`]+)`", failures)
    assert len(said) > 5 and [line for line in said if f'"{line}"' not in sources] == []
    reference = re.split(r"^## (\w+)$", (servers.ROOT / "docs/configuration.md").read_text(), flags=re.M)[1:]
    sections = dict(zip(reference[::2], reference[1::2]))
    settings = {f"{name}.{key}" for name, table in sections.items() for key in re.findall(r"^\| `(\w+)` ", table, re.M)}
    named = {name for name in re.findall(r"`([a-z]+\.[a-z_]+)`", section) if name.partition(".")[0] in sections}
    assert len(named) > 15 and named <= settings
    exported = server.scrape()
    for figure in set(re.findall(r"`((?:confab|db)_\w+)`", section)):
        assert f"\n{figure}" in exported, figure
