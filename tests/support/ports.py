"""Where a server is: wherever a test only hands a port on, the client still knows what else it must."""

import socket

LOCAL = "127.0.0.1"


class Port(int):
    host = LOCAL
    tls = None  # the ssl.SSLContext to dial it with; None: it speaks plainly


def host(port):
    return getattr(port, "host", LOCAL)


def free_port():
    """One that nobody had a moment ago, for what cannot be told to find its own."""
    with socket.create_server((LOCAL, 0)) as probe:
        return probe.getsockname()[1]
