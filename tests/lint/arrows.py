#!/usr/bin/python3
"""arrows.py BUILD_DIR: an include against the arrows between the folders must not compile.

Takes from compile_commands.json how each folder's sources are compiled, and compiles one line with
those flags: its own header and those left of it must be found, all others not.
"""
import json
import pathlib
import shlex
import subprocess
import sys

HEADERS = {"base": "buf.h", "transports": "wire/msg.h", "store": "store.h", "actors": "actor.h"}
MAY_INCLUDE = {"base": {"base"}, "transports": {"base", "transports"}, "store": {"base", "store"},
               "actors": {"base", "transports", "store", "actors"}}


def flags_of(folder, commands, root):
    for command in commands:
        source = pathlib.Path(command["file"])
        if source.parent.is_relative_to(root / folder):
            words = shlex.split(command["command"])
            keep, take_next = [words[0]], False
            for word in words[1:]:
                if take_next or word.startswith(("-I", "-D", "-std")):
                    keep.append(word)
                    take_next = False
                elif word in ("-iquote", "-isystem"):
                    keep.append(word)
                    take_next = True
            return keep
    sys.exit(f"no source of {folder}/ in the compilation database")


def compiles(flags, header):
    run = subprocess.run([*flags, "-fsyntax-only", "-x", "c", "-"], text=True, capture_output=True,
                         input=f'#include "{header}"\n')
    return run.returncode == 0


def main():
    build, root = pathlib.Path(sys.argv[1]), pathlib.Path(__file__).resolve().parents[2]
    commands = json.loads((build / "compile_commands.json").read_text())
    status = 0
    for folder, allowed in MAY_INCLUDE.items():
        flags = flags_of(folder, commands, root)
        for other, header in HEADERS.items():
            if compiles(flags, header) != (other in allowed):
                print(f"{folder}/ {'cannot' if other in allowed else 'can'} include {header} of {other}/")
                status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
