"""A Prometheus of Debian's package on a free port of loopback, which scrapes every second and reads docs/alerts.yml, by the
configuration that stands in docker/prometheus."""

import json
import re
import subprocess
import urllib.parse
import urllib.request

import yaml

import server as servers
from ports import free_port

CONFIG = servers.ROOT / "docker/prometheus/prometheus.yml"
RULES = servers.ROOT / "docs/alerts.yml"
SINCE_S = 8  # of scrapes that rates are taken over


class Prometheus:
    def __init__(self, folder, *watched):
        config = yaml.safe_load(CONFIG.read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(RULES)]
        assert len(config["scrape_configs"]) == 1
        config["scrape_configs"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{int(port)}" for port in watched]}]
        folder.mkdir()
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self.port = free_port()
        self.log = (folder / "log").open("wb")
        self.process = subprocess.Popen(["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
                                         f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"],
                                        stdout=self.log, stderr=self.log)

    def close(self):
        self.process.terminate()
        self.process.wait(servers.LIMIT_S)
        self.log.close()

    def ask(self, path, **query):
        """What the API answers; None: it does not serve yet."""
        address = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(address, timeout=servers.LIMIT_S) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as refusal:
            if refusal.code == 503:
                return None
            raise AssertionError(f"{query}: {refusal.read().decode(errors='replace')}") from refusal
        except urllib.error.URLError:
            assert self.process.poll() is None, "it has ended"
            return None

    def query(self, expression):
        """Of an expression as it stands in a board: the series it gives now."""
        written = re.sub(r"\$__rate_interval", f"{SINCE_S}s", expression.replace("$job", ".*").replace("$instance", ".*"))
        answer = self.ask("query", query=written)
        return answer and answer["result"]
