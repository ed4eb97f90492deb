"""A quote service on a bare socket that answers as a test tells it to, by stock code: well, badly, late,
never, without an end, or with a redirect to where nobody may go.

    with Quotes() as quotes:
        quotes.answers["AAPL.US"] = csv("AAPL.US", "93.42")
        ...CONFAB_STOCK_URL=quotes.url...
        quotes.asked  # the codes, in the order they were asked for

An answer is bytes, a list of pieces (an endless iterator ends when the client goes), or a function that
gets the connection. hold(code) keeps requests for a code waiting until release(code)."""

import gzip
import itertools
import os
import socket
import threading
import urllib.parse

ADDRESS = os.environ.get("CONFAB_TEST_ADDRESS", "127.0.0.1")  # where hosts of their own reach this one
HEADER = "Symbol,Date,Time,Open,High,Low,Close,Volume\r\n"


def response(body, status="200 OK", headers=""):
    body = body if isinstance(body, bytes) else body.encode()
    return (f"HTTP/1.1 {status}\r\nContent-Type: text/csv\r\nContent-Length: {len(body)}\r\n{headers}\r\n").encode() + body


def csv(symbol, close):
    return response(f"{HEADER}{symbol},2026-01-28,22:00:01,92.1,94,91.5,{close},1234567\r\n")


def status(line):
    return response("Sorry", line)


def redirect(to):
    return response("", "302 Found", f"Location: {to}\r\n")


class forever:
    """Once a head, then the same piece on and on; to everybody who asks."""

    def __init__(self, head, piece):
        self.head, self.piece = head, piece

    def __iter__(self):
        return itertools.chain([self.head], itertools.repeat(self.piece))


def silent(connection):
    """Reads on and says nothing."""
    while connection.recv(4096):
        pass


def drip(connection):
    """A byte now and then, for ever: quicker than any limit on silence, slower than any quote."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    pause = threading.Event()
    while True:
        connection.sendall(b"x")
        pause.wait(0.02)


def early_close(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nSymbol,Da")


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    connection.close()


def gzip_bomb():
    body = gzip.compress(b"A" * 10_000_000)
    return response(body, headers="Content-Encoding: gzip\r\n")


# code -> (answer, does the server try again?); all of these are failures
FAULTS = {
    "S500": (status("500 Internal Server Error"), True),
    "S503": (status("503 Service Unavailable"), True),
    "S404": (status("404 Not Found"), False),
    "HTML": (response("<!DOCTYPE html>\n<html><body><p class=\"x\">Hello, you</p></body></html>\n"), False),
    "LIMIT": (response("Exceeded the daily hits limit"), False),
    "NAN": (csv("NAN", "NaN"), False),
    "INF": (csv("INF", "Inf"), False),
    "HEX": (csv("HEX", "0x1p4"), False),
    "COMMA": (csv("COMMA", "\"93,42\""), False),
    "FEW": (response("Symbol,Date,Time,Open,High,Low\r\nFEW,d,t,1,2,3\r\n"), False),
    "UNEVEN": (response("Symbol,Date,Time,Open,High,Low,Close,Volume\r\nUNEVEN,d,t,1,2,3,4\r\n"), False),
    "EMPTY": (response(""), False),
    "HEADER": (response(HEADER), False),
    "UTF8": (csv("UTF8", "1").replace(b"UTF8,", b"UT\xffF8,"), False),
    "CONTROL": (csv("A\x1b[2J", "1"), False),
    "NOBODY": (b"HTTP/1.1 204 No Content\r\n\r\n", True),
    "GARBAGE": (b"\x00\x01\x02\x03\r\n\r\n", True),
    "BODY": (forever(b"HTTP/1.1 200 OK\r\n\r\n", b"A,B,C,D,E,F,G,H\r\n" * 512), False),
    "BIG": (response(HEADER + "A" * 20000), False),
    "COLUMNS": (response("1," * 1_000_000 + "1\r\n" + "1," * 1_000_000 + "1\r\n"), False),
    "BOMB": (gzip_bomb(), False),
    "HEADERS": (forever(b"HTTP/1.1 200 OK\r\n", b"X-More: and more\r\n" * 100), False),
    "LINE": (forever(b"HTTP/1.1 200 OK\r\nX-Long: ", b"more and " * 1000), None),
    "EARLY": (early_close, True),
    "RESET": (reset, True),
    "SILENT": (silent, True),
    "DRIP": (drip, True),
    "META": (redirect("http://169.254.169.254/latest/meta-data/"), False),
    "V6": (redirect("http://[::1]:80/"), False),
    "MAPPED": (redirect("http://[::ffff:127.0.0.1]:80/"), False),
    "ZERO": (redirect("http://0.0.0.0/"), False),
    "TEN": (redirect("http://10.0.0.1/"), False),
    "FILE": (redirect("file:///etc/passwd"), False),
    "FTP": (redirect("ftp://127.0.0.1/x"), False),
    "USER": (redirect("http://user:password@127.0.0.1/"), False),
    "LOOP": (redirect("/q/l/?s=LOOP"), True),
}


class Quotes:
    def __init__(self):
        self.answers = {}
        self.asked = []
        self.paths = []
        self.heads = []
        self.held = {}  # code -> Event
        self._grew = threading.Condition()
        self._listener = socket.create_server((ADDRESS, 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://{ADDRESS}:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Nobody is there any more."""
        if self._listener.fileno() < 0:
            return
        for event in self.held.values():
            event.set()
        self._listener.shutdown(socket.SHUT_RDWR)  # ends the accept of the other thread as well
        self._listener.close()

    def hold(self, code):
        self.held[code] = threading.Event()

    def release(self, code):
        self.held.pop(code).set()

    def wait_asked(self, count, limit=60):
        """Until so many requests have come."""
        with self._grew:
            assert self._grew.wait_for(lambda: len(self.asked) >= count, limit), self.asked

    def times(self, code):
        return self.asked.count(code)

    # -- serving

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            with connection:
                while self._one(connection):
                    pass
        except OSError:
            pass  # the client has gone, which is its right

    def _one(self, connection):
        head = b""
        while b"\r\n\r\n" not in head:
            piece = connection.recv(4096)
            if not piece:
                return False
            head += piece
        path = head.split(b" ", 2)[1].decode()
        code = urllib.parse.parse_qs(urllib.parse.urlsplit(path).query).get("s", [""])[0]
        with self._grew:
            self.asked.append(code)
            self.paths.append(path)
            self.heads.append(head.decode())
            self._grew.notify_all()
        event = self.held.get(code)
        if event:
            event.wait()
        answer = self.answers.get(code, csv(code, "93.42"))
        if callable(answer):
            answer(connection)
            return False
        if isinstance(answer, bytes):
            connection.sendall(answer)
            return True
        for piece in answer:
            connection.sendall(piece)
        return False
