"""The stores a test can run on: a fresh one for each test, its posts table readable from outside."""

import os
import pathlib
import secrets
import signal
import sqlite3
import subprocess
import time
import uuid

import ledger


class Sqlite:
    name = "sqlite"

    def __init__(self, folder):
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

    def drop(self):
        pass  # lies in the test's folder


class Postgres:
    """A database of its own in the cluster that tests/support/with_postgres has started."""

    name = "postgres"

    def __init__(self, _folder):
        self.base = os.environ["CONFAB_TEST_POSTGRES_URL"]
        self.database = "confab_" + secrets.token_hex(6)
        self.url = self.base.rsplit("/", 1)[0] + "/" + self.database
        self.run(f"CREATE DATABASE {self.database}")

    def run(self, sql, url=None):
        import psycopg2  # only where a PostgreSQL is there to test
        connection = psycopg2.connect(url or self.base)
        connection.autocommit = True
        try:
            cursor = connection.cursor()
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def posts(self, room):
        rows = self.run(f"SELECT seq, id::text, text FROM posts WHERE room = '{uuid.UUID(room)}' ORDER BY seq", self.url)
        return [ledger.Post(*row) for row in rows]

    def drop(self):
        self.run(f"DROP DATABASE IF EXISTS {self.database} WITH (FORCE)")

    # -- harm

    def backends(self):
        """Process ids of the connections to this database."""
        return [pid for (pid,) in self.run("SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' "
                                           f"AND datname = '{self.database}'")]

    def kill_backend(self, pid):
        self.run(f"SELECT pg_terminate_backend({int(pid)})")

    @staticmethod
    def postmaster():
        return int(pathlib.Path(os.environ["CONFAB_TEST_POSTGRES_PIDFILE"]).read_text().split()[0])

    def processes(self):
        """The postmaster and all its children: a hung server is hung as a whole."""
        parent = self.postmaster()
        children = pathlib.Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return [parent, *map(int, children)]

    def freeze(self):
        frozen = self.processes()
        for pid in frozen:
            try:
                os.kill(pid, signal.SIGSTOP)
            except ProcessLookupError:
                pass
        return frozen

    @staticmethod
    def thaw(frozen):
        for pid in frozen:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass

    # Only for tests that are alone on the cluster (one xdist worker, see docs/testing.md).

    def control(self, *arguments):
        folder = pathlib.Path(os.environ["CONFAB_TEST_POSTGRES_FOLDER"])
        tool = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))[-1]
        tool = os.environ.get("CONFAB_TEST_POSTGRES_BIN", str(tool.parent)) + "/pg_ctl"
        user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] if os.getuid() == 0 else []
        return subprocess.run([*user, tool, "-D", str(folder / "cluster"), *arguments], check=False, cwd=folder,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120).returncode

    def is_up(self):
        return self.control("status") == 0

    def stop_fast(self):
        assert self.control("-m", "fast", "-w", "stop") == 0

    def kill(self):
        """kill -9 of the whole server: with its postmaster alone, backends would live on for a moment."""
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def start(self, limit=60):
        """Starts it unless it runs; right after a kill the first attempts may fail."""
        log = pathlib.Path(os.environ["CONFAB_TEST_POSTGRES_FOLDER"]) / "server.log"
        deadline = time.monotonic() + limit
        while not self.is_up():
            self.control("-l", str(log), "-w", "-t", "60", "start")
            assert time.monotonic() < deadline, "PostgreSQL does not start"
        self.wait_ready()

    def wait_ready(self, limit=60):
        import psycopg2
        deadline = time.monotonic() + limit
        while True:
            try:
                return self.run("SELECT 1")
            except psycopg2.OperationalError:
                assert time.monotonic() < deadline, "PostgreSQL does not come back"


KINDS = {"sqlite": Sqlite, "postgres": Postgres}
