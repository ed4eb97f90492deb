"""Backup and restore as docs/operations.md tells them, while people post."""

import os
import pathlib
import re
import secrets
import stat
import subprocess
import urllib.parse

import pytest

import planted
import runs
import server as servers
import stores
import ws

OPERATIONS = servers.ROOT / "docs/operations.md"


def told(words):
    """The command of the chapter that begins with these words, as it stands there: a line, or a block of lines that belong together."""
    chapter = re.search(r"^## Backup and restore\n(.*?)^## ", OPERATIONS.read_text(), flags=re.M | re.S)[1]
    blocks = re.findall(r"^```\n(.*?)^```", chapter, flags=re.M | re.S)
    commands = [command for block in blocks for command in ([block] if "&&" in block else block.splitlines())]
    (found,) = [command for command in commands if command.startswith(words)]
    return found


def run(text, server, **variables):
    """As an operator types it; confab is the binary under test, the tools are PostgreSQL's own. No service is there to be stopped: that it
    would be is printed."""
    env = server.environment({key: str(value) for key, value in variables.items()})
    env["PATH"] = f"{servers.BINARY.parent.resolve()}:{pathlib.Path(stores.Cluster.tool('psql')).parent}:{env['PATH']}"
    return subprocess.run(["sh", "-c", f"umask 077; systemctl() {{ echo systemctl $*; }}\n{text}"], env=env, cwd=server.folder,
                          check=False, text=True, capture_output=True, timeout=servers.LIMIT_S)


def back_up(store_kind, server, file):
    done = run(told("confab backup" if store_kind == "sqlite" else "pg_dump"), server, FILE=file, URL=server.store.url)
    assert done.returncode == 0, done.stderr


def connected(server):
    """Who still has a connection to the server's database, by the command that asks for it."""
    done = run(told("psql"), server, URL=server.store.url)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture
def restore(store_kind, tmp_path):
    """restore(server, file): what its store becomes of the backup; the server must not run."""
    made = []

    def sqlite(server, file):
        done = run(told("systemctl stop"), server, DATA=server.store.path.parent, FILE=file)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines() == ["systemctl stop confab", "systemctl start confab"]
        assert stat.S_IMODE(server.store.path.stat().st_mode) == 0o600

    def postgres(server, file):
        (tmp_path / "restored").mkdir()
        made.append(stores.KINDS[store_kind](tmp_path / "restored"))
        done = run(told("pg_restore"), server, FILE=file, URL=made[0].url)
        assert done.returncode == 0, done.stderr
        server.store = made[0]
    yield sqlite if store_kind == "sqlite" else postgres
    for one in made:
        one.drop()


def test_a_backup_under_load_has_all_acked_before_and_a_prefix_of_the_rest(store_kind, make_one, load, tmp_path, restore):
    server = make_one()
    rooms = runs.Rooms(server, rooms=3, members=4)
    writers = load(server, rooms, rate=400, window=8, seconds=600, drain_limit=60)
    writers.wait_acks(200)
    before = writers.ledger().acks
    file = tmp_path / "backup"
    back_up(store_kind, server, file)
    writers.wait_acks(writers.lines("ACK") + 100)  # the server goes on
    writers.stop()
    runs.judge(writers)
    whole = {room: server.store.posts(room) for room in rooms.ids}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    server.kill()  # a WAL is left
    assert store_kind != "sqlite" or server.store.path.with_name("confab.db-wal").stat().st_size

    restore(server, file)
    had = {room: server.store.posts(room) for room in rooms.ids}
    for room in rooms.ids:
        assert had[room] == whole[room][:len(had[room])], "a history with a gap, or doubled"
    ids = {post.id for posts in had.values() for post in posts}
    assert {post_id for post_id, _ in before.values()} <= ids, "acked before the backup began, and not in it"
    assert sum(map(len, had.values())) < sum(map(len, whole.values()))

    server.start()  # sessions are there, numbers go on, and keys are known
    room = rooms.ids[0]
    chat = ws.Chat(server.client(token=rooms.tokens["load0"]), room)
    key_of = {post_id: key for key, (post_id, _) in writers.ledger().acks.items()}
    mine = rooms.targets().index((room, rooms.tokens["load0"]))  # bench/load numbers its clients by these
    own = next(post for post in had[room] if key_of.get(post.id, (None,))[0] == mine)
    writer, n = key_of[own.id]
    assert chat.say(own.text, key=f"{writers.ledger().run}-{writer}-{n}") == own.id
    new = chat.say("after the restore")
    chat.close()
    posts = server.store.posts(room)
    assert [post.seq for post in posts] == list(range(1, len(had[room]) + 2)) and posts[-1].id == new
    assert new not in {post.id for posts in whole.values() for post in posts}


