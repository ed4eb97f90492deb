#!/usr/bin/python3
"""Writes the seeds of fuzz_client_frame and fuzz_rest_body: make_dialect_seeds.py CORPUS_FOLDER"""
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
    for i, query in enumerate(["token=a", "x=1&token=a&y", "token=", "token", "token=%41%62%2F",
                               "token=a+b", "token=%", "token=%4", "token=%4g", "token=%00",
                               "&&&token=a&&", "tokens=a&token=b", ""]):
        add(3, f"query_{i:02}", query)
    for i, cookie in enumerate(["session_id=a", "x=1; session_id=a; y=2", "session_id=",
                                "session_id", "xsession_id=a", ";;; session_id=a=b", " ",
                                "session_id=a;session_id=b"]):
        add(4, f"cookie_{i}", cookie)
    for i, bearer in enumerate(["Bearer abc", "Bearer ", "bearer abc", "Basic abc", "Bearer  a"]):
        add(5, f"bearer_{i}", bearer)
    return seeds


def main():
    corpus = pathlib.Path(sys.argv[1])
    write(corpus / "client_frame", frame_seeds())
    write(corpus / "rest_body", rest_seeds())


main()
