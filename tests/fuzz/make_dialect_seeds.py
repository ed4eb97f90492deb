#!/usr/bin/python3
"""Writes the seeds of fuzz_client_frame, fuzz_rest_body, fuzz_query, fuzz_cookie, fuzz_encoders, fuzz_env,
fuzz_command, fuzz_quote and fuzz_otlp: make_dialect_seeds.py CORPUS_FOLDER"""
import json
import pathlib
import sys


def write(folder, seeds):
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in seeds.items():
        (folder / name).write_bytes(data)


def frame_seeds():
    seeds = {}

    def add(name, data):
        seeds[name] = data if isinstance(data, bytes) else data.encode()

    for name, text in {
        "plain": "hi", "blank": " ", "empty": "", "emoji": "\U0001f600", "umlaut": "äöü",
        "separators": "\u2028\u2029", "html": "<script>&amp;</script>", "quotes": "\"\\/",
        "lines": "a\tb\nc\rd", "nul": "a\0b", "escape": "\x1b[31m", "delete": "\x7f",
        "stock": "/stock=aapl.us", "stock_long": "/stock=" + "A" * 20,
        "stock_too_long": "/stock=" + "A" * 21, "stock_empty": "/stock=", "hello": "/hello",
        "hello_trimmed": " \t\r\n/hello \n", "hello_bob": "/hello bob", "help": "/help",
        "full_ascii": "a" * 1000, "over_ascii": "a" * 1001, "full_emoji": "\U0001f600" * 1000,
        "over_emoji": "\U0001f600" * 1001, "full_euro": "€" * 1000,
    }.items():
        add(name, json.dumps({"content": text}))
        if len(text) < 100:
            add(name + "_raw", json.dumps({"content": text}, ensure_ascii=False))
    for name, key in {"key": "k1", "key_full": "k" * 64, "key_over": "k" * 65, "key_blank": "a b",
                      "key_empty": "", "key_utf8": "ä", "key_number": 7, "key_null": None}.items():
        add(name, json.dumps({"content": "hi", "client_key": key}))
    add("k6", '{"type":"chat_message","content":"x","timestamp":1700000000000}')
    add("page", '{"content":"x","timestamp":"2026-01-28T10:30:00.123Z"}')
    add("upper", '{"CONTENT":"x"}')
    add("twice", '{"content":"x","Content":"y","content":"z"}')
    add("trailing", '{"content":"x"} {"content":"y"}')
    add("array", '["content","x"]')
    add("number", '{"content":1e999}')
    add("cut", '{"content":"x')
    add("surrogate", '{"content":"\\ud800"}')
    add("pair", '{"content":"\\ud83d\\ude00"}')
    add("ill_formed", b'{"content":"\xff\xfe"}')
    add("deep", '{"content":' + "[" * 3000)
    add("nothing", b"")
    return seeds


