"""The inner half of container.py, run in namespaces of its own: makes the image's root what a runtime would make of it,
gives everything up, and becomes the image's process. What it is told comes as JSON, see container.py."""

import ctypes
import json
import os
import stat
import subprocess
import sys

PR_SET_NO_NEW_PRIVS, PR_CAPBSET_DROP = 38, 24
CAPABILITIES = 64  # the kernel refuses numbers that it does not know
DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9)}


def mount(*words):
    subprocess.run(["mount", *words], check=True)


def make_mount_point(path, is_folder):
    """As runtimes do where the image has none."""
    os.makedirs(path if is_folder else os.path.dirname(path), exist_ok=True)
    if not is_folder:
        open(path, "ab").close()


def make_devices(folder):
    mount("-t", "tmpfs", "-o", "mode=755,size=64k", "none", folder)
    for name, numbers in DEVICES.items():
        os.mknod(f"{folder}/{name}", stat.S_IFCHR | 0o666, os.makedev(*numbers))
        os.chmod(f"{folder}/{name}", 0o666)
    mount("-o", "remount,ro", folder)


def give_everything_up(uid, gid):
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in range(CAPABILITIES):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs")


def main():
    told = json.loads(sys.argv[1])
    root = told["root"]
    mount("--bind", root, root)
    mount("-t", "proc", "none", f"{root}/proc")
    make_devices(f"{root}/dev")
    for target, source in told["mounts"].items():
        make_mount_point(f"{root}{target}", os.path.isdir(source))
        mount("--bind", source, f"{root}{target}")
    mount("-o", "remount,bind,ro", root)
    os.umask(0o022)
    os.chroot(root)
    os.chdir(told["folder"])
    give_everything_up(told["uid"], told["gid"])
    os.execve(told["command"][0], told["command"], told["environment"])


main()
