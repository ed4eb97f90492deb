"""The service under a systemd of its own, as the package leaves it: that of Debian 12."""

import json
import os
import pathlib
import re
import signal

import pytest

import rest
from debian import ROOT


def status_of(pid):
    return dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())


def log_of(machine, *matches):
    return machine.says("journalctl", "-u", "confab", "-o", "cat", "--no-pager", *matches)


def await_serving(machine):
    """Its process, when that serves: it is active from there on."""
    return machine.until(lambda: machine.unit("ActiveState")["ActiveState"] == "active" and machine.main_pid(), lambda: log_of(machine))


def test_installed_it_runs_and_will_run_after_the_next_start_of_the_machine(booted, chat):
    await_serving(booted)
    assert booted.says("systemctl", "is-enabled", "confab") == "enabled"
    chat()


def test_it_has_no_rights_but_those_it_needs(booted):
    status = status_of(await_serving(booted))
    assert status["NoNewPrivs"].strip() == "1" and status["Seccomp"].strip() == "2"
    for name in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb"):
        assert int(status[name], 16) == 0, name
    assert "0" not in status["Uid"].split()


def test_nothing_that_it_does_is_refused_by_the_filter(booted, chat):
    """Threads that hash are of lower priority, the limit on files is raised, and nothing complains."""
    pid = await_serving(booted)
    chat()
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    policies = {task.joinpath("comm").read_text().strip(): os.sched_getscheduler(int(task.name)) for task in tasks}
    assert {policy for name, policy in policies.items() if name.startswith("hash")} == {os.SCHED_BATCH}, policies
    soft, hard = pathlib.Path(f"/proc/{pid}/limits").read_text().partition("Max open files")[2].split()[:2]
    assert soft == hard
    assert not re.search(r'"level":"(warn|error)"', log_of(booted))


def test_it_can_write_to_its_own_folder_alone(booted):
    """By what it sees mounted; /run/host is systemd-nspawn's."""
    pid = await_serving(booted)
    mounts = {words[4]: words[5].split(",") for words in map(str.split, pathlib.Path(f"/proc/{pid}/mountinfo").read_text().splitlines())}
    writable = {point for point, options in mounts.items() if "rw" in options and not point.startswith(("/proc", "/sys", "/dev", "/run/host"))}
    assert "ro" in mounts["/"]
    assert "/var/lib/confab" in writable and writable <= {"/var/lib/confab", "/tmp", "/var/tmp"}


def test_what_is_started_serves_when_systemctl_has_ended(booted, chat):
    booted.run("systemctl", "restart", "confab")
    assert booted.unit("ActiveState", "StatusText") == {"ActiveState": "active", "StatusText": "serves"}
    chat()


def test_reload_reaches_the_server_which_says_what_it_did(booted):
    pid = await_serving(booted)
    booted.run("systemctl", "reload", "confab")
    booted.until(lambda: booted.unit("StatusText")["StatusText"] == "serves; nothing can be reloaded", lambda: log_of(booted))
    assert await_serving(booted) == pid


def test_one_that_no_longer_answers_is_replaced(booted, dropped_in, chat):
    dropped_in("[Service]\nWatchdogSec=3s\nTimeoutStopSec=1s\n")
    pid = await_serving(booted)
    os.kill(pid, signal.SIGSTOP)
    booted.until(lambda: booted.main_pid() not in (0, pid), lambda: log_of(booted))
    await_serving(booted)
    assert "Watchdog timeout" in log_of(booted)
    chat()


def test_killed_it_is_back_with_all_that_was_acknowledged(booted, chat):
    pid = await_serving(booted)
    ann, room, said = chat()
    os.kill(pid, signal.SIGKILL)
    booted.until(lambda: booted.main_pid() not in (0, pid))
    await_serving(booted)
    answer = booted.until(lambda: read(ann, room), lambda: log_of(booted))
    assert [one["id"] for one in answer] == [said]


def read(client, room):
    try:
        return client.messages(room)
    except (OSError, rest.Refused):
        return None


def told(words):
    """The commands of docs/operations.md that begin with these: to the end of the block that they stand in."""
    (found,) = re.findall(rf"^{re.escape(words)}.*?(?=^```)", (ROOT / "docs/operations.md").read_text(), flags=re.M | re.S)
    return found


def test_a_backup_by_root_is_restored_by_the_commands_of_the_documentation(booted, chat):
    await_serving(booted)
    ann, room, said = chat()
    settings = told("export CONFAB_CONFIG=").splitlines()[0]
    booted.run("sh", "-c", f'{settings}\nFILE=/root/backup\n{told("confab backup")}')
    late, after, _ = chat()
    booted.run("sh", "-ec", f'DATA=/var/lib/confab FILE=/root/backup\n{told("systemctl stop confab")}')
    await_serving(booted)
    assert [one["id"] for one in booted.until(lambda: read(ann, room), lambda: log_of(booted))] == [said]
    with pytest.raises(rest.Refused):
        late.messages(after)
    assert booted.says("stat", "--format=%U %a", "/root/backup", "/var/lib/confab/confab.db").splitlines() == ["root 600", "confab 600"]
    assert booted.run("ls", "/data", check=False).returncode != 0
    booted.run("rm", "-r", "/root/backup", "/var/lib/confab/before")


