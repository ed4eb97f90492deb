"""Certificates made on the spot, and what a client needs to trust them."""

import itertools
import pathlib
import ssl
import subprocess

NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"
_serials = itertools.count(1001)


class Certificate:
    """A certificate that vouches for itself, with its key; renewed in place."""

    def __init__(self, folder):
        self.cert, self.key = pathlib.Path(folder) / "cert.pem", pathlib.Path(folder) / "key.pem"
        self.renew()

    def renew(self, days=30, at=None):
        """Another key, another serial number; made at a time that faketime(1) understands. Returns the number."""
        self.serial = next(_serials)
        subprocess.run([*(["faketime", at] if at else []), "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", str(self.key), "-out", str(self.cert), "-days", str(days), "-subj", "/CN=localhost",
                        "-addext", NAMES, "-set_serial", str(self.serial)],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        return self.serial

    def context(self):
        """A client that trusts the certificate as it is now, and no other."""
        return ssl.create_default_context(cafile=str(self.cert))

    def settings(self):
        return {"CONFAB_HTTP_TLS_CERT_FILE": str(self.cert), "CONFAB_HTTP_TLS_KEY_FILE": str(self.key)}
