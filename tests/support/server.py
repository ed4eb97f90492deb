"""Starts, stops, kills and freezes one confab server on a free port with a temporary folder, and
reads its log: every line must be JSON, none may be at level error unless the test says so."""

import json
import os
import pathlib
import re
import secrets
import signal
import socket
import subprocess
import threading
import time
import urllib.parse

import planted
import ports
import rest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BINARY = pathlib.Path(os.environ.get("CONFAB_BINARY", ROOT / "build/debug/confab"))
LOAD = pathlib.Path(os.environ.get("CONFAB_LOAD", BINARY.parent / "bench/load"))
LIMIT_S = float(os.environ.get("CONFAB_TEST_LIMIT", "60"))  # for any one thing to happen
CRASHED = 137  # exit status of a named crash point, as of kill -9

# Hashing is not what these tests are about, and they make many users.
QUICK = {"CONFAB_AUTH_ARGON2_MEMORY_KIB": "64", "CONFAB_AUTH_ARGON2_PASSES": "1"}

# Few users do much in most tests. The limits are there, and asked for, but far away; tests of limits set
# their own (tests/e2e/test_rates.py).
ROOMY = {"CONFAB_LIMITS_POSTS_PER_MINUTE": "1000000", "CONFAB_LIMITS_COMMANDS_PER_MINUTE": "1000000",
         "CONFAB_LIMITS_UPGRADES_PER_SECOND": "100000"}

# Nothing asks the world outside: at port 9 of this machine nobody answers.
ALONE = {"CONFAB_STOCK_URL": "http://127.0.0.1:9", "CONFAB_STOCK_ATTEMPTS": "1"}


def sanitizer(options):
    """Environment with these options for AddressSanitizer besides those of the whole run; a server built
    without it takes no notice."""
    return {"ASAN_OPTIONS": f"{os.environ.get('ASAN_OPTIONS', '')}:{options}"}


def built_with(library):
    """Is the server linked with this library, say "libtsan"?"""
    return f"{library}.so".encode() in BINARY.read_bytes()


