"""The image runs: on a read-only root, as a user that nobody knows, with no rights; and people chat through it."""

import functools
import signal
import urllib.parse

import pytest

from container import DATA, Container
from fixtures import skip_reason_of_hosts
from hosts import all_hosts
from talking import members, talk
from ws import Closed


def test_two_users_chat(store_kind, container):
    one, two = members(container, container)
    talk(one, two)
    assert [message["content"] for message in one.client.history(one.room)] == ["are you there?", "I am"]


@pytest.mark.only_store("sqlite")
def test_it_needs_no_rights(store_kind, container):
    """What the other tests run under, as the kernel sees it."""
    status = container.status()
    assert status["Uid"] == [str(container.uid)] * 4 and status["Gid"] == ["0"] * 4 and status["Groups"] == []
    assert {status[kind][0] for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert status["NoNewPrivs"] == ["1"] and status["NSpid"][1:] == ["1"]
    assert "ro" in container.mount_options("/") and "rw" in container.mount_options(DATA)
    assert container.mount_options("/tmp") is None


@pytest.mark.only_store("sqlite")
def test_it_writes_to_its_volume_alone(store_kind, container):
    talk(*members(container, container))
    made = {path.name: path.stat() for path in container.folder.iterdir()}
    assert "confab.db" in made
    assert {(entry.st_uid, entry.st_mode & 0o077) for entry in made.values()} == {(container.uid, 0)}


@pytest.mark.only_store("postgres")
def test_on_postgresql_it_keeps_nothing(store_kind, make_container):
    """But the socket by which it is asked. The database is found by a name in /etc/hosts."""
    container = make_container()
    address = urllib.parse.urlsplit(container.store.url).hostname
    container.names(f"{address} database")
    container.store.url = container.store.url.replace(address, "database")
    container.start()
    talk(*members(container, container))
    assert {path.name for path in container.folder.iterdir()} == {"control.sock", "control.sock.lock"}


def test_sigterm_to_process_1_drains(store_kind, container):
    one, two = members(container, container)
    talk(one, two)
    container.signal(signal.SIGTERM)
    with pytest.raises(Closed) as closed:
        while True:
            one.recv()
    assert closed.value.code == 1001
    assert container.wait_exit() == 0


def test_what_was_acknowledged_is_there_after_a_kill(store_kind, container):
    one, two = members(container, container)
    talk(one, two)
    container.kill()
    container.start()
    again = container.client()
    again.login("ann")
    assert [message["content"] for message in again.history(one.room)] == ["are you there?", "I am"]


@pytest.mark.only_store("sqlite")
def test_it_is_asked_by_its_own_commands(store_kind, container):
    """As `docker exec` does."""
    one, two = members(container, container)
    talk(one, two)
    top = container.command("ctl", "rooms", "top")
    assert top.returncode == 0 and one.room in top.stdout, top.stderr
    assert container.command("ctl", "users", "disable", "bob").returncode == 0
    assert two.wait_closed() == 1008
    assert [len(line) for line in container.command("token", "mesh-key").stdout.split()] == [40, 40]
    assert container.command("check-config").stdout == "OK\n"


@pytest.mark.only_store("sqlite")
def test_it_tells_whether_it_lives(store_kind, container):
    container.env["CONFAB_HTTP_LISTEN"] = f"127.0.0.1:{container.port}"
    assert container.check_health() == (0, "")
    container.freeze()
    code, said = container.check_health()
    container.thaw()
    assert code == 1 and said.endswith("timed out\n")
    container.terminate()
    assert container.check_health()[0] == 1


class Untold(Container):
    """With no settings but the image's, and its user."""

    def __init__(self, *args):
        super().__init__(*args)
        self.uid, self.gid = map(int, self.image.config["User"].split(":"))

    def environment(self, extra=None):
        return self.image.environment()


@pytest.mark.skipif(bool(skip_reason_of_hosts()), reason=skip_reason_of_hosts() or "")
@pytest.mark.only_store("sqlite")
def test_it_needs_no_settings(store_kind, make_one, image, root):
    container = make_one(host=all_hosts()[2], kind=functools.partial(Untold, image, root)).start()
    assert container.port == 8080
    assert container.check_health() == (0, "")
    talk(*members(container, container))
