"""The image as docker/build has left it: what its archive says and holds, read as an engine reads it."""

import email
import functools
import gzip
import hashlib
import json
import pathlib
import stat
import tarfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
ARCHIVE = ROOT / "build/image/confab.tar"
SBOM = ROOT / "build/image/confab.cdx.json"
PACKAGES = "var/lib/dpkg/status.d"


class Image:
    """Of an archive of `docker save`: manifest.json names the configuration and the layers in their order."""

    def __init__(self, path=ARCHIVE):
        self.archive = tarfile.open(path)
        [manifest] = json.load(self.archive.extractfile("manifest.json"))
        self.config_bytes = self.archive.extractfile(manifest["Config"]).read()
        described = json.loads(self.config_bytes)
        self.config = described["config"]
        self.history = described["history"]
        self.diff_ids = described["rootfs"]["diff_ids"]
        self.layer_names = manifest["Layers"]

    def layer_bytes(self):
        """As they are unpacked; some engines save them compressed."""
        for name in self.layer_names:
            content = self.archive.extractfile(name).read()
            yield gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content

    @functools.cached_property
    def entries(self):
        """Path without a leading slash -> tarfile.TarInfo; a later layer's over an earlier one's."""
        found = {}
        for name in self.layer_names:
            with tarfile.open(fileobj=self.archive.extractfile(name)) as layer:
                for entry in layer:
                    path = entry.name.removeprefix("./").strip("/")
                    assert not pathlib.PurePath(path).name.startswith(".wh."), f"a layer that removes: {path}"
                    if path:
                        found[path] = entry
        return found

    def files(self):
        return {path: entry for path, entry in self.entries.items() if entry.isfile()}

    def unpack(self, folder):
        """Owners and modes included, as root."""
        folder.chmod(0o755)
        for name in self.layer_names:
            with tarfile.open(fileobj=self.archive.extractfile(name)) as layer:
                layer.extractall(folder, numeric_owner=True)
        return folder

    def environment(self):
        return dict(variable.split("=", 1) for variable in self.config["Env"])


def is_elf(path):
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def packages(root):
    """name -> fields, of the packages that the image holds parts of."""
    found = {}
    for path in sorted((root / PACKAGES).iterdir()):
        if path.suffix != ".md5sums":
            fields = email.message_from_string(path.read_text())  # the form of dpkg's database is that of a letter's head
            assert fields["Package"] == path.name
            found[path.name] = fields
    return found


def sums(root):
    """path -> (package, md5) of the files that come from packages."""
    found = {}
    for path in sorted((root / PACKAGES).glob("*.md5sums")):
        for line in path.read_text().splitlines():
            digest, name = line.split(maxsplit=1)
            found[name] = (path.stem, digest)
    return found


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


def may(mode, bits):
    return bool(stat.S_IMODE(mode) & bits)