class Server:
    """One confab process after the other on one port and one store."""

    def __init__(self, store, folder, env=None, wrap=(), certificate=None, host=None):
        self.store = store
        self.host = host  # hosts.Host that it runs on; None: this one, on loopback
        self.folder = pathlib.Path(folder)
        self.env = dict(env or {})
        self.certificate = certificate  # tls.Certificate: TLS is spoken with it
        self.wrap = list(wrap)  # command put before the binary, such as strace
        self.port = 0
        self.metrics_port = None  # of metrics.listen, where a test has set it
        self.process = None
        self.lines = []     # of all processes of this server, as dicts
        self.not_json = []  # what stderr had besides
        self.allowed_errors = []
        self._grew = threading.Condition()
        self._reader = None

    # -- life cycle

    def environment(self, extra=None):
        ours = {key: value for key, value in os.environ.items()
                if not key.startswith("CONFAB_") or key.startswith("CONFAB_TEST_")}
        return {**ours, **QUICK, **ROOMY, **ALONE,
                "CONFAB_HTTP_LISTEN": f"{self.address}:{self.port}",
                "CONFAB_NODE_DATA_DIR": str(self.folder),
                "CONFAB_STORE_URL": self.store.url,
                **(self.certificate.settings() if self.certificate else {}),
                **self.env, **(extra or {})}

    def program(self, words, extra):
        """The command line for these words of confab, and its environment."""
        return [str(BINARY), *words], self.environment(extra)

    def launch(self, **extra):
        """Starts a process and does not wait until it serves."""
        assert self.process is None, "is running already"
        planted.plant(urllib.parse.urlsplit(self.store.url).password)
        command, env = self.program(["serve"], extra)
        self.process = subprocess.Popen([*self.where, *self.wrap, *command], env=env,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, cwd=self.folder)
        self._first = len(self.lines)
        self._reader = threading.Thread(target=self._read_log, args=(self.process.stderr,), daemon=True)
        self._reader.start()
        return self

    def start(self, **extra):
        """Until it has its store."""
        self.launch(**extra)
        return self.wait_serving()

    def listen(self, **extra):
        """Until its port is open, its store there or not."""
        self.launch(**extra)
        line = self.wait_log(lambda entry: entry.get("msg") == "listening", since=self._first)
        assert line, f"does not listen: exit {self.process.poll()}, log {self.lines[self._first:][-20:]}"
        self.port = self._at(line["port"])
        return self

    def wait_serving(self):
        line = self.wait_log(lambda entry: entry.get("msg") == "serving", since=self._first)
        assert line, f"does not serve: exit {self.process.poll()}, log {self.lines[self._first:][-20:]} {self.not_json}"
        self.port = self._at(line["url"].rsplit(":", 1)[1].strip("/"))
        return self

    def wait_anew(self):
        """Until it serves in the next life of its process, perhaps on another port."""
        line = self.wait_log(lambda entry: entry.get("msg") == "begins anew", since=self._first)
        assert line, f"does not begin anew: exit {self.process.poll()}, log {self.lines[self._first:][-20:]}"
        self._first = self.lines.index(line)
        return self.wait_serving()

    def _at(self, number):
        if not self.host and not self.certificate:
            return int(number)
        port = ports.Port(number)  # of which socket.create_connection() knows nothing
        port.host = self.address
        port.tls = self.certificate.context() if self.certificate else None
        return port

    def command_line(self):
        """What any user of the machine can read of the process."""
        try:
            return pathlib.Path(f"/proc/{self.pid}/cmdline").read_bytes().decode()
        except (FileNotFoundError, IndexError):
            return ""  # ended just now

    @property
    def url(self):
        return f"{'https' if self.certificate else 'http'}://{self.address}:{self.port}"

    @property
    def urls(self):
        return [node.url for node in self.nodes]

    @property
    def nodes(self):
        """What several servers that are one chat are made of; see nodes.py."""
        return [self]

    @property
    def address(self):
        return self.host.address if self.host else ports.LOCAL

    @property
    def where(self):
        """Command that runs another on the server's host."""
        return self.host.enter if self.host else []

    @property
    def pid(self):
        """The server itself, also under a wrapping command."""
        if not self.wrap:
            return self.process.pid
        return int(pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()[0])

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        os.kill(self.pid, number)

    def wait_exit(self, limit=LIMIT_S):
        """The exit status; a process ended by signal n has -n."""
        status = self.process.wait(limit)
        self._reader.join(limit)
        self.process.stderr.close()
        self.process = None
        return status

    def kill(self):
        self.signal(signal.SIGKILL)
        return self.wait_exit()

    def terminate(self, limit=LIMIT_S):
        self.signal(signal.SIGTERM)
        return self.wait_exit(limit)

    def freeze(self):
        self.signal(signal.SIGSTOP)

    def thaw(self):
        self.signal(signal.SIGCONT)

    def close(self):
        """Ends whatever still runs; the test's result is decided elsewhere."""
        if self.process is not None:
            if self.is_running():
                try:
                    self.signal(signal.SIGCONT)
                    self.signal(signal.SIGKILL)
                except (ProcessLookupError, IndexError):
                    pass
            self.process.kill()
            self.wait_exit()

    # -- log

    def _read_log(self, stream):
        for raw in stream:
            with self._grew:
                try:
                    entry = json.loads(raw)
                    assert isinstance(entry, dict)
                    self.lines.append(entry)
                except (ValueError, AssertionError):
                    self.not_json.append(raw.decode("utf-8", "replace").rstrip("\n"))
                self._grew.notify_all()
        with self._grew:
            self._grew.notify_all()

    def wait_log(self, wanted, since=0, limit=LIMIT_S):
        """The first line for which wanted(line) holds; None when the process ended without one."""
        deadline = time.monotonic() + limit
        with self._grew:
            while True:
                for entry in self.lines[since:]:
                    if wanted(entry):
                        return entry
                since = len(self.lines)
                if not self._reader.is_alive() or time.monotonic() >= deadline:
                    return None
                self._grew.wait(0.2)

    def allow_errors(self, pattern):
        """Log lines at level error whose msg matches are what this test brings about."""
        self.allowed_errors.append(re.compile(pattern))

    def log_problems(self):
        wrong = [f"not JSON: {line}" for line in self.not_json]
        for line in [*self.not_json, *map(planted.all_text, self.lines)]:
            wrong += [f"a secret, {secret}, in the log: {line}" for secret in planted.found_in(line)]
        for entry in self.lines:
            if entry.get("level") == "error" and not any(p.search(entry.get("msg", "")) for p in self.allowed_errors):
                wrong.append(f"error: {entry}")
        return wrong

    # -- what a test asks of it

    def client(self, **kwargs):
        return rest.Client(self.port, **kwargs)

    def user(self, name, password="password123"):
        """A registered and logged-in user."""
        client = self.client()
        client.register(name, password)
        client.login(name, password)
        return client

    def scrape(self):
        """The text of /metrics."""
        status, headers, body = rest.Client(self.metrics_port or self.port).raw("GET", "/metrics")
        assert status == 200 and headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        return body.decode()

    def metrics(self):
        """name{labels} -> value"""
        return read_metrics(self.scrape())

    def command(self, *words, **extra):
        """Runs another command of the binary with this server's settings, on its host."""
        command, env = self.program(words, extra)
        return subprocess.run([*self.where, *command], env=env, cwd=self.folder, check=False, text=True, capture_output=True, timeout=LIMIT_S)

    def import_sessions(self, names):
        """Creates users with live sessions directly in the store; the server must not run (SQLite).
        Returns name -> token."""
        tokens = {name: planted.plant(secrets.token_urlsafe(32)) for name in names}
        path = self.folder / "sessions.txt"
        path.write_text("".join(f"{name} {token}\n" for name, token in tokens.items()))
        subprocess.run([str(BINARY), "user", "import", "--sessions", str(path)], env=self.environment(),
                       cwd=self.folder, check=True, stdout=subprocess.DEVNULL, timeout=LIMIT_S)
        path.unlink()
        return tokens


def read_metrics(text):
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def until(condition, what, limit=LIMIT_S):
    """Asks again and again until condition() is true; returns what it returned."""
    deadline = time.monotonic() + limit
    pause = threading.Event()
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < deadline, f"waited {limit} s for {what}"
        pause.wait(0.02)


def listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
