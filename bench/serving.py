"""Starting what is measured: confab with users, sessions and rooms, and the bare loop. Runs of bench/load
against it."""

import concurrent.futures
import contextlib
import http.client
import json
import os
import pathlib
import secrets
import signal
import ssl
import subprocess
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent
CPUS = sorted(os.sched_getaffinity(0))

# What bench/load asks of a few users is far beyond what one person may say, and over a few connections all of them join
# their rooms. The limits are still there, and asked for.
RAISED = {"limits.posts_per_minute": "1000000", "limits.api_per_second": "1000000", "limits.api_burst": "1000000"}
CALLERS = 8  # connections over which rooms are made and joined


class Failed(RuntimeError):
    """Something cannot be measured."""


@contextlib.contextmanager
def temporary_folder():
    with tempfile.TemporaryDirectory(prefix="confab-bench-") as text:
        yield pathlib.Path(text)


def pinned(options, first, command):
    """The command on the first processor (what serves) or the last (what loads it), where there are two."""
    if options.unpinned or len(CPUS) < 2:
        return command
    return ["taskset", "-c", str(CPUS[0] if first else CPUS[-1]), *command]


class Server:
    """A process that says on a line of its output where it serves."""

    def __init__(self, command, find_url, **kwargs):
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, text=True, **kwargs)
        stream = self.process.stderr or self.process.stdout
        self.url, self.other = None, []
        for line in stream:
            self.url = find_url(line)
            if self.url:
                break
            self.other.append(line)
        if not self.url:
            raise Failed(f"the server does not start: {''.join(self.other)}")
        threading.Thread(target=self._read_on, args=(stream,), daemon=True).start()

    def _read_on(self, stream):
        for line in stream:
            if '"level":"error"' in line:
                print("bench: the server says", line, end="", file=sys.stderr)

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


# ---- confab

def settings(folder, store_url=None, more=None):
    """Environment of a server with its data in this folder and all else but `more` at its default."""
    ours = {"http.listen": "127.0.0.1:0", "node.data_dir": str(folder),
            "store.url": store_url or f"sqlite:{folder}/confab.db", **(more or {})}
    shown = {key: "postgres" if value.startswith("postgres") else value for key, value in ours.items()
             if not key.endswith("_key") and not key.endswith("_keys")}
    print("settings: defaults but for", ", ".join(f"{key}={value}" for key, value in shown.items()), flush=True)
    off = [key for key, value in ours.items() if key.startswith("limits.") and value == "0" or key.startswith("gateway.credits")]
    if off:
        raise ValueError(f"{off}: what is measured has its limits, and its credits by default")
    variables = {"CONFAB_" + key.upper().replace(".", "_"): value for key, value in ours.items()}
    return {key: value for key, value in os.environ.items() if not key.startswith("CONFAB_")} | variables


def tls_settings(folder):
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                    str(key), "-out", str(cert), "-days", "1", "-subj", "/CN=localhost"], check=True, stderr=subprocess.DEVNULL)
    return {"http.tls_cert_file": str(cert), "http.tls_key_file": str(key)}


def import_users(options, folder, environment, count):
    """So many users with a session each, before the server starts; their tokens."""
    tokens = [secrets.token_urlsafe(32) for _ in range(count)]
    sessions = folder / "sessions"
    sessions.write_text("".join(f"load{i:06} {token}\n" for i, token in enumerate(tokens)))
    subprocess.run([str(options.build / "confab"), "user", "import", "--sessions", str(sessions)], env=environment,
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return tokens


def confab_url(line):
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry.get("url") if entry.get("msg") == "serving" else None


def start_confab(options, environment):
    """On the processor of what is measured."""
    return Server(pinned(options, True, [str(options.build / "confab"), "serve"]), confab_url, env=environment,
                  stderr=subprocess.PIPE)


def connect(url):
    host = url.split("//")[1]
    if url.startswith("https"):  # its certificate vouches for itself
        return http.client.HTTPSConnection(host, timeout=60, context=ssl._create_unverified_context())
    return http.client.HTTPConnection(host, timeout=60)


def post_all(url, calls):
    """POSTs (token, path, body) each; what was answered, in the same order."""
    def some(first):
        connection = connect(url)
        for i in range(first, len(calls), CALLERS):
            token, path, body = calls[i]
            connection.request("POST", "/api/v1" + path, body, {"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            data = answer.read()
            if answer.status not in (200, 201):
                raise Failed(f"{path}: {answer.status} {data!r}")
            answers[i] = json.loads(data)
        connection.close()
    answers = [None] * len(calls)
    with concurrent.futures.ThreadPoolExecutor(CALLERS) as callers:
        list(callers.map(some, range(CALLERS)))
    return answers


def join_all(url, tokens, rooms, ephemeral):
    """Makes so many rooms and joins client i to room i % rooms; (room, token) for each client."""
    body = json.dumps({"name": "bench", "ephemeral": ephemeral}).encode()
    made = [room["id"] for room in post_all(url, [(token, "/chatrooms", body) for token in tokens[:rooms]])]
    targets = [(made[i % rooms], token) for i, token in enumerate(tokens)]
    # who made a room is its member
    post_all(url, [(token, f"/chatrooms/{room}/join", b"") for room, token in targets[rooms:]])
    return targets


# ---- the bare loop

def start_ceiling(options, *flags):
    return Server(pinned(options, True, [str(options.build / "bench" / "ceiling_send"), *flags]),
                  lambda line: line.removeprefix("serving ").strip() if line.startswith("serving ") else None,
                  stdout=subprocess.PIPE)


# ---- load

def start_load(options, folder, name, server, targets, seconds, load, *flags):
    """Starts a run of the load generator with these of its options and flags; (process, where its report will be). Of
    several servers a target names by its number the one that it connects to."""
    path, report = folder / "targets", folder / f"{name}.json"
    path.write_text("".join(" ".join(map(str, target)) + "\n" for target in targets))
    command = [str(options.build / "bench" / "load"), "--targets", str(path), "--name", name, "--seconds", str(seconds),
               "--json", str(report), *flags]
    for one in server if isinstance(server, list) else [server]:
        command += ["--url", one.url, "--pid", str(one.pid)]
    for option, value in load.items():
        command += [f"--{option}", str(value)]
    return subprocess.Popen(pinned(options, False, command), stdout=sys.stderr), report


def finish_load(name, process, path):
    """Waits for a run of the load generator; its report."""
    status = process.wait()
    if not path.exists():
        raise Failed(f"{name}: the load generator ended with {status}")
    return json.loads(path.read_text())


def generate(options, folder, name, server, targets, seconds, load, *flags):
    """One run of the load generator: its report."""
    return finish_load(name, *start_load(options, folder, name, server, targets, seconds, load, *flags))
