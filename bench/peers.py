"""The servers beside which confab is measured: each from a package, at its best configuration, with the files of
bench/peers. One that is not installed is left out with a word."""

import dataclasses
import getpass
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import time

import serving

HERE = serving.ROOT / "bench" / "peers"
NCHAN = pathlib.Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
READY_S = 30
TIDY_S = 20


def raise_files():
    """As many descriptors as may be, in the child."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def listener():
    """nchan leaves Nagle's algorithm on, which costs 40 ms where a member both reads and writes; what is accepted
    has this option from the socket that listens."""
    one = socket.socket()
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    one.setblocking(False)
    one.bind(("127.0.0.1", 0))
    one.listen(4096)
    return one


def where(program):
    """Also where a user's PATH does not lead."""
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")


def output_of(*command):
    ended = subprocess.run(command, check=False, capture_output=True, text=True, cwd=HERE)
    return ended.stdout + ended.stderr


@dataclasses.dataclass(frozen=True)
class Peer:
    """key: its name on the command line; program and needs: what must be there; arguments: of the program, with the words of its configuration file;
    dialect and path: options of bench/load."""
    key: str
    name: str
    program: str
    arguments: tuple
    dialect: str
    version_of: tuple  # a command that prints it
    needs: tuple = ()
    config: str = ""
    path: str = ""
    inherits: str = ""  # the variable that tells it the descriptor of a listening socket of ours

    def missing(self):
        """What is not installed; None: all is there."""
        if not where(self.program):
            return self.program
        return next((str(path) for path in self.needs if not path.exists()), None)

    def version(self):
        found = re.search(r"\d+\.\d+\.\d+", output_of(where(self.version_of[0]), *self.version_of[1:]))
        return found[0] if found else "unknown"

    def load(self):
        return ["--dialect", self.dialect] + (["--path", self.path] if self.path else [])


NODE_MODULES = HERE / "node_modules"


def node_peer(key, name, script, package, dialect, **more):
    return Peer(key, name, "node", (str(HERE / script), "@PORT@"), dialect,
                ("node", "-p", f"require('./node_modules/{package}/package.json').version"),
                (NODE_MODULES / package,), **more)


PEERS = (
    Peer("nchan", "nginx + nchan", "nginx", ("-p", "@FOLDER@", "-e", "stderr", "-c", "@CONFIG@"), "plain", ("nginx", "-v"), (NCHAN,),
         "nginx.conf", "/rooms/%s", "NGINX"),
    Peer("mosquitto", "mosquitto", "mosquitto", ("-c", "@CONFIG@"), "mqtt", ("mosquitto", "-h"), (), "mosquitto.conf"),
    Peer("nats", "nats-server", "nats-server", ("-c", "@CONFIG@"), "nats", ("nats-server", "-v"), (), "nats.conf"),
    node_peer("ws", "Node ws", "ws.js", "ws", "plain", path="/rooms/%s"),
    node_peer("socketio", "Socket.IO", "socketio.js", "socket.io", "socketio"),
)


class Running:
    """A peer that serves."""

    def __init__(self, options, peer, folder):
        inherited = listener() if peer.inherits else None
        port = inherited.getsockname()[1] if inherited else free_port()
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        words = {"PORT": port, "OTHER_PORT": free_port(), "FOLDER": folder, "USER": getpass.getuser(), "MODULE": NCHAN,
                 "FILES": files, "SLOTS": files + files // 8, "CONFIG": folder / peer.config}

        def fill(text):
            for word, value in words.items():
                text = text.replace(f"@{word}@", str(value))
            return text

        if peer.config:
            (folder / peer.config).write_text(fill((HERE / peer.config).read_text()))
        self.url = f"http://127.0.0.1:{port}"
        command = [where(peer.program), *(fill(argument) for argument in peer.arguments)]
        self.output = open(folder / "output", "w+", encoding="utf-8")
        self.process = subprocess.Popen(serving.pinned(options, True, command), stdin=subprocess.DEVNULL, cwd=HERE,
                                        stdout=self.output, stderr=subprocess.STDOUT, preexec_fn=raise_files,
                                        pass_fds=[inherited.fileno()] if inherited else [],
                                        env=os.environ | ({peer.inherits: f"{inherited.fileno()};"} if inherited else {}))
        if inherited:
            inherited.close()
        self._wait_for(port)

    @property
    def pid(self):
        return self.process.pid

    def _wait_for(self, port):
        deadline = time.monotonic() + READY_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise serving.Failed(f"does not start: {self.said()}") from None
                time.sleep(0.05)

    def said(self):
        self.output.seek(0)
        return self.output.read()[-2000:]

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(TIDY_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def measure(options, folder, peer, targets, seconds, load):
    """One run of the load generator against this peer; its report."""
    folder = folder / peer.key
    folder.mkdir()
    running = Running(options, peer, folder)
    try:
        return serving.generate(options, folder, peer.name, running, targets, seconds, load, *peer.load())
    finally:
        running.stop()
