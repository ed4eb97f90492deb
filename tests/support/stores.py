"""The stores a test can run on: a fresh one for each test, its posts table readable from outside."""

import os
import pathlib
import secrets
import signal
import sqlite3
import subprocess
import time
import urllib.parse
import uuid

import ledger
from ports import free_port


class Sqlite:
    name = "sqlite"

    def __init__(self, folder, own_cluster=False):
        self.path = pathlib.Path(folder) / "confab.db"
        self.url = f"sqlite:{self.path}"

    def posts(self, room):
        connection = sqlite3.connect(self.path)
        try:
            rows = connection.execute("SELECT seq, id, text FROM posts WHERE room = ? ORDER BY seq",
                                      (uuid.UUID(room).bytes,)).fetchall()
        finally:
            connection.close()
        return [ledger.Post(seq, str(uuid.UUID(bytes=post_id)), text) for seq, post_id, text in rows]

    def run(self, sql):
        """While no server runs."""
        connection = sqlite3.connect(self.path)
        with connection:
            connection.execute(sql)
        connection.close()

    def password_hash(self, name):
        connection = sqlite3.connect(self.path)
        try:
            return connection.execute("SELECT password_hash FROM users WHERE username = ?", (name,)).fetchone()[0]
        finally:
            connection.close()

    def set_password_hash(self, name, text):
        """While no server runs."""
        connection = sqlite3.connect(self.path)
        with connection:
            connection.execute("UPDATE users SET password_hash = ? WHERE username = ?", (text, name))
        connection.close()

    def set_room_times(self, at_us):
        """Makes all rooms of one moment, while no server runs."""
        self.run(f"UPDATE rooms SET created_us = {int(at_us)}")

    def drop(self):
        pass  # lies in the test's folder


class Cluster:
    """A PostgreSQL server: the one that tests/support/with_postgres runs us under, or one of a test's own,
    which may be stopped, killed and frozen without harm to tests that run beside it."""

    def __init__(self, own=False):
        self.process = None
        if not own:
            self.url = os.environ["CONFAB_TEST_POSTGRES_URL"]
            self.folder = pathlib.Path(os.environ["CONFAB_TEST_POSTGRES_FOLDER"])
            return
        self.process = subprocess.Popen(
            [str(pathlib.Path(__file__).parent / "with_postgres"), "sh", "-c",
             'echo "$CONFAB_TEST_POSTGRES_URL"; echo "$CONFAB_TEST_POSTGRES_FOLDER"; exec tail -f /dev/null'],
            stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()
        self.folder = pathlib.Path(self.process.stdout.readline().strip())
        assert self.url, "no cluster"

    def close(self):
        if self.process:
            self.process.terminate()
            self.process.wait(120)
            self.process.stdout.close()

    def run(self, sql, url=None):
        import psycopg2  # only where a PostgreSQL is there to test
        connection = psycopg2.connect(url or self.url)
        connection.autocommit = True
        try:
            cursor = connection.cursor()
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def processes(self):
        """The postmaster and all its children: a hung server is hung as a whole."""
        parent = int((self.folder / "cluster/postmaster.pid").read_text().split()[0])
        children = pathlib.Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return [parent, *map(int, children)]

    @staticmethod
    def signal(pids, number):
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def freeze(self):
        frozen = self.processes()
        self.signal(frozen, signal.SIGSTOP)
        return frozen

    def thaw(self, frozen):
        self.signal(frozen, signal.SIGCONT)

    @staticmethod
    def tool(name):
        folder = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))[-1:]
        return (os.environ.get("CONFAB_TEST_POSTGRES_BIN") or str(folder[0])) + "/" + name

    @staticmethod
    def as_owner():
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] if os.getuid() == 0 else []

    def control(self, *arguments):
        return subprocess.run([*self.as_owner(), self.tool("pg_ctl"), "-D", str(self.folder / "cluster"), *arguments], check=False,
                              cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              timeout=120).returncode

    def stop_fast(self):
        assert self.control("-m", "fast", "-w", "stop") == 0

    def kill(self):
        """kill -9 of the whole server: with its postmaster alone, backends would live on for a moment."""
        pids = self.processes()
        self.signal(pids, signal.SIGKILL)
        deadline = time.monotonic() + 60
        while not all(map(self.is_dead, pids)):
            assert time.monotonic() < deadline, "PostgreSQL outlives kill -9"
        # Where nobody collects orphans the dead postmaster keeps its pid, and a new one would not start.
        (self.folder / "cluster/postmaster.pid").unlink()

    @staticmethod
    def is_dead(pid):
        try:
            return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    def start(self, limit=60):
        """Starts it unless it runs; right after a kill the first attempts may fail."""
        import psycopg2
        deadline = time.monotonic() + limit
        port = urllib.parse.urlsplit(self.url).port
        while True:
            self.control("-o", f"-p {port}", "-l", str(self.folder / "server.log"), "-w", "-t", "60", "start")
            try:
                return self.run("SELECT 1")
            except psycopg2.OperationalError:
                assert time.monotonic() < deadline, "PostgreSQL does not come back"


