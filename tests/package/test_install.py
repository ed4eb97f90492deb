"""From nothing to a chat and back, by apt and by hand: no systemd runs here."""

import configparser
import shlex
import signal
import subprocess

import pytest

import debian

CONFFILE = "etc/confab/confab.yaml"


def unit(machine):
    parser = configparser.RawConfigParser(strict=False)  # of what stands twice the last counts
    parser.optionxform = str
    parser.read(machine.root / "usr/lib/systemd/system/confab.service")
    return parser["Service"]


@pytest.fixture
def started(machine, package):
    """The unit's command line, as its user, in its folder."""
    machine.install(package)
    service = unit(machine)
    assert service["StateDirectory"] == "confab" and service["WorkingDirectory"] == "/var/lib/confab"
    assert (machine.root / "var/lib/confab").stat().st_mode & 0o7777 == int(service["StateDirectoryMode"], 8) == 0o700
    process = subprocess.Popen(
        machine.into("setpriv", f"--reuid={service['User']}", f"--regid={service['Group']}", "--init-groups", "--inh-caps=-all", "--no-new-privs",
                     "env", "-C", service["WorkingDirectory"], *shlex.split(service["ExecStart"])),
        env=debian.ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if '"msg":"serving"' in line:
            break
    else:
        pytest.fail(f"does not serve: exit {process.wait()}")
    yield process
    if process.poll() is None:
        process.kill()
    process.wait()
    process.stderr.close()


def test_the_units_command_line_serves_a_chat_as_its_user_and_drains(machine, started, chat):
    status = dict(line.split(":", 1) for line in open(f"/proc/{started.pid}/status").read().splitlines())
    uid = machine.says("id", "-u", "confab")
    assert status["Uid"].split() == [uid] * 4 and uid != "0" and int(status["CapEff"], 16) == 0
    chat()
    data = machine.root / "var/lib/confab"
    assert (data / "confab.db").stat().st_mode & 0o777 == 0o600
    assert {str(path.stat().st_uid) for path in data.iterdir()} == {uid}
    started.send_signal(signal.SIGTERM)
    assert started.wait(debian.LIMIT_S) == 0


def test_settings_are_for_the_service_alone_and_what_it_has_from_them_is_good(machine, package):
    machine.install(package)
    folder = (machine.root / "etc/confab").stat()
    assert folder.st_mode & 0o777 == 0o750 and folder.st_uid == 0 and str(folder.st_gid) == machine.says("id", "-g", "confab")
    done = machine.run("setpriv", "--reuid=confab", "--regid=confab", "--init-groups", "confab", "check-config", "--config", f"/{CONFFILE}")
    assert done.stdout == "OK\n" and done.stderr == ""
    assert machine.run("setpriv", "--reuid=nobody", "--clear-groups", "cat", f"/{CONFFILE}", check=False).returncode != 0


def test_its_user_has_no_password_and_no_shell(machine, package):
    machine.install(package)
    name, _, _, _, _, home, shell = machine.says("getent", "passwd", "confab").split(":")
    assert (name, home, shell) == ("confab", "/var/lib/confab", "/usr/sbin/nologin")
    assert machine.says("getent", "shadow", "confab").split(":")[1].startswith("!")


@pytest.fixture
def older(package, tmp_path_factory):
    """The same with another number, by which dpkg knows it for one, and other settings."""
    folder = tmp_path_factory.mktemp("older")
    tree, built = folder / "tree", folder / "older.deb"
    subprocess.run(["dpkg-deb", "-R", package, tree], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(control.read_text().replace("\nVersion: ", "\nVersion: 0.0.1~"))
    (tree / CONFFILE).write_text("http:\n  listen: 127.0.0.1:8081\n")
    (tree / "DEBIAN/md5sums").unlink()
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, built], check=True, stdout=subprocess.DEVNULL)
    return built


@pytest.mark.parametrize("changed", [False, True])
def test_a_new_version_keeps_data_and_settings_that_somebody_has_changed(machine, older, package, changed):
    machine.install(older)
    (machine.root / "var/lib/confab/kept").write_text("data")
    if changed:
        (machine.root / CONFFILE).write_text("http:\n  listen: 127.0.0.1:9999\n")
    machine.install(package, "-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold")
    assert (b"127.0.0.1:9999" if changed else b"127.0.0.1:8080") in (machine.root / CONFFILE).read_bytes()
    assert (machine.root / "var/lib/confab/kept").read_text() == "data"


def test_removed_it_leaves_settings_and_data_and_purged_nothing_but_its_user(machine, package):
    depends = machine.run("apt-get", "install", "-q", "-y", "--no-install-recommends", *depended_on(machine, package))
    assert depends.returncode == 0
    before = machine.files()
    machine.install(package)
    (machine.root / "var/lib/confab/confab.db").write_text("data")
    machine.run("apt-get", "remove", "-q", "-y", "confab")
    assert (machine.root / CONFFILE).exists() and (machine.root / "var/lib/confab/confab.db").exists()
    assert not (machine.root / "usr/bin/confab").exists()
    machine.run("apt-get", "purge", "-q", "-y", "confab")
    assert machine.files() - before == {f"/etc/{name}-" for name in ("passwd", "group", "shadow", "gshadow")} - before
    assert before - machine.files() == set()
    assert machine.says("getent", "passwd", "confab") != ""


def depended_on(machine, package):
    """The packages that are installed with it."""
    target = machine.root / "tmp/package.deb"
    target.write_bytes(package.read_bytes())
    plan = machine.says("apt-get", "install", "-s", "--no-install-recommends", "/tmp/package.deb")
    target.unlink()
    return [line.split()[1] for line in plan.splitlines() if line.startswith("Inst ") and line.split()[1] != "confab"]
