"""Fresh machines with Debian 12, from build/debian (tests/package/prepare): an overlay in memory each, without a network but
loopback, which is this one's. Programs run in it as by chroot, or with its own systemd as the first process."""

import os
import pathlib
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BASE, ARCHIVES = ROOT / "build/debian/base", ROOT / "build/debian/archives"
LIMIT_S = float(os.environ.get("CONFAB_TEST_LIMIT", "60"))
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", "HOME": "/root"}


def mount(*words):
    subprocess.run(["mount", *words], check=True)


class Cannot(Exception):
    pass


class Machine:
    def __init__(self, folder):
        self.memory = pathlib.Path(folder)
        self.root = self.memory / "root"
        mount("-t", "tmpfs", "machine", str(self.memory))
        for name in ("root", "upper", "work"):
            (self.memory / name).mkdir()
        mount("-t", "overlay", "machine", "-o", f"lowerdir={BASE},upperdir={self.memory}/upper,workdir={self.memory}/work", str(self.root))
        mount("--bind", str(ARCHIVES), str(self.root / "var/cache/apt/archives"))
        self.nspawn = None

    def close(self):
        if self.nspawn:
            self.nspawn.terminate()  # has its systemd shut down
            self.nspawn.wait(LIMIT_S)
        subprocess.run(["umount", "--recursive", "--lazy", str(self.memory)], check=True)

    # -- as by chroot

    def into(self, *words):
        """The command line that runs words there."""
        if self.nspawn:
            return ["nsenter", f"--target={self.first()}", "--mount", "--uts", "--ipc", "--pid", "--root", "--wd", *words]
        return ["chroot", str(self.root), *words]

    def run(self, *words, check=True, **options):
        done = subprocess.run(self.into(*words), env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=LIMIT_S * 3, **options)
        assert not check or done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def says(self, *words):
        return self.run(*words).stdout.strip()

    def install(self, package, *options):
        """By apt, with all it depends on; a file of this machine."""
        target = self.root / "var/tmp" / package.name
        target.write_bytes(package.read_bytes())
        try:
            return self.run("apt-get", "install", "-q", "-y", "--no-install-recommends", "-o", "Dpkg::Options::=--force-unsafe-io", *options,
                            f"/var/tmp/{package.name}")
        finally:
            target.unlink()

    def files(self):
        """All there is, but for what dpkg, apt and systemd write down about their own work."""
        found = self.says("find", "/", "-xdev", "(", "-path", "/var/lib/dpkg", "-o", "-path", "/var/log", "-o", "-path", "/var/cache", "-o",
                          "-path", "/tmp", "-o", "-path", "/proc", "-o", "-path", "/run", "-o", "-path", "/dev", ")", "-prune", "-o", "-print")
        return set(found.splitlines())

    # -- with systemd

    def boot(self):
        """Until it has started all it starts. Cannot where the kernel, or what holds this machine, does not let systemd run in there."""
        try:
            self.start_systemd()
        except (AssertionError, OSError, subprocess.SubprocessError) as reason:
            raise Cannot(f"no Debian boots here, with nothing of ours on it: {reason}") from reason
        self.spare_user_namespaces()
        return self

    def start_systemd(self):
        if not os.path.ismount("/sys/fs/cgroup"):  # as in a chroot; ours alone, as all mounts here are
            mount("-t", "cgroup2", "none", "/sys/fs/cgroup")
        log = (self.memory / "console").open("wb")
        pathlib.Path("/run/systemd").mkdir(exist_ok=True)
        self.nspawn = subprocess.Popen(["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot", f"--directory={self.root}",
                                        "--console=pipe", f"--bind={ARCHIVES}:/var/cache/apt/archives"],
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.until(lambda: self.first() and self.run("systemctl", "is-system-running", check=False).stdout.strip() in ("running", "degraded"),
                   lambda: (self.memory / "console").read_text(errors="replace"))

    def spare_user_namespaces(self):
        """In a chroot the kernel makes none, wherever in it systemd-nspawn has its own root; then the unit does without that one."""
        if self.run("unshare", "--user", "true", check=False).returncode != 0:
            print("no user namespaces here: the service runs without PrivateUsers=")
            drop_in = self.root / "etc/systemd/system/confab.service.d/nested.conf"
            drop_in.parent.mkdir(parents=True)
            drop_in.write_text("[Service]\nPrivateUsers=no\n")

    def first(self):
        """Process 1 of the machine, as this one numbers it; None: there is none yet."""
        children = pathlib.Path(f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children").read_text().split()
        return int(children[-1]) if children else None

    def until(self, holds, why=lambda: ""):
        deadline = time.monotonic() + LIMIT_S
        while True:
            found = holds()
            if found:
                return found
            assert time.monotonic() < deadline, f"not within {LIMIT_S} s: {why()}"
            time.sleep(0.05)

    def unit(self, *properties):
        """What systemd says of confab.service, as a dict."""
        lines = self.says("systemctl", "show", "confab.service", *(f"--property={name}" for name in properties)).splitlines()
        return dict(line.split("=", 1) for line in lines)

    def main_pid(self):
        """Of the service, as this machine numbers it, 0 if it does not run."""
        inside = self.unit("MainPID")["MainPID"]
        if inside == "0":
            return 0
        for entry in pathlib.Path("/proc").glob("[0-9]*/status"):
            try:
                status = dict(line.split(":", 1) for line in entry.read_text().splitlines())
            except (FileNotFoundError, ProcessLookupError):
                continue
            if status["NSpid"].split()[1:2] == [inside] and status["Name"].strip() == "confab":
                return int(status["Pid"])
        return 0