@pytest.mark.only_store("postgres")
def test_who_is_still_connected_is_seen_whatever_the_role(store_kind, make_one):
    server = make_one()
    name, word = f"confab_{secrets.token_hex(6)}", planted.plant(secrets.token_hex(16))
    owner = urllib.parse.urlsplit(server.store.url).username
    url = server.store.url.replace(server.store.url.rpartition("@")[0].partition("//")[2], f"{name}:{word}")
    server.store.run(f"CREATE ROLE {name} LOGIN PASSWORD '{word}' IN ROLE {owner}")
    try:
        server.store.run(f"ALTER ROLE {name} SET role {owner}")
        server.start()
        assert {line.partition("|")[0] for line in connected(server)} == {owner}
        assert server.terminate() == 0
        servers.until(lambda: connected(server) == [], "the database has nobody")  # a backend ends after its client
        server.start(CONFAB_STORE_URL=url)
        assert {line.partition("|")[0] for line in connected(server)} == {name}
        assert server.terminate() == 0
    finally:
        if server.is_running():
            server.kill()
        server.store.run(f"DROP ROLE {name}")


@pytest.mark.only_store("sqlite")
def test_a_backup_overwrites_nothing(store_kind, server, tmp_path):
    file = tmp_path / "backup"
    file.write_text("mine")
    done = server.command("backup", str(file))
    assert done.returncode == 1 and "exists" in done.stderr
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nothing")
    assert server.command("backup", str(link)).returncode == 1
    assert file.read_text() == "mine" and not (tmp_path / "nothing").exists()
    assert not list(tmp_path.glob("*.partial-*"))


@pytest.mark.only_store("sqlite")
def test_a_backup_that_cannot_be_written_says_so_and_leaves_nothing(store_kind, server, tmp_path):
    file = tmp_path / "backup"
    done = subprocess.run(["prlimit", "--fsize=8192", str(servers.BINARY), "backup", str(file)], env=server.environment(),
                          cwd=server.folder, check=False, text=True, capture_output=True, timeout=servers.LIMIT_S,
                          restore_signals=False)  # with SIGXFSZ ignored a write fails, as on a disk that is full
    assert done.returncode == 1 and "backup: failed" in done.stderr and "partial" in done.stderr, done
    assert not file.exists() and not list(tmp_path.glob("*.partial-*"))


def test_what_cannot_be_backed_up_is_said(store_kind, server, tmp_path):
    assert server.command("backup").returncode == 2
    done = server.command("backup", str(tmp_path / "backup"), CONFAB_STORE_URL=f"sqlite:{tmp_path}/nothing.db")
    assert done.returncode == 69 and not (tmp_path / "nothing.db").exists()
    if store_kind == "postgres":
        done = server.command("backup", str(tmp_path / "backup"))
        assert done.returncode == 2 and "pg_dump" in done.stderr
    assert not (tmp_path / "backup").exists()


@pytest.mark.only_store("sqlite")
def test_commands_find_what_the_settings_name_and_make_nothing_without(store_kind, server, tmp_path):
    settings = tmp_path / "confab.yaml"
    settings.write_text(f"node:\n  data_dir: {server.folder}\nstore:\n  url: {server.store.url}\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    bare = {name: value for name, value in os.environ.items() if not name.startswith("CONFAB_")}

    def asked(*words, **env):
        return subprocess.run([str(servers.BINARY.resolve()), *words], env={**bare, **env}, cwd=elsewhere, check=False, text=True,
                              capture_output=True, timeout=servers.LIMIT_S)
    commands = [("dead-letters",), ("ctl", "rooms", "top"), ("ctl", "dead-letters", "replay", "--all"), ("backup", str(tmp_path / "backup"))]
    for words in commands:
        done = asked(*words)
        assert done.returncode == 69 and "./data" in done.stderr, (words, done)
        assert not list(elsewhere.iterdir()), words
    assert asked("memory").returncode == 0 and not list(elsewhere.iterdir())
    for words in commands:
        done = asked(*words, CONFAB_CONFIG=str(settings))
        assert done.returncode == 0, (words, done)
    assert (tmp_path / "backup").exists() and not list(elsewhere.iterdir())
