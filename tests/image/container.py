"""A server that runs in the image, without an engine: on its root, read-only, as a user that nobody knows, without any
capability or a way to one, as process 1 of its own, with nothing writable but /data. The network is that of its host."""

import json
import os
import pathlib
import random
import sys

import server as servers

INSIDE = pathlib.Path(__file__).with_name("inside.py")
DATA = "/data"
ON_KILL = "unshare: sigprocmask unblock failed: Invalid argument"  # of util-linux 2.38, when its child is killed; in pieces


class Container(servers.Server):
    """As Server, but for the image and for where its data is."""

    def __init__(self, image, root, store, folder, *rest):
        super().__init__(store, folder, *rest)
        self.image, self.root = image, root
        self.uid = random.randint(100_000, 2_000_000_000)
        self.gid = 0  # that of a user who is a number alone
        self.mounts = {}
        # an engine begins a volume as a copy of the image's folder, owner and mode included
        volume = image.entries["data"]
        os.chown(self.folder, volume.uid, volume.gid)
        os.chmod(self.folder, volume.mode & 0o7777)
        self.hosts = self.folder.with_name(f"{self.folder.name}-hosts")
        self.names("127.0.0.1 localhost")

    def names(self, *lines):
        """Of hosts, as its file has them."""
        self.hosts.write_text("".join(f"{line}\n" for line in lines))

    def environment(self, extra=None):
        ours = {name: value for name, value in super().environment(extra).items()
                if name.startswith("CONFAB_") and not name.startswith("CONFAB_TEST_")}
        return {**self.image.environment(), **ours, "CONFAB_NODE_DATA_DIR": DATA}

    def program(self, words, extra):
        told = {"root": str(self.root), "uid": self.uid, "gid": self.gid,
                "folder": self.image.config["WorkingDir"],
                "command": [*self.image.config["Entrypoint"], *words], "environment": self.environment(extra),
                "mounts": {DATA: str(self.folder), "/etc/hosts": str(self.hosts), **self.mounts}}
        namespaces = ["--mount", "--propagation=private", "--pid", "--ipc", "--uts"]
        return ["unshare", *namespaces, "--fork", "--kill-child", sys.executable, "-I", str(INSIDE), json.dumps(told)], None

    def check_health(self):
        """What the image tells engines to run, in a container like this one."""
        kind, binary, *words = self.image.config["Healthcheck"]["Test"]
        assert kind == "CMD" and [binary] == self.image.config["Entrypoint"]
        run = self.command(*words)
        return run.returncode, run.stderr

    @property
    def pid(self):
        """Of process 1 in there, as it is called out here."""
        return int(pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()[0])

    def wait_exit(self, limit=servers.LIMIT_S):
        status = super().wait_exit(limit)
        self.not_json = [line for line in self.not_json if not (line and ON_KILL.startswith(line))]
        return status

    def status(self):
        """What the kernel says of it: name -> words."""
        lines = pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return {name: value.split() for name, value in (line.split(":", 1) for line in lines)}

    def mount_options(self, target):
        """Of what is mounted there, as the process sees it."""
        for line in reversed(pathlib.Path(f"/proc/{self.pid}/mountinfo").read_text().splitlines()):
            fields = line.split()
            if fields[4] == target:
                return fields[5].split(",")
        return None
