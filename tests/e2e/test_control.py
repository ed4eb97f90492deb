"""`confab ctl`: who gets in, what garbage does, and what it tells of rooms (docs/control.md)."""

import json
import os
import socket
import stat
import subprocess

import pytest

import server as servers
from server import until
from ws import Chat


def socket_of(server):
    return server.folder / "control.sock"


def ctl(server, *words, **extra):
    return server.command("ctl", *words, **extra)


def top(server, *words):
    run = ctl(server, "rooms", "top", *words)
    assert (run.returncode, run.stderr) == (0, "")
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_rooms_top_shows_the_busiest_first(store_kind, server):
    ann, bob = server.user("ann"), server.user("bob")
    rooms = [ann.create_room(name) for name in ("quiet", "full", "busy", "empty")]
    quiet, full, busy, empty = rooms
    assert top(server) == []
    for room in rooms:
        bob.join(room)
    chats = [Chat(ann, quiet), Chat(ann, full), Chat(bob, full), Chat(ann, busy)]
    for text in ("one", "two"):
        chats[3].say(text)

    def shown():
        listed = top(server)
        return listed if [entry["connections"] for entry in listed[:3]] == [2, 1, 1] else None

    listed = until(shown, "the connections to be there")
    assert [entry["room"] for entry in listed[:3]] == [full, busy, quiet]
    assert set(listed[0]) == {"room", "connections", "posts_last_minute", "posts"}
    assert listed[1]["posts"] == 2 and listed[1]["posts_last_minute"] <= 2
    assert all(entry["room"] in rooms for entry in listed)
    assert [entry["room"] for entry in top(server, "2")] == [full, busy]
    for chat in chats:
        chat.close()
    until(lambda: all(entry["connections"] == 0 for entry in top(server)), "everybody to be gone")


@pytest.mark.only_store("sqlite")
def test_wrong_usage_is_2_and_says_what_is_right(store_kind, server):
    for words in ((), ("rooms",), ("rooms", "bottom"), ("rooms", "top", "0"), ("rooms", "top", "101"),
                  ("rooms", "top", "x"), ("rooms", "top", "1", "2"), ("rooms", "top", "--config")):
        run = ctl(server, *words)
        assert run.returncode == 2 and "usage: confab ctl" in run.stderr and run.stdout == "", words
    assert ctl(server, "rooms", "top", "--set", "control.sockets=x").returncode == 78


@pytest.mark.only_store("sqlite")
def test_without_a_server_it_is_69(store_kind, make_server):
    server = make_server()
    run = ctl(server, "rooms", "top")
    assert run.returncode == 69 and "no server listens there" in run.stderr
    server.start()
    assert top(server) == []
    assert server.terminate() == 0
    assert not socket_of(server).exists()  # it takes it along
    assert ctl(server, "rooms", "top").returncode == 69


@pytest.mark.only_store("sqlite")
def test_a_socket_of_a_killed_server_is_replaced(store_kind, server):
    server.kill()
    assert socket_of(server).exists()
    assert ctl(server, "rooms", "top").returncode == 69
    server.start()
    assert top(server) == []


def test_a_second_server_does_not_take_the_socket(store_kind, make_server, server):
    second = make_server({"CONFAB_CONTROL_SOCKET": str(socket_of(server)), "CONFAB_STORE_URL": "sqlite:own.db"})
    second.allow_errors("another process has the control socket|cannot start")
    second.launch()
    assert second.wait_exit() == 69
    assert top(server) == []


@pytest.mark.only_store("postgres")
def test_servers_that_share_a_data_folder_all_start(store_kind, make_server, server):
    second = make_server({"CONFAB_NODE_DATA_DIR": str(server.folder)})
    second.allow_errors("another process has the control socket")
    second.start()
    assert second.wait_log(lambda line: line["msg"] == "serves without a control socket")
    second.user("ann").create_room()
    assert second.terminate() == 0
    assert top(server) == []  # the first one's is still there, and its own


@pytest.mark.only_store("sqlite")
def test_a_data_folder_with_a_long_name_does_without_a_socket(store_kind, make_server, tmp_path):
    folder = tmp_path / ("d" * 100)
    server = make_server({"CONFAB_NODE_DATA_DIR": str(folder)})
    server.allow_errors("the control socket's name is too long")
    assert server.command("check-config").returncode == 0
    server.start()
    assert server.wait_log(lambda line: line["msg"] == "serves without a control socket")
    run = ctl(server, "rooms", "top")
    assert run.returncode == 1 and "the name is too long" in run.stderr
    assert server.terminate() == 0


@pytest.mark.only_store("sqlite")
def test_there_is_no_socket_when_it_is_switched_off(store_kind, make_server, tmp_path):
    settings = tmp_path / "confab.yaml"
    settings.write_text('control:\n  socket: ""\n')
    server = make_server({"CONFAB_CONFIG": str(settings)}).start()
    assert not [entry for entry in server.folder.iterdir() if entry.is_socket() or "control" in entry.name]
    run = ctl(server, "rooms", "top")
    assert run.returncode == 69 and "control.socket is empty" in run.stderr
    assert server.terminate() == 0


@pytest.mark.only_store("sqlite")
def test_a_name_that_is_too_long_is_bad_configuration(store_kind, make_server):
    name = "/tmp/" + "x" * 103
    server = make_server({"CONFAB_CONTROL_SOCKET": name})
    run = server.command("check-config")
    assert run.returncode == 78 and "control.socket: '" + name + "' has more than 107 bytes" in run.stdout + run.stderr
    server.allow_errors("the control socket's name is too long|cannot start")
    server.launch()
    assert server.wait_exit() == 78


@pytest.mark.only_store("sqlite")
def test_only_the_servers_own_user_gets_in(store_kind, server):
    path = socket_of(server)
    found = path.stat()
    assert stat.S_ISSOCK(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o600 and found.st_uid == os.getuid()
    if os.getuid() != 0:
        pytest.skip("only root can become somebody else")
    for folder in [server.folder, *server.folder.parents]:  # so that it is the socket that refuses
        folder.chmod(folder.stat().st_mode | 0o011)
    script = ("import os, socket, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
              "s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
              "try: s.connect(sys.argv[1])\n"
              "except PermissionError: sys.exit(42)\n")
    assert subprocess.run(["/usr/bin/python3", "-c", script, str(path)], check=False,
                          timeout=servers.LIMIT_S).returncode == 42
    assert top(server) == []


@pytest.mark.only_store("sqlite")
def test_garbage_is_refused_and_counted_and_the_server_goes_on(store_kind, server):
    frames = [b"x", b"\0", b"\xff" * 64, b"GET / HTTP/1.1\r\n\r\n", os.urandom(1000), os.urandom(4096), bytes(5000)]
    for bytes_ in frames:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            client.settimeout(servers.LIMIT_S)
            client.connect(str(socket_of(server)))
            client.send(bytes_)
            answer = client.recv(65536)
            assert answer[:4] == b"\1\0\x06\x01"  # version 1, REFUSED
            assert client.recv(65536) == b""  # and closed
    until(lambda: server.metrics()["confab_control_refused_total"] == len(frames), "all of it to be counted")
    assert top(server) == []
    until(lambda: server.metrics()["confab_control_requests_total"] == len(frames) + 1, "the request to be counted")
    server.user("ann").create_room("all is well")
