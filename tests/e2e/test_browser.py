"""Two people with a browser each: register, log in, make a room, join it, chat, survive a restart."""

import pytest

import browser as browsers
import ws

pytestmark = [pytest.mark.skipif(browsers.BINARY is None, reason="package chromium is not installed"),
              pytest.mark.only_store("sqlite")]

SHOWN = "[...document.querySelectorAll('#posts li[data-id] .text')].map((e) => e.textContent)"


@pytest.fixture
def browser(tmp_path):
    one = browsers.Browser(tmp_path)
    yield one
    one.close()


def shows(page, *texts):
    page.until(f"JSON.stringify({SHOWN}) === JSON.stringify({list(texts)!r})")


def say(page, text):
    page.fill("post", content=text)


def test_two_browsers_chat(store_kind, server, browser, tmp_path):
    ann, bob = browser.page(server.url), browser.page(server.url)
    for page, name in ((ann, "ann"), (bob, "bob")):
        page.until("!document.querySelector('#account').hidden")
        page.fill("register", username=name, email=f"{name}@test.com", password="password123")
        page.until(f"document.querySelector('#name').textContent === '{name}'")
    ann.fill("create", name="<b>General</b>")
    ann.until("document.querySelector('#state').textContent === 'connected'")
    assert ann.run("document.querySelector('#room').textContent") == "<b>General</b>"

    bob.open(server.url)  # the cookie is enough
    bob.until("document.querySelector('#rooms button')")
    assert bob.run("document.querySelector('#rooms b')") is None, "a room's name is text"
    bob.run("document.querySelector('#rooms button').click()")
    bob.until("document.querySelector('#state').textContent === 'connected'")

    say(ann, "hello bob")
    shows(bob, "hello bob")
    say(bob, "<img src=x onerror=alert(1)>")
    for page in (ann, bob):
        shows(page, "hello bob", "<img src=x onerror=alert(1)>")
        assert page.run("document.querySelector('#posts img')") is None
    ann.until("[...document.querySelectorAll('#posts .own .mark')].some((e) => e.textContent === '✓')")
    ann.until("document.querySelector('#posts').textContent.includes('bob joined')")

    say(ann, "x" * 1001)
    ann.until("document.querySelector('#posts .failed .mark').textContent.includes('between 1 and 1000')")

    server.kill()
    for page in (ann, bob):
        page.until("document.querySelector('#state').textContent.startsWith('disconnected')")
    say(ann, "while you were away")  # kept, and sent with its key when the server is back
    server.start()
    for page in (ann, bob):
        shows(page, "hello bob", "<img src=x onerror=alert(1)>", "while you were away")
        page.screenshot(tmp_path / f"{page.session}.png")
        assert page.problems() == []

    bob.run("document.querySelector('#logout').click()")
    bob.until("!document.querySelector('#account').hidden")
    ann.until("document.querySelector('#posts').textContent.includes('bob left')")
    bob.fill("login", username="bob", password="wrong password")
    bob.until("document.querySelector('#error').textContent === 'Invalid credentials'")
    bob.run("document.querySelector('#login').reset()")
    bob.fill("login", username="bob", password="password123")
    bob.until("document.querySelector('#name').textContent === 'bob'")


def test_a_page_that_was_away_refills_from_history(store_kind, server, browser):
    """More posts than one page of history, made while the socket was cut."""
    ann = server.user("ann")
    room = ann.create_room()
    page = browser.page(server.url)
    page.until("!document.querySelector('#account').hidden")
    page.fill("login", username="ann", password="password123")
    page.until("document.querySelector('#rooms button')")
    page.run("document.querySelector('#rooms button').click()")
    page.until("document.querySelector('#state').textContent === 'connected'")
    chat = ws.Chat(ann, room)
    chat.say("before")
    shows(page, "before")
    page.call("Network.enable")
    page.call("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=-1, uploadThroughput=-1)
    page.run("socket.close()")
    page.until("document.querySelector('#state').textContent.startsWith('disconnected')")
    texts = ["before"]
    for n in range(230):
        chat.say(f"post {n}")
        texts.append(f"post {n}")
    page.call("Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1, uploadThroughput=-1)
    shows(page, *texts)
