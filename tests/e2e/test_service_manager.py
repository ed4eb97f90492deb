"""What is told to the service manager that started the server, by the protocol of sd_notify(3). A test plays the manager, on
a real socket; tests/package has systemd itself."""

import contextlib
import ctypes
import os
import pathlib
import signal
import socket
import threading
import time

import pytest

import server as servers

WATCHDOG_US = 600_000  # looked at every 200 ms
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000  # of Linux; waitpid's __WALL


class Manager:
    """All it was told, as dicts of one message each, in order."""

    def __init__(self, folder):
        self.path = folder / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.heard = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        while message := self.socket.recv(4096).decode():
            self.heard.append(dict(line.split("=", 1) for line in message.splitlines()))

    def close(self):
        """Its own empty message ends its reader."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"", str(self.path))
        self._reader.join()
        self.socket.close()

    def told(self, name):
        return [message for message in list(self.heard) if name in message]

    def until(self, name, times=1):
        servers.until(lambda: len(self.told(name)) >= times, f"the manager to hear {name} {times} times: {self.heard}")
        return self.told(name)

    def order(self):
        return [name for message in list(self.heard) for name in message if name in ("READY", "RELOADING", "STOPPING")]


@pytest.fixture
def manager(tmp_path):
    made = Manager(tmp_path)
    yield made
    made.close()


@pytest.fixture
def managed(make_server, manager):
    return make_server({"NOTIFY_SOCKET": str(manager.path)})


@pytest.mark.over_tls_too
def test_ready_when_it_serves_then_reloaded_then_stopping(managed, manager, store_kind):
    managed.start()
    manager.until("READY")
    for turn in (1, 2):
        managed.signal(signal.SIGHUP)
        manager.until("READY", 1 + turn)
        assert int(manager.told("RELOADING")[-1]["MONOTONIC_USEC"]) > 0
    managed.signal(signal.SIGTERM)
    assert managed.wait_exit() == 0
    assert manager.order() == ["READY", *["RELOADING", "READY"] * 2, "STOPPING"]
    assert int(manager.told("STOPPING")[0]["EXTEND_TIMEOUT_USEC"]) > 30_000_000, "more than shutdown.timeout"
    assert manager.told("WATCHDOG") == []


@pytest.mark.only_store("sqlite")
def test_without_its_store_it_is_not_ready_and_asks_for_time(make_server, manager, store, store_kind):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connects, as the kernel does that, and says nothing
        store.url = f"postgres://nobody@127.0.0.1:{silent.getsockname()[1]}/nothing"
        server = make_server({"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": str(WATCHDOG_US)})
        server.allow_errors("^cannot open the store$")
        server.listen()
        manager.until("EXTEND_TIMEOUT_USEC", 2)
        server.signal(signal.SIGHUP)
        manager.until("EXTEND_TIMEOUT_USEC", 4)
        assert manager.order() == []
        server.signal(signal.SIGTERM)
        assert server.wait_exit() == 0
    assert manager.order() == ["STOPPING"]


def test_the_watchdog_hears_of_a_live_server(make_server, manager, store_kind):
    server = make_server({"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": str(WATCHDOG_US)}).start()
    manager.until("READY")
    manager.until("WATCHDOG", 3)
    server.signal(signal.SIGTERM)
    assert server.wait_exit() == 0


@contextlib.contextmanager
def frozen_thread(server, name):
    """Stops this thread of the server, as a call that does not return would; the others go on."""
    (thread,) = [int(task.name) for task in pathlib.Path(f"/proc/{server.pid}/task").iterdir()
                 if task.joinpath("comm").read_text().strip() == name]
    libc = ctypes.CDLL(None, use_errno=True)
    for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
        assert libc.ptrace(request, thread, None, None) == 0, os.strerror(ctypes.get_errno())
    os.waitpid(thread, WALL)
    yield
    assert libc.ptrace(PTRACE_DETACH, thread, None, None) == 0, os.strerror(ctypes.get_errno())


def test_the_watchdog_hears_nothing_while_an_actor_does_not_answer(make_server, manager, store_kind):
    server = make_server({"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": str(WATCHDOG_US)}).start()
    server.allow_errors("^an actor does not answer$")
    with frozen_thread(server, "sweeper-0"):
        servers.until(lambda: server.client().raw("GET", "/livez")[0] == 503, "it to be no longer live")
        seen = len(manager.told("WATCHDOG")) + 1  # one may be on its way
        patience = time.monotonic() + 3 * WATCHDOG_US / 1e6
        servers.until(lambda: time.monotonic() > patience, "the manager's patience to end")
        assert len(manager.told("WATCHDOG")) <= seen
    manager.until("WATCHDOG", seen + 3)


def test_a_socket_that_is_none_is_said_in_the_log_and_no_obstacle(make_server, store_kind):
    server = make_server({"NOTIFY_SOCKET": "no/path"}).start()
    assert server.wait_log(lambda entry: entry.get("msg") == "cannot tell the service manager anything")
