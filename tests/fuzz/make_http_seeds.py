#!/usr/bin/python3
"""Writes the seeds of fuzz_head, fuzz_chunked, fuzz_server_frames, fuzz_traceparent, fuzz_network and fuzz_hello into
corpus/. The files are checked in; run
this again only after changing it."""
import pathlib
import struct

HERE = pathlib.Path(__file__).parent / "corpus"
HOST = b"Host: a.example:8080\r\n"
KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
WS = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" + KEY


def head(line, *fields):
    return line + b"\r\n" + b"".join(fields) + b"\r\n"


def heads():
    get = b"GET / HTTP/1.1"
    post = b"POST /api/v1/auth/login HTTP/1.1"
    for target in (b"/", b"/a/b?c=d&e", b"*", b"http://h/x?y", b"https://h", b"//", b"/%00", b"/../x",
                   b"/" + b"x" * 300, b"a", b"/#f", b"/ws/chat/0190a1b2-0000-7000-8000-000000000000"):
        yield head(b"GET " + target + b" HTTP/1.1", HOST)
    for method in (b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"CONNECT", b"G@T"):
        yield head(method + b" / HTTP/1.1", HOST)
    for version in (b"HTTP/1.0", b"HTTP/1.9", b"HTTP/2.0", b"HTTP/0.9", b"http/1.1", b"HTTP/1.1 "):
        yield head(b"GET / " + version, HOST)
    for length in (b"0", b"5", b"+5", b"5, 5", b"999999999999999999999", b"", b"0005", b"-1"):
        yield head(post, HOST, b"Content-Length: " + length + b"\r\n") + b"hello"
    yield head(post, HOST, b"Content-Length: 5\r\n", b"Content-Length: 6\r\n")
    yield head(post, HOST, b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n") + b"0\r\n\r\n"
    yield head(post, HOST, b"Transfer-Encoding: chunked\r\n") + b"5\r\nhello\r\n0\r\n\r\n"
    yield head(post, HOST, b"Expect: 100-continue\r\n", b"Content-Length: 5\r\n")
    for host in (b"[::1]:80", b"[::1", b"", b"a b", b"u@h", b"h:", b":80", b"h:8x"):
        yield head(get, b"Host: " + host + b"\r\n")
    yield head(get, HOST, HOST)
    yield head(get, HOST, b"X: y\r\n folded\r\n")
    yield head(get, HOST, b"X : y\r\n")
    yield head(get, HOST, b"no colon\r\n")
    yield head(get, HOST, b"X: a\0b\r\n")
    yield head(get, HOST, b"X: a\nb\r\n")
    yield head(get, HOST, b"X: a\rb\r\n")
    yield head(get, HOST, b"Connection: close, x\r\n", b"Connection: keep-alive\r\n")
    yield head(get, HOST, b"X-Forwarded-For: 1.1.1.1\r\n", b"X-Forwarded-For: 2.2.2.2, ::1\r\n")
    yield head(get, HOST, b"Cookie: session_id=abc; b=c\r\n", b"Origin: http://a\r\n")
    yield head(get, HOST, b"Cookie: a=b\r\n", b"Cookie: c=d\r\n")
    yield head(get, HOST, b"X: y\r\n" * 101)
    yield head(get, HOST, WS)
    yield head(get, HOST, WS.replace(b"13", b"8"))
    yield head(get, HOST, WS.replace(b"dGhl", b"!!!!"))
    yield head(get, HOST, WS.replace(b"Upgrade: w", b"Upgrade: h2c, W"))
    yield b"\r\n" + head(get, HOST)
    yield b"GET / HTTP/1.1\nHost: a\n\n"
    yield b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    yield b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def chunked():
    """Bodies in the chunked coding, good and bad."""
    for sizes in ((), (5,), (1, 1, 1), (300, 700), (1001,)):
        yield b"".join(b"%x\r\n%s\r\n" % (size, b"c" * size) for size in sizes) + b"0\r\n\r\n"
    for line in (b"5;a=b", b"5 ", b"+5", b"0x5", b"5;\x01", b"0" * 15 + b"5", b"f" * 16, b"5;" + b"e" * 500, b""):
        yield line + b"\r\nhello\r\n0\r\n\r\n"
    for trailer in (b"X: y\r\n", b"X: y\r\n folded\r\n", b"X : y\r\n", b"no colon\r\n", b"X: y\n", b"A:\r\n" * 50):
        yield b"5\r\nhello\r\n0\r\n" + trailer + b"\r\nGET / HTTP/1.1\r\n"
    yield b"5\nhello\n0\n\n"
    yield b"5\r\nhello0\r\n\r\n"
    whole = b"5;a=\"b c\"\r\nhello\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\n"
    for cut in range(0, len(whole), 2):  # each way to end too early
        yield whole[:cut]
    for at in range(0, len(whole), 6):  # and each place of a stray byte
        yield whole[:at] + b"\0" + whole[at:]
        yield whole[:at] + b"\r" + whole[at:]


def frame(first, payload=b"", mask=b"\x37\xfa\x21\x3d", length=None):
    size = len(payload) if length is None else length
    out = bytes([first])
    bit = 0x80 if mask is not None else 0
    if size < 126:
        out += bytes([bit | size])
    elif size < 65536:
        out += bytes([bit | 126]) + struct.pack(">H", size)
    else:
        out += bytes([bit | 127]) + struct.pack(">Q", size)
    if mask is None:
        return out + payload
    return out + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


def frames():
    for size in (0, 1, 2, 3, 125, 126, 127, 1023, 1024, 1025, 1999, 2000, 2001, 4000):
        yield frame(0x81, b"m" * size)
    for text in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", "\u20ac\U0001f600".encode(), b"ok\xe2\x82"):
        yield frame(0x81, text)
        yield frame(0x82, text)
    for first in (0x80, 0x83, 0x8B, 0x8F, 0xC1, 0xA1, 0x91, 0x09, 0x08, 0x0A, 0x00):
        yield frame(first, b"x")
    for payload in (b"", b"\x03", b"\x03\xe8", b"\x03\xe8bye", b"\x00\x00", b"\x03\xed", b"\x0f\xa0\xff",
                    b"\x03\xe8" + b"r" * 123, b"\x03\xe8" + b"r" * 124):
        yield frame(0x88, payload)
    yield frame(0x89) + frame(0x8A) + frame(0x81, b"after")
    yield frame(0x89, b"p" * 125)
    yield frame(0x89, b"p" * 126)
    yield frame(0x89, b"1") + frame(0x89, b"2") + frame(0x89, b"3")
    yield frame(0x01, b"one ") + frame(0x89, b"p") + frame(0x00, b"two ") + frame(0x80, b"three")
    yield frame(0x01, b"\xe2") + frame(0x00, b"\x82") + frame(0x80, b"\xac")
    yield frame(0x01, b"a") + frame(0x81, b"b")
    yield frame(0x01, b"a" * 1500) + frame(0x00, b"b" * 1500)
    yield frame(0x01) + frame(0x00) * 50 + frame(0x80)
    yield frame(0x81, b"hi", mask=None)
    yield frame(0x81, b"hi", mask=b"\0\0\0\0")
    yield frame(0x81, b"", length=2 ** 63 - 1)
    yield frame(0x81, b"m", length=2 ** 64 - 1)
    yield frame(0x81, b"m", length=70000)
    yield b"\x81\xfe\x00\x05\x01\x02\x03\x04hello"
    yield frame(0x81, b"12") + frame(0x81, b"abc") * 20
    yield frame(0x88, b"\x03\xe8") + frame(0x81, b"late")
    yield frame(0x81, b"half")[:-2]


def connections():
    """(behind an upgrade, bytes per send, bytes)"""
    for i, data in enumerate(frames()):
        yield 1, (0, 1, 7)[i % 3], data
    for i, data in enumerate(heads()):
        if i % 4 == 0:
            yield 0, (0, 1, 50)[i % 3], data
    get = head(b"GET /x HTTP/1.1", HOST)
    yield 0, 0, get * 5
    yield 0, 9, get + head(b"POST / HTTP/1.1", HOST, b"Content-Length: 5\r\n") + b"hello" + get
    yield 0, 0, get + head(b"GET / HTTP/1.1", HOST, WS)
    yield 0, 0, head(b"GET / HTTP/1.1", HOST, WS) + frame(0x81, b"early")
    for i, data in enumerate(chunked()):
        yield 0, (0, 1, 7)[i % 3], head(b"POST / HTTP/1.1", HOST, b"Transfer-Encoding: chunked\r\n") + data + get


def traceparents():
    trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    for version in ("00", "01", "fe", "ff", "0g", "0", "000", "FF"):
        for flags in ("00", "01", "zz", "1"):
            yield f"{version}-{trace}-{span}-{flags}".encode()
    good = f"00-{trace}-{span}-01"
    for text in (good + "-more", good + "-", good + " ", " " + good, "cc" + good[2:] + "-what comes", good.upper(), "",
                 f"00-{'0' * 32}-{span}-01", f"00-{trace}-{'0' * 16}-01", f"00-{trace[:-1]}-{span}-01",
                 f"00-{trace}0-{span}-01", f"00_{trace}_{span}_01", good[:-1], good[:35], "-" * 55, "0" * 55,
                 good[:10] + "\0" + good[11:], good + "," + good, good * 10):
        yield text.encode()


def networks():
    for text in ("", "0.0.0.0", "127.0.0.1", "255.255.255.255", "256.1.1.1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.4 ",
                 " 1.2.3.4", "1.2.3.4:80", "[::1]", "::1", "::", "::ffff:1.2.3.4", "::ffff:0:0", "2001:db8::1", "fe80::1%eth0",
                 "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8:9", ":::", "g::", "12345::", "unknown", "_hidden", "1.2.3.4\0", "\0",
                 "f" * 39, "f" * 46, "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "0x7f.1", "2130706433"):
        yield b"\0" + text.encode()
        yield b"\1" + text.encode()
    for text in ("10.0.0.0/8", "10.0.0.1/8", "0.0.0.0/0", "::/0", "1.2.3.4/32", "1.2.3.4/33", "::1/128", "::1/129", "fd00::/8",
                 "fd00::1/8", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0.0/8/8", "10.0.0.0/999", "10.0.0.0/9999", "/8"):
        yield b"\1" + text.encode()


def hellos():
    for first in (0, 20, 21, 22, 23, 71, 128, 255):  # 71: "G", of plain HTTP
        for record, kind, message in ((0, 1, 0), (4, 1, 0), (512, 1, 508), (512, 1, 600), (16384, 1, 16380),
                                      (16385, 1, 5), (512, 2, 508), (5, 1, 16384), (5, 1, 16385), (3, 1, 1)):
            yield bytes([first, 3, 1]) + record.to_bytes(2, "big") + bytes([kind]) + message.to_bytes(3, "big")
    for data in (b"GET / HTTP/1.1", b"\x16\x02\x00", b"\x16\x04\x00\x02\x00\x01\x00\x01\xfc", b"\xff" * 9, b"\0" * 9):
        yield data


def write(name, seeds):
    folder = HERE / name
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(seeds):
        (folder / f"{number:03d}").write_bytes(data)


write("head", heads())
write("traceparent", traceparents())
write("network", networks())
write("hello", hellos())
write("chunked", (bytes([i]) + data for i, data in enumerate(chunked())))
write("server_frames", (bytes([kind, step]) + data for kind, step, data in connections()))
