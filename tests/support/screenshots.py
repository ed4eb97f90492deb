#!/usr/bin/python3
"""screenshots.py FOLDER: the pictures of the README, taken of the real server with people who talk.

Some talk a day earlier, under libfaketime, so that the page has a day to tell of. Pictures are reduced to
256 colours by pngquant; one of more than 150 KB is an error."""

import pathlib
import shutil
import subprocess
import sys
import tempfile

import browser as browsers
import quotes as services
import server as servers
import stores
import ws

SIZE_MAX = 150_000
DESKTOP = {"width": 1180, "height": 760, "scale": 2}
PHONE = {"width": 390, "height": 800, "scale": 2, "phone": True}

ROOMS = ["Weekend hikes", "Kitchen table", "Incident review", "Release 0.2", "Music for focus", "Design",
         "Book club", "Markets", "Support", "General"]  # the last one is made last, so it stands first

YESTERDAY = [
    ("maya", "The staging cluster is back. It was the disk, as feared."),
    ("maya", "New one is in, sync took eleven minutes."),
    ("tomas", "Thank you! I will close the ticket and write two lines for the status page."),
    ("ines", "While we are at it: who has the notes from Tuesday?\nI only find the agenda."),
    ("tomas", "Here you go: https://wiki.example.org/notes/2026-11-24"),
]
TODAY = [
    ("ines", "Good morning everyone ☀️"),
    ("jonas", "Morning! The review is moved to 11:00, same room."),
    ("maya", "I pushed the new search. Two things to look at:\n"
             "  1. empty results offer to create the room\n  2. it keeps loading pages until it has found enough"),
    ("maya", "No rush, but I would love to have it in 0.2"),
    ("tomas", "Looks good on my phone. One question on 2: is there a limit?"),
]
OTHERS = {"Support": ["maya", "jonas"], "Design": ["ines", "tomas", "jonas"], "Markets": ["tomas"]}


def talk(people, room, lines):
    """All are there before the first one speaks."""
    chats = {name: people[name].join(room) and ws.Chat(people[name], room) for name in dict(lines)}
    for name, text in lines:
        chats[name].say(text)
    return list(chats.values())


def ready(page):
    page.see(".room[data-phase=live]")
    page.until("!document.querySelector('.skeleton-message')")
    page.until("document.fonts.status === 'loaded'")


class Pictures:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def take(self, page, name):
        path = self.folder / f"{name}.png"
        page.screenshot(path)
        subprocess.run(["pngquant", "--force", "--strip", "--speed", "1", "--output", path, "256", path], check=True)
        size = path.stat().st_size
        print(f"{path} {size // 1000} KB")
        assert size <= SIZE_MAX, f"{path} has {size} bytes"


def run(folder, pictures, quotes):
    quotes.answers["AAPL.US"] = services.csv("AAPL.US", "93.42")
    store = stores.Sqlite(folder)
    server = servers.Server(store, folder, {"CONFAB_STOCK_URL": quotes.url}, wrap=["faketime", "-m", "-f", "-1d"])
    server.start(FAKETIME_DONT_FAKE_MONOTONIC="1")
    people = {name: server.user(name) for name in ("maya", "tomas", "ines", "jonas", "lena")}
    rooms = {name: people["maya"].create_room(name) for name in ROOMS}
    talk(people, rooms["General"], YESTERDAY)
    server.terminate()

    server.wrap = []
    server.start()
    for client in people.values():
        client.port = server.port
        client.login(client.name)
    here = [ws.Chat(people[name], rooms[room]) for room, names in OTHERS.items()
            for name in names if people[name].join(rooms[room])]
    browser = browsers.Browser(folder)
    try:
        page = browser.page(server.url)
        page.call("Emulation.setScrollbarsHidden", hidden=True)
        page.screen(**DESKTOP)
        page.prefer(prefers_color_scheme="light")
        page.see("#login")
        pictures.take(page, "login")
        page.open(f"{server.url}/register")
        page.see("#register")
        pictures.take(page, "register")
        page.open(f"{server.url}/login#/room/{rooms['General']}")
        page.fill("login", username="lena", password="password123")
        ready(page)
        here += talk(people, rooms["General"], TODAY)
        page.fill("composer", content="There is: it stops at thirty, and asks before it goes on 👍")
        page.fill("composer", content="/stock=aapl.us")
        page.see(".message.bot")
        page.click("#who-is-here")
        page.see("#people")
        page.run("document.querySelector('#composer textarea').focus()")
        pictures.take(page, "chat-light")
        page.prefer(prefers_color_scheme="dark")
        page.run("document.querySelector('#who-is-here').click()")
        page.type("/")
        page.see(".command-help")
        pictures.take(page, "chat-dark")
        page.press("Escape")
        page.press("Backspace")
        page.prefer(prefers_color_scheme="light")
        page.screen(**PHONE)
        ready(page)
        pictures.take(page, "phone-room")
        page.run("document.querySelector('.back').click()")
        page.see("#rooms a")
        page.prefer(prefers_color_scheme="dark")
        pictures.take(page, "phone-rooms")
        assert page.problems() == []
    finally:
        browser.close()
        server.close()


def main():
    folder = tempfile.mkdtemp()
    try:
        with services.Quotes() as quotes:
            run(folder, Pictures(sys.argv[1]), quotes)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