class Replica:
    """A streaming replica of a cluster of the test's own; it lies in its folder, and goes with it."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.data = cluster.folder / "replica"
        primary = urllib.parse.urlsplit(cluster.url)
        self.port = free_port()
        self.url = primary._replace(netloc=f"{primary.username}@127.0.0.1:{self.port}").geturl()
        self._run("pg_basebackup", "-D", str(self.data), "-h", "127.0.0.1", "-p", str(primary.port), "-U",
                  primary.username, "-R", "-X", "stream", "-c", "fast")
        self.start()

    def _run(self, tool, *arguments):
        subprocess.run([*self.cluster.as_owner(), self.cluster.tool(tool), *arguments], check=True,
                       cwd=self.cluster.folder, stdout=subprocess.DEVNULL, timeout=120)

    def _control(self, *arguments):
        self._run("pg_ctl", "-D", str(self.data), "-l", str(self.cluster.folder / "replica.log"), "-w", *arguments)

    def start(self):
        self._control("-o", f"-p {self.port}", "start")

    def stop(self):
        self._control("-m", "immediate", "stop")

    def of(self, database):
        return urllib.parse.urlsplit(self.url)._replace(path=f"/{database}").geturl()

    def catch_up(self):
        """Until it has what the primary has now."""
        (lsn,), = self.cluster.run("SELECT pg_current_wal_lsn()::text")
        deadline = time.monotonic() + 60
        while self.cluster.run(f"SELECT pg_last_wal_replay_lsn() >= '{lsn}'", self.url) != [(True,)]:
            assert time.monotonic() < deadline, "the replica does not follow"

    def pause(self):
        """What is written from here on it does not show."""
        self.cluster.run("SELECT pg_wal_replay_pause()", self.url)
        while self.cluster.run("SELECT pg_get_wal_replay_pause_state()", self.url) != [("paused",)]:
            pass

    def resume(self):
        self.cluster.run("SELECT pg_wal_replay_resume()", self.url)


class Postgres:
    """A database of its own in a cluster."""

    name = "postgres"

    def __init__(self, _folder, own_cluster=False):
        self.cluster = Cluster(own_cluster)
        self.database = "confab_" + secrets.token_hex(6)
        scheme, rest = self.cluster.url.rsplit("/", 1)[0].split("://", 1)
        user, host = rest.split("@", 1)
        # The cluster trusts everybody; the password is there to be looked for where it must not appear.
        self.url = f"{scheme}://{user.split(':')[0]}:store-{secrets.token_hex(8)}@{host}/{self.database}"
        self.cluster.run(f"CREATE DATABASE {self.database}")

    def posts(self, room):
        rows = self.cluster.run("SELECT seq, id::text, text FROM posts "
                                f"WHERE room = '{uuid.UUID(room)}' ORDER BY seq", self.url)
        return [ledger.Post(*row) for row in rows]

    def run(self, sql):
        return self.cluster.run(sql, self.url)

    def password_hash(self, name):
        return self.cluster.run(f"SELECT password_hash FROM users WHERE username = '{name}'", self.url)[0][0]

    def set_password_hash(self, name, text):
        """While no server runs."""
        self.run(f"UPDATE users SET password_hash = '{text}' WHERE username = '{name}'")

    def set_room_times(self, at_us):
        """Makes all rooms of one moment, while no server runs."""
        self.run(f"UPDATE rooms SET created_us = {int(at_us)}")

    def backends(self):
        """Process ids of the connections to this database."""
        return [pid for (pid,) in self.cluster.run(
            f"SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND datname = '{self.database}'")]

    def kill_backend(self, pid):
        self.cluster.run(f"SELECT pg_terminate_backend({int(pid)})")

    def drop(self):
        if not self.cluster.process:
            self.cluster.run(f"DROP DATABASE IF EXISTS {self.database} WITH (FORCE)")
        self.cluster.close()


class Partitions(Postgres):
    """The same with posts in partitions by room."""

    def __init__(self, folder, own_cluster=False):
        import server  # which knows the binary
        super().__init__(folder, own_cluster)
        subprocess.run([str(server.BINARY), "migrate"], check=True, cwd=folder, timeout=120, stderr=subprocess.DEVNULL,
                       env={**os.environ, "CONFAB_STORE_URL": self.url})
        self.run("SELECT partition_posts(8)")


KINDS = {"sqlite": Sqlite, "postgres": Postgres, "partitions": Partitions}