def rest_seeds():
    seeds = {}

    def add(kind, name, data):
        seeds[name] = bytes([kind]) + (data if isinstance(data, bytes) else data.encode())

    def register(name, username="abc", email="a@test.com", password="password123"):
        add(0, "register_" + name,
            json.dumps({"username": username, "email": email, "password": password}))

    register("plain")
    register("name_short", username="ab")
    register("name_full", username="a" * 50)
    register("name_over", username="a" * 51)
    register("name_dash", username="a-b")
    register("bot", username="StockBot")
    register("mail_long", email="a" * 246 + "@test.com")
    register("mail_over", email="a" * 247 + "@test.com")
    register("mail_no_dot", email="a@test")
    register("mail_two", email="a@b@c.com")
    register("mail_dots", email="a@b..com")
    register("mail_nul", email="a@b.com\0")
    register("password_short", password="p" * 7)
    register("password_full", password="p" * 100)
    register("password_over", password="p" * 101)
    add(0, "register_empty", "{}")
    add(0, "register_case", '{"USERNAME":"abc","Email":"a@b.co","password":"password123"} more')
    add(0, "register_types", '{"username":7,"email":[],"password":{}}')
    add(0, "register_ill_formed", b'{"username":"\xff\xff\xff"}')
    add(1, "login_plain", '{"username":"abc","password":"password123"}')
    add(1, "login_full", json.dumps({"username": "a", "password": "p" * 1024}))
    add(1, "login_over", json.dumps({"username": "a", "password": "p" * 1025}))
    add(1, "login_null", '{"username":null,"password":null}')
    add(1, "login_nul", '{"username":"a\\u0000b","password":"c"}')
    add(1, "login_number", "7")
    for name, room in {"plain": "a room", "blank": " ", "empty": "", "full": "a" * 100,
                       "over": "a" * 101, "emoji": "\U0001f600" * 100, "line": "a\nb",
                       "escape": "\x1b", "html": "<b>\"'&"}.items():
        add(2, "room_" + name, json.dumps({"name": room}))
    add(2, "room_ephemeral", '{"name":"a","ephemeral":true}')
    add(2, "room_ephemeral_null", '{"name":"a","ephemeral":null}')
    add(2, "room_ephemeral_number", '{"name":"a","ephemeral":1}')
    for i, body in enumerate(["", " ", "{", "}", "[]", "null", "true", "{}{}", '{"name":"a"}x', '{"name":"a","name":"b"}',
                              '{"Name":"a","NAME":"b"}', '{"name":"\\ud83d\\ude00"}', '{"name":"\\ud83d"}', '{"name":"\\u0000"}',
                              '{"name":1e999}', "[" * 2000, '{"a":' * 500, '\t\r\n{"name":"a"}', '{"name":"a",}', "{'name':'a'}",
                              '{"name":"' + "a" * 5000 + '"}', '{"n\\u0061me":"a"}', '{"":"a"}']):
        add(i % 3, f"any_{i:02}", body)
    add(2, "any_ill_formed", b'{"name":"\xed\xa0\x80\xff\xc3"}')
    add(2, "any_bom", b'\xef\xbb\xbf{"name":"a"}')
    return seeds


def query_seeds():
    room = "0190a1b2-0000-7000-8000-000000000000"
    queries = ["", "&", "=", "token", "token=", "token=a", "x=1&token=a&y", "&&&token=a&&", "tokens=a&token=b", "xtoken=a",
               "token=a&token=b", "token=%41%62%2F", "token=a+b", "token=%", "token=%4", "token=%4g", "token=%00", "token=%ff",
               "token=%25", "token==", "token=a=b", "token=a;b", "TOKEN=a", "to%6ben=a", "token=" + "a" * 2000, "%" * 200,
               "limit=1", "limit=0", "limit=-1", "limit=+5", "limit=100", "limit=101", "limit=1e2", "limit=99999999999999999999",
               "limit=x", "limit=%31", "limit= 1", "cursor=" + room, "cursor=" + room.upper(), "cursor=" + room[:-1],
               "cursor=" + room.replace("-", ""), "cursor=x", "before=" + room, "before=2026-01-28T10:30:00Z",
               "before=2026-01-28T10:30:00.123456Z", "before=2026-01-28T10:30:00.1234567890123Z", "before=2026-01-28t10:30:00z",
               "before=2026-01-28T10:30:00+01:00", "before=2026-01-28T10:30:00%2B01:00", "before=2026-01-28T10:30:00-23:59",
               "before=2026-01-28T10:30:00+24:00", "before=2026-02-30T10:30:00Z", "before=0000-01-01T00:00:00Z",
               "before=9999-12-31T23:59:60Z", "before=2026-01-28", "before=2026-01-28T10:30:00.Z", "before=2026-01-28T10:30Z",
               "limit=5&before=2026-01-28T10:30:00Z&limit=7"]
    return {f"{i:02}": query.encode() for i, query in enumerate(queries)}


def cookie_seeds():
    cookies = ["", " ", ";", ";;; ", "session_id", "session_id=", "session_id=a", "x=1; session_id=a; y=2", "xsession_id=a",
               "session_id2=a", "session_idx", ";;; session_id=a=b", "session_id=a;session_id=b", "session_id=a; session_id=b",
               "SESSION_ID=a", " session_id=a", "session_id =a", "session_id= a", "session_id=a ", "session_id=\"a\"", "=session_id",
               "x=session_id=a", "x=y;session_id=a", "x; session_id=a", "x=\"; session_id=a\"", "\tsession_id=a", "session_id=" + "a" * 255,
               "session_id=" + "a" * 256, "x=" + "y" * 4000 + "; session_id=a", "; ".join(f"c{i}={i}" for i in range(99)),
               "session_id=a,b", "session_id=\u00e4", "session_id=%41", "$Version=1; session_id=a"]
    bearers = ["", "B", "Bearer", "Bearer ", "Bearer a", "Bearer abc", "bearer abc", "BEARER abc", "Basic abc", "Bearer  a", "Bearer\ta",
               "Bearera", " Bearer a", "Bearer a b", "Bearer a,b", "Bearer \"a\"", "Bearer " + "a" * 255, "Bearer " + "a" * 256,
               "Bearer =", "Token a", "Bearer a\0b"]
    seeds = {f"cookie_{i:02}": b"\0" + text.encode() for i, text in enumerate(cookies)}
    seeds.update({f"bearer_{i:02}": b"\1" + text.encode() for i, text in enumerate(bearers)})
    return seeds


