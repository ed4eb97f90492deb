"""Where a server is: wherever a test only hands a port on, the client still knows what else it must."""

LOCAL = "127.0.0.1"


class Port(int):
    host = LOCAL
    tls = None  # the ssl.SSLContext to dial it with; None: it speaks plainly


def host(port):
    return getattr(port, "host", LOCAL)
