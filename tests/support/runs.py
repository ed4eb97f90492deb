"""Runs of bench/load against a server, with its ledger, judged against history and table."""

import json
import os
import pathlib
import random
import signal
import subprocess

import ledger
import server as servers


NO_FAULTS = {"lost", "doubled", "out_of_order", "differing", "misrouted", "broken", "ack_after_copy", "ack_wrong",
             "unsettled", "unreadable"}
# Over a cut connection live delivery has gaps, which history fills; the ledger judges those.
NO_FAULTS_OVER_CUTS = NO_FAULTS - {"lost", "doubled", "out_of_order"}


class Rooms:
    """Users with sessions and the rooms they are members of: what a load run needs beforehand."""

    def __init__(self, server, rooms=1, members=8, ephemeral=False):
        """Imports the users (the server must not run yet), starts it and joins them."""
        names = [f"load{i}" for i in range(members)]
        self.server = server
        self.tokens = server.import_sessions(names)
        server.start()
        clients = [server.client(token=self.tokens[name]) for name in names]
        self.owner = clients[0]
        self.ids = [self.owner.create_room(f"room {i}", ephemeral=ephemeral) for i in range(rooms)]
        for client in clients:
            for room in self.ids:
                client.join(room)

    def targets(self):
        return [(room, token) for token in self.tokens.values() for room in self.ids]


class Run:
    """One run of bench/load in the background."""

    def __init__(self, server, rooms, folder, flags=(), urls=None, **options):
        """urls: where its clients connect, by turns; the server's own unless given."""
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        self.server, self.rooms = server, rooms
        self.ledger_path = self.folder / "ledger"
        targets = self.folder / "targets"
        urls = urls or server.urls
        targets.write_text("".join(f"{room} {token} {i % len(urls)}\n"
                                   for i, (room, token) in enumerate(rooms.targets())))
        command = [str(servers.LOAD), *(word for url in urls for word in ("--url", url)),
                   "--targets", str(targets),
                   "--ledger", str(self.ledger_path), "--json", str(self.folder / "report.json"),
                   *(f"--{flag}" for flag in flags)]
        for name, value in options.items():
            command += [f"--{name.replace('_', '-')}", str(value)]
        self.output = open(self.folder / "output", "w+", encoding="utf-8")
        self.process = subprocess.Popen(command, stdout=self.output, stderr=self.output)

    def text(self):
        self.output.seek(0)
        return self.output.read()

    def ledger(self):
        return ledger.read_file(self.ledger_path) if self.ledger_path.exists() else ledger.Ledger()

    def lines(self, kind):
        """How many lines of one kind the ledger has so far."""
        if not self.ledger_path.exists():
            return 0
        mark = f" {kind} ".encode()
        with open(self.ledger_path, "rb") as file:
            return sum(mark in line for line in file)

    def wait_acks(self, count, limit=servers.LIMIT_S):
        """Until so many posts were acked in all."""
        def enough():
            assert self.process.poll() is None, self.text()
            return self.lines("ACK") >= count
        servers.until(enough, f"{count} acks", limit)

    def crash_at(self, point, times):
        """Lets the server end at a named crash point, and starts it again, so many times."""
        for turn in range(times):
            self.server.kill()
            self.server.listen(CONFAB_CRASH_AT=f"{point}:{random.randint(1, 40)}")  # it may end before it says it serves
            assert self.server.wait_exit() == servers.CRASHED, f"round {turn}: '{point}' was not passed"
            before = self.lines("ACK")
            self.server.start()
            self.wait_acks(before + 20)

    def kill_at_random(self, times):
        """Kills the server at any moment, and starts it again, so many times."""
        for _ in range(times):
            self.wait_acks(self.lines("ACK") + random.randint(1, 400))
            self.server.kill()
            self.server.start()
        self.wait_acks(self.lines("ACK") + 20)

    def terminate_twice(self):
        """Two SIGTERMs, the second in the middle of the drain; then the server again."""
        self.server.signal(signal.SIGTERM)
        self.server.signal(signal.SIGTERM)
        self.server.wait_exit()
        self.server.start()
        self.wait_acks(self.lines("ACK") + 100)

    def stop(self):
        """Ends the posting; what is on its way is waited for by finish()."""
        self.process.send_signal(signal.SIGINT)
        return self

    def finish(self, limit=4 * servers.LIMIT_S):
        """Waits for the end; the report."""
        self.process.wait(limit)
        path = self.folder / "report.json"
        assert path.exists(), self.text()
        return json.loads(path.read_text())

    def judge(self):
        """The broken rules of the ledger, by the history that each node tells. The server must run."""
        seen, problems = self.ledger(), []
        tables = {room: self.server.store.posts(room) for room in self.rooms.ids}
        for node in self.server.nodes:
            reader = node.client(token=self.rooms.owner.token)
            histories = {room: reader.history_posts(room) for room in self.rooms.ids}
            problems += ledger.judge(seen, histories, tables)
        return problems

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.output.close()


def judge(run, clean=NO_FAULTS_OVER_CUTS):
    """Waits for the end of a run that has none of these faults and keeps all rules; its report."""
    report = run.finish()
    faults = {name for name, count in report["faults"].items() if count}
    assert not faults & clean, run.text()
    assert run.judge() == []
    return report


def rounds(standard):
    """How often a random part runs: CONFAB_TEST_ROUNDS, or the standard."""
    return int(os.environ.get("CONFAB_TEST_ROUNDS", standard))