def encoder_seeds():
    texts = ["", "a", "a b", "\"", "\\", "\\\"", "\n", "\r\n", "\t", "\0", "a\0b", "\x1b[31m", "\x7f", "\x80", "\x9f", "\xa0", "\u2028", "\u2029",
             "<script>", "</script>&amp;", "{}", "[]", ",", ":", "=", "a=\"b\"", "\"}\n{\"level\":\"error\"}", "\\n", "\\u0000", "\ud7ff", "\ue000",
             "\ufeff", "\ufffd", "\U0001f600", "\U0010ffff", "\u202e", "\u200b", "e\u0301", "a" * 254, "a" * 255, "a" * 256, "\"" * 200,
             "\u20ac" * 90, "\U0001f600" * 70, "null", "true", "1", "-", "e", "l"]
    seeds = {f"{i:02}": bytes([i * 5 % 256]) + text.encode() for i, text in enumerate(texts)}
    for i, data in enumerate([b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xe2\x80", b"\xf0\x9f\x98", b"\xf4\x90\x80\x80", b"a\xc3", b"\x80\xbf"]):
        seeds[f"ill_{i}"] = bytes([i]) + data
    return seeds


def env_seeds():
    texts = ["", "\n", "A=1", "A=1\n", "A=1\r\n", "A=", "=1", "A", "A =1", "A= 1", " A=1 ", "\tA=1", "export A=1", "export A", "export", "exportA=1",
             "export  A=1", "# A=1", "A=1 # c", "A=1#c", "A=#c", "A='1'", "A=\"1\"", "A='", "A=\"", "A='1", "A=\"1", "A='1' x", "A='1' # x",
             "A=\"1\"#x", "A=\"\\\"\"", "A=\"\\\\\"", "A=\"\\n\"", "A=\"\\t\"", "A=\"\\", "A='\\'", "A=a b c", "A=a=b", "1A=1", "_A=1", "A-B=1",
             "A.B=1", "\u00c4=1", "A=\u00e4", "A=1\nA=2", "SET=2", "EMPTY=2", "SET=2\nB=3", "A=\0", "\0", "A=1\n\n\nB=2\n", "CONFAB_HTTP_LISTEN=1",
             "A=" + "x" * 3000, "".join(f"V{i}={i}\n" for i in range(512)), "".join(f"V{i}={i}\n" for i in range(513)), "A=${B}", "A=$(id)", "A=`id`"]
    return {f"{i:02}": text.encode() for i, text in enumerate(texts)}


def command_seeds():
    texts = ["", " ", "/", "/s", "/stock", "/stock=", "/stock=a", "/stock=A", "/stock=aapl.us", "/stock=AAPL.US",
             "/stock=.", "/stock=...", "/stock=0", "/stock=a1.b2", "/stock=" + "a" * 19, "/stock=" + "a" * 20,
             "/stock=" + "a" * 21, "/stock=" + "." * 20, "/stock= a", "/stock =a", "/ stock=a", "/stock=a b", "/stock=a-b",
             "/stock=a_b", "/stock=^a", "/stock=a@b", "/stock=a=b", "/stock==", "/stock=a/b", "/stock=a%20", "/stock=a&b=c",
             "/stock=ä", "/stock=a\n", "\t/stock=a", "\r\n /stock=a \t\r\n", "/stock=a\nb", "/stock=a\0", "\0/stock=a",
             "\x0b/stock=a", "/stock=a\x1f", "/Stock=a", "/STOCK=A", "/hello", "/hello ", " /hello", "/HELLO", "/Hello",
             "/hello bob", "/hello/hello", "/hello=a", "/hell", "/helloo", "say /hello", "\u00a0/hello", "/hello\u3000",
             "\u2003/stock=a\u2028", "\u0085/hello\u1680", "\u202f\u205f/hello\u2029", "\u200b/hello", "\ufeff/hello",
             "/hello\u00e0", " " * 5000 + "/hello", "/hello" + "\u2009" * 2000, "/help", "/weather=a"]
    seeds = {f"{i:02}": text.encode() for i, text in enumerate(texts)}
    seeds["ill_formed"] = b"/hello\xc2"
    seeds["ill_formed_before"] = b"\xa0/hello"
    return seeds


def quote_seeds():
    header = "Symbol,Date,Time,Open,High,Low,Close,Volume\r\n"
    seeds = {}

    def row(name, symbol="AAPL.US", close="93.42", rest=",1234567\r\n"):
        seeds[name] = (header + f"{symbol},2026-01-28,22:00:01,92.1,94,91.5,{close}{rest}").encode()

    row("plain")
    row("no_line_end", rest=",1")
    row("carriage_return", rest=",1\r")
    row("two_rows", rest=",1\r\nB,d,t,1,2,3,4,5\r\n")
    row("uneven_rows", rest=",1\r\nB,d\r\n")
    row("short", rest="\r\n")
    row("long", rest=",1,2\r\n")
    row("empty_lines", rest=",1\r\n\r\n\n\n")
    for i, symbol in enumerate(["N/D", "n/d", "", "A" * 32, "A" * 33, "€" * 32, "\U0001f600" * 32, "\"A\"", "\"A,B\"", "\"A\"\"B\"",
                                "\"A", "A\"B\"", "\"A\"B", "A\tB", "A\0B", "\x7f", "\u0085", "\u202e", "\u200b", "\ufeff",
                                "<b>", "A" * 300]):
        row(f"symbol_{i:02}", symbol=symbol)
    for i, close in enumerate(["N/D", "NaN", "nan", "Inf", "-inf", "infinity", "0", "-0", "0.005", "-0.001", "1e2", "1e15", "-1e15",
                               "999999999999999.994", "999999999999999.996", "1e-400", "1e400", "0x1p3", "1,5", "\"1,5\"", "+1",
                               "--1", ".5", "5.", ".", "e5", "1e", "1e+", "1 ", " 1", "1" * 255, "1" * 256, "1" * 257, "",
                               "0." + "3" * 250, "99.995", "1\0"]):
        row(f"close_{i:02}", close=close)
    for name, text in {"nothing": "", "header": header, "line_ends": "\r\n\n\r\r\n", "quote": "\"", "quotes": "\"\"\"\"",
                       "commas": ",,,,,,,\n,,,,,,,\n", "six": "a,b,c,d,e,f\n1,2,3,4,5,6\n",
                       "seven": "a,b,c,d,e,f,g\n1,2,3,4,5,6,7\n", "html": "<!DOCTYPE html>\n<html lang=\"en\"><p>a,b</p></html>",
                       "limit": "Exceeded the daily hits limit", "wide": "1," * 2000 + "\n" + "2," * 2000,
                       "quoted_header": "\"a\nb\",b,c,d,e,f,g\nA,2,3,4,5,6,7\n"}.items():
        seeds[name] = text.encode()
    seeds["latin1"] = header.encode() + b"\xc4,d,t,1,2,3,4,5\n"
    seeds["gzip"] = b"\x1f\x8b\x08\0\0\0\0\0\0\x03"
    return seeds


def otlp_seeds():
    texts = ["", "{}", "[]", "null", "<html>Bad Gateway</html>", '{"partialSuccess":{}}', '{"partialSuccess":null}',
             *(f'{{"partialSuccess":{{"rejectedSpans":{number},"errorMessage":"full"}}}}'
               for number in ("7", '"12"', "-1", '"-1"', "1.5", '"1x"', '"99999999999999999999"', "1e400", "{}", "[7]", "true"))]
    return {f"{i:02}": text.encode() for i, text in enumerate(texts)}


def main():
    corpus = pathlib.Path(sys.argv[1])
    write(corpus / "client_frame", frame_seeds())
    write(corpus / "rest_body", rest_seeds())
    write(corpus / "query", query_seeds())
    write(corpus / "cookie", cookie_seeds())
    write(corpus / "encoders", encoder_seeds())
    write(corpus / "env", env_seeds())
    write(corpus / "command", command_seeds())
    write(corpus / "quote", quote_seeds())
    write(corpus / "otlp", otlp_seeds())


main()