def test_stopped_it_drains_and_ends_well(booted):
    await_serving(booted)
    booted.run("systemctl", "stop", "confab")
    found = booted.unit("Result", "ExecMainStatus", "ActiveState")
    assert found == {"Result": "success", "ExecMainStatus": "0", "ActiveState": "inactive"}
    booted.run("systemctl", "start", "confab")
    await_serving(booted)


def test_bad_settings_are_said_once_and_not_tried_again(booted):
    settings = booted.root / "etc/confab/confab.yaml"
    good = settings.read_text()
    settings.write_text(good + "nonsense:\n  key: 1\n")
    try:
        booted.run("systemctl", "restart", "confab", check=False)
        booted.until(lambda: booted.unit("ActiveState")["ActiveState"] == "failed")
        assert booted.unit("ExecMainStatus", "NRestarts") == {"ExecMainStatus": "78", "NRestarts": "0"}
        assert "nonsense" in log_of(booted)
    finally:
        settings.write_text(good)
    booted.run("systemctl", "reset-failed", "confab")
    booted.run("systemctl", "start", "confab")
    await_serving(booted)


def recipe(words):
    """The drop-in of docs/operations.md that has these."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", (ROOT / "docs/operations.md").read_text(), flags=re.M | re.S)
    (found,) = [block for block in blocks if "[Service]" in block and words in block]
    return found


@pytest.fixture
def dropped_in(booted):
    """dropped_in(text): restarts the service with that besides its unit; taken back after the test."""
    path = booted.root / "etc/systemd/system/confab.service.d/override.conf"

    def apply(text):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        restart()

    def restart():
        booted.run("systemctl", "daemon-reload")
        booted.run("systemctl", "restart", "confab")
        await_serving(booted)
    yield apply
    path.unlink()
    restart()


@pytest.fixture
def with_store_url(booted, dropped_in):
    """with_store_url(path, mode, group, drop_in): a secret that names a store, in a file as docs/operations.md makes it, and the settings
    name that path."""
    secret, settings = booted.root / "etc/confab/store-url", booted.root / "etc/confab/confab.yaml"
    good = settings.read_text()

    def apply(path, mode, group, drop_in=""):
        booted.run("install", "-m", mode, "-g", group, "/dev/null", "/etc/confab/store-url")
        secret.write_text("sqlite:/var/lib/confab/elsewhere.db\n")
        settings.write_text(f"{good}\nstore: {{url_file: {path}}}\n")
        dropped_in(drop_in)
    yield apply
    settings.write_text(good)
    secret.unlink()
    (booted.root / "var/lib/confab/elsewhere.db").unlink()


@pytest.mark.parametrize("path, mode, group, drop_in", [
    ("/etc/confab/store-url", "0640", "confab", None),
    ("/run/credentials/confab.service/store-url", "0600", "root", "LoadCredential=")])
def test_a_secret_is_the_services_and_that_of_its_commands(booted, with_store_url, chat, path, mode, group, drop_in):
    with_store_url(path, mode, group, recipe(drop_in) if drop_in else "")
    chat()
    assert (booted.root / "var/lib/confab/elsewhere.db").exists()
    for become in ([], ["runuser", "-u", "confab", "--"]):
        booted.run(*become, "confab", "check-config", "--config", "/etc/confab/confab.yaml")


def test_a_port_below_1024_has_to_be_allowed(booted, dropped_in, chat):
    dropped_in(recipe("CAP_NET_BIND_SERVICE") + "Environment=CONFAB_HTTP_LISTEN=127.0.0.1:443\n")
    chat(443)
    assert int(status_of(booted.main_pid())["CapBnd"], 16) == 1 << 10


def test_root_may_ask_it(booted, chat):
    await_serving(booted)
    _, room, _ = chat()
    rooms = booted.says("confab", "ctl", "rooms", "top", "--config", "/etc/confab/confab.yaml").splitlines()
    assert room in [json.loads(line)["room"] for line in rooms]


def test_another_version_takes_the_place_of_the_one_that_runs(booted, package, chat):
    pid = await_serving(booted)
    booted.install(package, "--reinstall")
    assert booted.main_pid() not in (0, pid)
    chat()


def test_removed_it_is_stopped(booted, package):
    pid = await_serving(booted)
    booted.run("apt-get", "remove", "-q", "-y", "confab")
    assert not pathlib.Path(f"/proc/{pid}").exists()
    booted.install(package)
    await_serving(booted)
