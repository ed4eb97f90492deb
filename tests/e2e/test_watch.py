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
