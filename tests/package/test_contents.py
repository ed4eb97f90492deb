"""What is in the package, and what the tools of Debian and systemd say of it."""

import json
import pathlib
import re
import subprocess

import pytest

import debian

UNIT_SCORE_MAX = 1.5  # of ten, by systemd-analyze; less is better
BINARY = "usr/bin/confab"
CHECKSEC = {"relro": "full", "canary": "yes", "nx": "yes", "pie": "yes", "rpath": "no", "runpath": "no", "symbols": "no",
            "fortify_source": "yes"}


def run(*words, **options):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, timeout=debian.LIMIT_S, **options)


@pytest.fixture(scope="session")
def tree(package, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tree")
    subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
    return folder


@pytest.fixture(scope="session")
def binary():
    """Not that of the package, as its libraries are those of this machine in any case."""
    return debian.ROOT / "build/package/confab"


def test_lintian_has_nothing_to_say(package):
    """But for these: whoever builds it says who they are (CONFAB_MAINTAINER); it is not for Debian's own archive, so it closes no
    bug there and has no script for another init; the compiler's name stays in the binary."""
    left = ["bogus-mail-host", "bogus-mail-host-in-debian-changelog", "initial-upload-closes-no-bugs",
            "package-supports-alternative-init-but-no-init.d-script", "binary-has-unneeded-section"]
    found = run("lintian", "--allow-root", "--pedantic", "--display-info", "--fail-on=error,warning,info,pedantic",
                f"--suppress-tags={','.join(left)}", package)
    assert found.returncode == 0, found.stdout + found.stderr


def test_the_unit_exposes_little(tree):
    unit = tree / "usr/lib/systemd/system/confab.service"
    said = run("systemd-analyze", "security", "--offline=true", "--no-pager", unit).stdout
    score = float(re.search(r"exposure level for confab\.service: ([0-9.]+)", said)[1])
    assert score <= UNIT_SCORE_MAX, said


def test_the_unit_is_understood_in_full(tree):
    """verify looks on this machine for the program, so it is given its name there."""
    unit = tree / "confab.service"
    unit.write_text((tree / "usr/lib/systemd/system/confab.service").read_text().replace("/usr/bin/confab", str(tree / BINARY)))
    found = run("systemd-analyze", "--man=no", "verify", unit)
    unit.unlink()
    assert found.returncode == 0 and found.stderr == ""


def test_what_is_stopped_by_systemd_had_time_to_drain(tree):
    service = (tree / "usr/lib/systemd/system/confab.service").read_text()
    default = re.search(r"X\(shutdown, timeout, DURATION, \"(\d+)s\"", (debian.ROOT / "base/config_keys.h").read_text())
    assert int(re.search(r"TimeoutStopSec=(\d+)s", service)[1]) > int(default[1])


@pytest.mark.parametrize("page", ["man1/confab.1", "man5/confab.yaml.5"])
def test_manual_pages_are_formatted_without_a_warning(tree, page):
    found = run("man", "--warnings", "--local-file", "-E", "UTF-8", "-Tutf8", "-Z", tree / f"usr/share/man/{page}.gz",
                env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin", "MANWIDTH": "80"})
    assert found.returncode == 0 and found.stderr == "" and "NAME" in found.stdout


def page_of(tree, page):
    """As people read it, on one line."""
    said = run("man", "--local-file", tree / f"usr/share/man/{page}.gz", env={
        "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin", "MANWIDTH": "1000", "MAN_KEEP_FORMATTING": "", "GROFF_NO_SGR": "1"}).stdout
    return re.sub(r".\x08", "", said)


def test_the_manual_has_every_command(tree, binary):
    manual = page_of(tree, "man1/confab.1")
    usage = run(binary, "help").stdout
    commands = [line[2:18].strip(" .") for line in usage.splitlines()[2:] if not line.startswith("  ctl")]
    commands += [f"ctl {' '.join(line.split()[:2])}" for line in run(binary, "ctl").stderr.splitlines() if re.match("  [a-z]", line)]
    assert len(commands) > 10
    for command in commands:
        assert f"confab {command}" in manual, command


def test_the_manual_has_every_setting(tree):
    manual = page_of(tree, "man5/confab.yaml.5")
    settings = re.findall(r"^    X\((\w+), (\w+), [A-Z_]+,", (debian.ROOT / "base/config_keys.h").read_text(), flags=re.M)
    assert len(settings) > 80
    sections = dict(re.findall(r"^([A-Z]+)\n(.*?)(?=^[A-Z]|\Z)", manual, flags=re.M | re.S))
    for section, key in settings:
        assert re.search(rf"^ +{key}\b", sections[section.upper()], flags=re.M), f"{section}.{key}"


@pytest.mark.parametrize("typed, offered", [
    (["se"], ["seed", "serve"]), (["user", ""], ["import"]), (["ctl", ""], ["dead-letters", "rooms", "users"]),
    (["ctl", "rooms", "t"], ["top"]), (["ctl", "rooms", "top", ""], []), (["user", "import", "--s"], ["--sessions", "--set"]),
    (["serve", "--o"], ["--only"]), (["serve", "--only", ""], ["all", "rooms", "stockbot"]),
    (["check-config", "--set", "shutdown."], ["shutdown.timeout="]), (["nonsense", ""], []),
    (["sm"], ["smoke"]), (["smoke", "--"], ["--any-certificate", "--ca", "--config", "--seconds", "--set"])])
def test_completion_in_bash(tree, binary, typed, offered):
    script = """source "$1"; COMP_WORDS=("${@:2}"); COMP_CWORD=$(($# - 2)); _confab 2>/dev/null; printf '%s\\n' "${COMPREPLY[@]}" """
    found = run("bash", "--norc", "-c", script, "bash", tree / "usr/share/bash-completion/completions/confab", binary, *typed)
    assert sorted(set(found.stdout.split())) == offered, found.stderr


def test_nothing_in_it_has_more_rights_than_its_user(tree):
    for path in pathlib.Path(tree).rglob("*"):
        assert path.is_symlink() or path.stat().st_mode & 0o7022 == 0, path


def test_the_binary_is_hardened(tree):
    """What tests/lint/hardening asks of any, in what is delivered; and as checksec sees it."""
    found = run(debian.ROOT / "tests/lint/hardening", tree / BINARY)
    assert found.returncode == 0, found.stdout
    said = json.loads(run("checksec", f"--file={tree / BINARY}", "--output=json").stdout)[str(tree / BINARY)]
    assert {name: said[name] for name in CHECKSEC} == CHECKSEC


def test_settings_hold_no_secret(tree):
    lines = [line for line in (tree / "etc/confab/confab.yaml").read_text().splitlines() if line and not line.lstrip().startswith("#")]
    assert lines == ["http:", "  listen: 127.0.0.1:8080", "node:", "  environment: production", "  data_dir: /var/lib/confab"]


def test_completion_in_zsh(tree, binary, tmp_path):
    """As somebody types it, on a terminal."""
    theirs = (tree / "usr/share/zsh/vendor-completions/_confab").read_text()
    (tmp_path / "_confab").write_text(theirs.replace("/usr/share", f"{tree}/usr/share"))
    (tmp_path / "confab").symlink_to(binary)
    script = f"""zmodload zsh/zpty; zpty shell env TERM=dumb PATH={tmp_path}:/usr/bin:/bin zsh -f -i
        zpty -w shell 'PS1=; fpath=({tmp_path} $fpath); autoload -U compinit && compinit -u -D; echo be''gin'
        zpty -r -m shell said '*begin*'
        zpty -w -n shell $'confab check-config --set shutdown.ti\t'
        zpty -r -m shell said '*timeout=*' && print -r -- $said; zpty -d shell"""
    assert "shutdown.timeout=" in run("zsh", "-f", "-c", script).stdout


@pytest.mark.parametrize("typed, offered", [
    ("se", ["seed", "serve"]), ("ctl rooms t", ["top"]), ("check-config --set shutdown.", ["shutdown.timeout="]), ("nonsense ", [])])
def test_completion_in_fish(tree, binary, tmp_path, typed, offered):
    """As fish offers it for what is typed."""
    theirs = (tree / "usr/share/fish/vendor_completions.d/confab.fish").read_text()
    (tmp_path / "confab.fish").write_text(theirs.replace("/usr/share", f"{tree}/usr/share"))
    (tmp_path / "confab").symlink_to(binary)
    found = run("fish", "--no-config", "-c", f"source {tmp_path}/confab.fish; complete -C 'confab {typed}'",
                env={"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path)})
    assert found.stdout.split() == offered, found.stderr
