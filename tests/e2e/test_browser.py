"""The page in headless Chromium, against the real server: people with a browser each, isolated."""

import json
import pathlib

import pytest

import browser as browsers
import quotes as services
import rest
import ws
from proxy import Proxy

pytestmark = [pytest.mark.skipif(browsers.BINARY is None, reason="package chromium is not installed"),
              pytest.mark.only_store("sqlite")]

AXE = pathlib.Path(__file__).resolve().parents[2] / "web/node_modules/axe-core/axe.min.js"
LIVE = ".room[data-phase=live]"
POSTS = "[...document.querySelectorAll('#messages [data-id] .text')].map((e) => e.textContent)"
PHONE = {"width": 390, "height": 780, "phone": True}
NASTY = "\"><img src=x onerror=window.hacked=1> & 'General' <script>window.hacked=1</script>"


@pytest.fixture
def browser(tmp_path):
    """Whatever a test does: no script fails, and the policy finds nothing to stop."""
    one = browsers.Browser(tmp_path)
    yield one
    problems = one.problems()
    one.close()
    assert problems == []


@pytest.fixture
def proxy(server):
    one = Proxy(server.port)
    yield one
    one.close()


# ---- what people do


def enter(page, name, room=None, password="password123"):
    """Logs in by the form, into a room if one is named."""
    base = page.run("location.origin")
    page.open(f"{base}/login#/room/{room}" if room else f"{base}/login")
    page.fill("login", username=name, password=password)
    page.see(LIVE if room else "#rooms")


def say(page, text):
    page.fill("composer", content=text)


def shows(page, *texts):
    page.until(f"JSON.stringify({POSTS}) === JSON.stringify({json.dumps(list(texts))})")


def make_room(page, name):
    page.click("#new-room")
    page.fill("create", name=name)
    page.see(LIVE)


def until_text(page, selector, text):
    page.until(f"document.querySelector({json.dumps(selector)})?.textContent.includes({json.dumps(text)})")


# ---- two people


@pytest.mark.over_tls_too
def test_two_people_register_and_chat(store_kind, server, browser):
    ann, bob = browser.page(server.url), browser.page(server.url)
    for page, name in ((ann, "ann"), (bob, "bob")):
        page.see("#login")  # who is not logged in is led there
        assert page.run("location.pathname") == "/login"
        page.click("a[href='/register']")
        page.fill("register", username=name, email=f"{name}@test.com", password="password123")
        until_text(page, "#me", name)
        assert page.run("location.pathname") == "/"
    make_room(ann, "General")
    bob.open(server.url)  # the cookie is enough
    bob.click("#rooms a")
    bob.see(LIVE)
    until_text(ann, "#messages", "bob joined")

    say(ann, "hello bob")
    shows(bob, "hello bob")
    say(bob, "hello ann,\nhow are you?")
    for page in (ann, bob):
        shows(page, "hello bob", "hello ann,\nhow are you?")
    assert ann.run("document.querySelectorAll('#messages .own').length") == 1
    ann.see("#messages .own[data-state=stored] .mark-stored")
    until_text(ann, "#rooms", "2 connected")

    ann.click("#who-is-here")
    assert ann.run("[...document.querySelectorAll('#people .people-name')].map((e) => e.textContent)") == ["ann", "bob"]

    bob.click("#logout")
    bob.see("#login")
    until_text(ann, "#messages", "bob left")
    until_text(ann, "#who-is-here", "1")
    bob.fill("login", username="bob", password="wrong password")
    until_text(bob, ".form-error", "do not match")
    bob.type("x")
    bob.until("!document.querySelector('.form-error')")
    bob.fill("login", username="bob", password="")
    until_text(bob, ".form-error", "do not match")


NAMES = "[...document.querySelectorAll('#people .people-name')].map((e) => e.textContent)"


def names(page, *wanted):
    page.until(f"JSON.stringify({NAMES}) === JSON.stringify({json.dumps(list(wanted))})")


@pytest.fixture
def with_company(make_server):
    """(server, room, sockets) with ann in the room once and bob twice, before the page comes."""
    def make(env=None):
        server = make_server(env).start()
        ann, bob = server.user("ann"), server.user("bob")
        server.user("eve")
        room = ann.create_room("General")
        bob.join(room)
        return server, room, [ws.Chat(ann, room), ws.Chat(bob, room), ws.Chat(bob, room)]
    return make


def test_who_enters_sees_who_is_here(store_kind, with_company, browser):
    server, room, (ann, bob, tab) = with_company()
    page = browser.page(server.url)
    enter(page, "eve", room)
    page.click("#who-is-here")
    names(page, "eve", "ann", "bob")
    assert page.run("document.querySelector('#people .you').previousSibling.textContent") == "eve"
    page.until("document.querySelector('#who-is-here').textContent.includes('4')")
    assert not page.run("document.querySelector('.people-more')")
    tab.leave()
    ann.leave()
    until_text(page, "#messages", "ann left")
    names(page, "eve", "bob")
    bob.leave()
    names(page, "eve")


def test_those_who_were_left_out_are_counted(store_kind, with_company, browser):
    server, room, _ = with_company({"CONFAB_ROOMS_ROSTER_MAX": "1"})
    page = browser.page(server.url)
    enter(page, "eve", room)
    page.click("#who-is-here")
    names(page, "eve", "ann")
    until_text(page, ".people-more", "and 1 more")


def test_a_server_that_does_not_say_who_is_here(store_kind, with_company, browser):
    """One from before it could be asked: it takes no notice of the question."""
    server, room, (ann, *_) = with_company()
    proxy = Proxy(server.port, lambda data: data.replace(b"?roster=1", b"?unheard1"))
    page = browser.page(proxy.url)
    enter(page, "eve", room)
    page.click("#who-is-here")
    names(page, "eve")
    until_text(page, ".people-more", "and 3 more connections")
    ann.say("hello")
    names(page, "eve", "ann")
    until_text(page, ".people-more", "and 2 more connections")
    proxy.close()


def test_what_cannot_be_registered_is_told_at_its_field(store_kind, server, browser):
    server.user("ann")
    page = browser.page(f"{server.url}/register")
    page.fill("register", username="a b", email="nowhere", password="short")
    for name in ("username", "email", "password"):
        assert page.run(f"document.querySelector('[name={name}]').getAttribute('aria-invalid')") == "true"
        assert page.run(f"document.getElementById('{name}-error').textContent")
    assert page.run("document.activeElement.name") == "username"
    page.run("document.querySelector('#register').reset()")
    page.fill("register", username="ann", email="ann@test.com", password="password123")
    until_text(page, ".form-error", "taken")


def test_a_password_that_only_the_server_refuses(store_kind, server, browser):
    page = browser.page(f"{server.url}/register")
    page.fill("register", username="annemarie", email="ann@test.com", password="annemarie")
    until_text(page, ".form-error", "unlike the name")


@pytest.mark.only_store("sqlite", "postgres")
def test_text_is_shown_as_text_and_runs_nothing(store_kind, server, browser):
    """In names of rooms and in messages, wherever they appear: list, heading, title, search, announcer."""
    ann = server.user("ann")
    room = ann.create_room(NASTY)
    page = browser.page(server.url)
    enter(page, "ann", room)
    until_text(page, "#room-name-shown", NASTY)
    assert page.text("#rooms .room-name") == NASTY
    assert page.run("document.title") == f"{NASTY} · confab"
    say(page, NASTY)
    shows(page, NASTY)
    bob = server.user("bob")
    bob.join(room)
    ws.Chat(bob, room).say(NASTY + "2")
    shows(page, NASTY, NASTY + "2")
    page.run("document.querySelector('#search').focus()")
    page.type(NASTY)
    assert page.text("#rooms .room-name") == NASTY
    page.type("x")
    until_text(page, ".list-empty", NASTY)
    assert page.run("document.querySelectorAll('img, #app script').length") == 0
    assert page.run("window.hacked") is None


def test_the_policy_stops_what_a_mistake_in_the_page_would_let_in(store_kind, server, browser):
    """So that "no violations" elsewhere says something: here is one of each kind."""
    page = browser.page(server.url)
    page.see("#login")
    for attempt in ("document.body.innerHTML = '<img src=x onerror=window.hacked=1>'",
                    "document.body.setAttribute('onclick', 'window.hacked=1'); document.body.click()",
                    "eval('window.hacked=1')",
                    "document.head.append(Object.assign(document.createElement('script'), {textContent: 'window.hacked=1'}))"):
        page.call("Runtime.evaluate", expression=attempt, awaitPromise=True, allowUnsafeEvalBlockedByCSP=False)
        assert page.run("window.hacked") is None, attempt
    assert len(page.problems()) >= 2
    browser.events.clear()
    assert page.run("fetch('http://127.0.0.1:1/').then(() => 'sent', () => 'stopped')") == "stopped"
    page.run("new Promise((done) => setTimeout(done, 0))")
    assert any("connect-src" in str(event) or "Content Security Policy" in str(event) for event in page.problems())
    browser.events.clear()


# ---- a connection that ends


def test_a_killed_server_and_what_was_said_meanwhile(store_kind, server, browser):
    ann, bob = browser.page(server.url), browser.page(server.url)
    room = server.user("ann").create_room("General")
    server.user("bob")
    enter(ann, "ann", room)
    enter(bob, "bob", room)
    say(ann, "before")
    shows(bob, "before")
    server.kill()
    for page in (ann, bob):
        page.see("#banner")
    say(ann, "while you were away")  # kept, and sent with its key when the server is back
    say(ann, "and another")
    ann.run("document.querySelector('#composer textarea').focus()")
    ann.type("a draft")
    until_text(ann, "#banner", "2 messages will be sent")
    assert ann.run("document.querySelectorAll('[data-state=sending]').length") == 2
    server.start()
    for page in (ann, bob):
        shows(page, "before", "while you were away", "and another")
        page.until("!document.querySelector('#banner')")
    assert ann.run("document.querySelector('#composer textarea').value") == "a draft"
    assert ann.run("document.querySelectorAll('.own[data-state=stored]').length") == 3


def test_a_gap_of_several_pages_is_filled_in_order(store_kind, server, browser, proxy):
    ann = server.user("ann")
    room = ann.create_room("General")
    page = browser.page(proxy.url)
    enter(page, "ann", room)
    chat = ws.Chat(ann, room)
    chat.say("before")
    shows(page, "before")
    proxy.cut()
    page.see("#banner")
    texts = ["before"] + [f"post {n}" for n in range(150)]
    for text in texts[1:]:
        chat.say(text)
    proxy.mend()
    page.run("document.querySelector('#banner button')?.click()")  # if it still waits
    shows(page, *texts)
    chat.say("after")
    shows(page, *texts, "after")


def test_a_drained_server_says_when_to_come_back(store_kind, server, browser):
    page = browser.page(server.url)
    enter(page, "ann", server.user("ann").create_room("General"))
    server.terminate()
    page.see("#banner")
    until_text(page, "#banner", "Next try in")
    server.start()
    page.run("document.querySelector('#banner button')?.click()")  # if it still waits
    page.see(LIVE)


def test_a_server_that_hangs_is_told_of(store_kind, server, browser):
    page = browser.page(server.url)
    enter(page, "ann", server.user("ann").create_room("General"))
    server.freeze()
    page.run("window.dispatchEvent(new Event('online'))")  # a new socket, which gets no answer
    until_text(page, "#banner", "Connecting again")
    server.thaw()
    page.see(LIVE)
    page.until("!document.querySelector('#banner')")


def test_an_answer_that_was_lost_does_not_double_a_post(store_kind, make_server, faults, browser):
    """The store keeps the post and cannot say so; the server finds out."""
    server = make_server().start()
    server.allow_errors("store|storage")
    page = browser.page(server.url)
    ann = server.user("ann")
    room = ann.create_room("General")
    enter(page, "ann", room)
    faults.write_text("write lose 1\n")
    say(page, "once")
    page.see(".own[data-state=stored]")
    faults.write_text("")
    shows(page, "once")
    assert [post["content"] for post in ann.messages(room)] == ["once"]


def test_a_refused_post_can_be_sent_again(store_kind, make_server, faults, browser):
    server = make_server().start()
    server.allow_errors("store|storage")
    page = browser.page(server.url)
    ann = server.user("ann")
    room = ann.create_room("General")
    enter(page, "ann", room)
    faults.write_text("write refuse\n")
    say(page, "once")
    page.see(".is-failed .failure")
    assert "Failed to save message" in page.text(".failure")
    faults.write_text("")
    page.until("document.querySelector('.failure button')?.disabled === false")
    page.click(".failure button")
    page.see(".own[data-state=stored]")
    shows(page, "once")
    assert [post["content"] for post in ann.messages(room)] == ["once"]


def test_a_refused_post_can_be_deleted(store_kind, make_server, faults, browser):
    server = make_server().start()
    server.allow_errors("store|storage")
    page = browser.page(server.url)
    enter(page, "ann", server.user("ann").create_room("General"))
    faults.write_text("write refuse\n")
    say(page, "no")
    page.click(".failure button:last-child")
    page.until("!document.querySelector('.message')")


@pytest.mark.server_env(CONFAB_LIMITS_POSTS_PER_MINUTE="6")  # so that there is a wait to see
def test_too_many_posts_are_told_with_the_time_to_wait(store_kind, make_server, browser):
    server = make_server().start()
    page = browser.page(server.url)
    ann = server.user("ann")
    room = ann.create_room("General")
    enter(page, "ann", room)
    texts = []
    while not page.run("document.querySelector('.is-failed')?.textContent.includes('Rate limit exceeded')"):
        texts.append(f"post {len(texts)}")
        say(page, texts[-1])
        page.until("document.querySelector('.is-failed') || !document.querySelector('.is-sending')")
    until_text(page, ".trouble", "You can send again in")
    page.type("too early")
    page.press("Enter")
    assert page.run("document.querySelector('#composer textarea').value") == "too early"
    page.until("!document.querySelector('.trouble') && !document.querySelector('.failure button').disabled")
    page.click(".failure button")
    page.until(f"document.querySelectorAll('.own[data-state=stored]').length === {len(texts)}")
    assert [post["content"] for post in ann.messages(room)] == texts


def test_a_session_that_ended_elsewhere_leads_to_the_login_and_back(store_kind, server, browser):
    page = browser.page(server.url)
    ann = server.user("ann")
    room = ann.create_room("General")
    enter(page, "ann", room)
    (cookie,) = page.call("Network.getCookies")["cookies"]
    other = server.client()
    other.token = cookie["value"]
    other.call("POST", "/auth/logout")
    page.see("#login")
    until_text(page, ".notice", "session has ended")
    page.fill("login", username="ann", password="password123")
    page.see(f"{LIVE}[data-room='{room}']")


# ---- several tabs, one cookie


KEPT = "JSON.stringify(Object.entries(sessionStorage))"
DEAF = "delete window.BroadcastChannel"  # as in a tab that was asleep when the others told of it


def test_what_one_person_wrote_is_never_sent_as_another(store_kind, server, browser, proxy):
    ann = server.user("ann")
    server.user("bob")
    room = ann.create_room("General")
    page = browser.page(proxy.url, before=DEAF)
    enter(page, "ann", room)
    say(page, "by ann")
    page.see(".own[data-state=stored]")
    proxy.cut()
    page.see("#banner")
    say(page, "unsent by ann")
    page.see("[data-state=sending]")
    page.type("a draft of ann")
    other = page.tab(server.url)  # cookies know no ports
    enter(other, "bob", room)
    say(other, "by bob")
    shows(other, "by ann", "by bob")
    proxy.mend()
    page.run("window.dispatchEvent(new Event('online'))")  # if it still waits
    until_text(page, "#me", "bob")
    until_text(page, ".notice", "Another account")
    assert page.run(f"!{KEPT}.includes('of ann') && !{KEPT}.includes('by ann')")
    assert page.run("document.title") == "confab"
    assert [post["content"] for post in ann.messages(room)] == ["by ann", "by bob"]


def test_tabs_tell_each_other_of_a_login(store_kind, server, browser):
    ann = server.user("ann")
    server.user("bob")
    room = ann.create_room("General")
    page = browser.page(server.url)
    enter(page, "ann", room)
    page.type("a draft of ann")
    page.until(f"{KEPT}.includes('a draft of ann')")
    same = page.tab(server.url)
    until_text(same, "#me", "ann")  # the same person: nothing happens
    assert page.text("#me") == "ann"
    same.open(f"{server.url}/login")
    enter(same, "bob")
    until_text(page, "#me", "bob")
    assert page.run(KEPT) == "[]"
    page.open(f"{server.url}/#/room/{room}")
    page.see(LIVE)
    assert page.run("document.querySelector('#composer textarea').value") == ""


def test_a_login_counts_for_a_page_that_is_still_finding_out_who_one_is(store_kind, server, browser):
    server.user("ann")
    server.user("bob")
    page = browser.page(server.url)
    enter(page, "ann")
    slow = page.tab(server.url, before="""window.held = [];
        window.fetch = ((fetch) => (url, ...more) => fetch(url, ...more).then((answer) =>
            url.endsWith('/auth/me') ? new Promise((give) => held.push(() => give(answer))) : answer))(fetch)""")
    slow.until("held.length === 1")  # it says ann
    page.open(f"{server.url}/login")
    enter(page, "bob")
    slow.until("held.length === 2")
    slow.run("held.forEach((give) => give())")
    until_text(slow, "#me", "bob")


def test_a_logout_holds_in_every_tab(store_kind, server, browser):
    room = server.user("ann").create_room("General")
    page = browser.page(server.url)
    enter(page, "ann", room)
    page.type("a draft of ann")
    other = page.tab(server.url)
    other.click("#logout")
    page.see("#login")
    until_text(page, ".notice", "another tab")
    page.until(f"{KEPT} === '[]'")
    until_text(other, "#leaving", "You are logged out")
    page.fill("login", username="ann", password="password123")
    page.see("#rooms")


def test_what_another_person_left_in_a_tab_is_gone(store_kind, server, browser):
    """The session ends elsewhere, so what is kept waits for its person; someone else comes."""
    ann = server.user("ann")
    server.user("bob")
    page = browser.page(server.url)
    enter(page, "ann", ann.create_room("General"))
    page.type("a draft of ann")
    (cookie,) = page.call("Network.getCookies")["cookies"]
    other = server.client()
    other.token = cookie["value"]
    other.call("POST", "/auth/logout")
    page.see("#login")
    assert page.run(f"{KEPT}.includes('a draft of ann')")
    page.fill("login", username="bob", password="password123")
    until_text(page, "#me", "bob")
    page.until(f"{KEPT} === '[]'")


def test_a_logout_that_the_server_cannot_be_told_is_not_forgotten(store_kind, server, browser, proxy):
    ann = server.user("ann")
    page = browser.page(proxy.url)
    enter(page, "ann", ann.create_room("General"))
    (cookie,) = page.call("Network.getCookies")["cookies"]
    session = server.client()
    session.token = cookie["value"]
    proxy.cut()
    page.click("#logout")
    until_text(page, "#leaving", "could not be told")
    proxy.mend()
    assert session.call("GET", "/auth/me")["username"] == "ann"
    page.click("#leaving button")
    until_text(page, "#leaving", "You are logged out")
    assert page.run("document.activeElement.name") == "username"
    with pytest.raises(rest.Refused) as refused:
        session.call("GET", "/auth/me")
    assert refused.value.status == 401


def test_a_page_opened_after_such_a_logout_ends_the_session_first(store_kind, server, browser, proxy):
    ann = server.user("ann")
    page = browser.page(proxy.url)
    enter(page, "ann", ann.create_room("General"))
    proxy.cut()
    page.click("#logout")
    until_text(page, "#leaving", "could not be told")
    proxy.mend()
    page.open(proxy.url)
    page.see("#login")
    until_text(page, "#leaving", "You are logged out")
    page.open(proxy.url)
    page.see("#login")
    assert page.run("location.pathname") == "/login"


def test_a_logout_does_not_wait_for_a_server_that_hangs(store_kind, server, browser):
    room = server.user("ann").create_room("General")
    server.user("bob")
    page = browser.page(server.url)
    enter(page, "ann", room)
    server.freeze()
    page.click("#logout")
    page.see("#login")
    until_text(page, "#leaving", "not confirmed it yet")
    page.fill("login", username="bob", password="password123")  # the old session's end comes first
    server.thaw()
    until_text(page, "#me", "bob")
    page.reload()
    until_text(page, "#me", "bob")


def test_a_room_that_does_not_exist(store_kind, server, browser):
    page = browser.page(server.url)
    server.user("ann")
    enter(page, "ann")
    page.run("location.hash = '#/room/01a1f924-9471-7391-8886-641884dcdd56'")
    until_text(page, "h1", "does not exist")


# ---- the list of messages


def test_scrolling_up_shows_every_message_once_and_in_order(store_kind, server, browser):
    """More than the page ever holds at a time, up to the first one and down again."""
    ann = server.user("ann")
    room = ann.create_room("General")
    chat = ws.Chat(ann, room)
    texts = [f"post {n}" for n in range(420)]
    for text in texts:
        chat.say(text)
    page = browser.page(server.url)
    enter(page, "ann", room)
    page.until(f"{POSTS}.at(-1) === 'post 419'")
    page.run("""window.seen = new Map(); window.most = 0; window.jumped = [];
        window.lines = () => {
            const found = [...document.querySelectorAll('#messages [data-id]')];
            window.most = Math.max(window.most, document.querySelectorAll('#messages li').length);
            const shown = found.map((line) => Number(line.querySelector('.text').textContent.slice(5)));
            shown.forEach((n, i) => { if (i && n !== shown[i - 1] + 1) window.jumped.push([shown[i - 1], n]); });
            shown.forEach((n) => window.seen.set(n, true));
            return shown;
        }""")
    page.until("""(() => {
        document.querySelector('#messages').scrollTop -= 300;
        return lines()[0] === 0 && document.querySelector('.beginning');
    })()""")
    assert page.run("[...seen.keys()].length") == 420
    page.until("""(() => {
        document.querySelector('#messages').scrollTop += 300;
        return lines().at(-1) === 419 && !document.querySelector('#to-end');
    })()""")
    assert page.run("jumped") == []
    assert page.run("most") <= 260, "the lines in the page are bounded"


def test_what_one_reads_stays_where_it_is_when_older_ones_come(store_kind, server, browser):
    ann = server.user("ann")
    room = ann.create_room("General")
    chat = ws.Chat(ann, room)
    for n in range(320):
        chat.say(f"post {n}")
    page = browser.page(server.url)
    enter(page, "ann", room)
    page.until(f"{POSTS}.at(-1) === 'post 319'")
    # Step by step to the first one: a line moves by what one scrolls, and not when older ones come in above it.
    page.run("""(() => {
        window.wrong = [];
        const box = document.querySelector('#messages');
        const height = (id) => document.querySelector(`[data-id="${id}"]`).getBoundingClientRect().top;
        (function step() {
            const { top, bottom } = box.getBoundingClientRect();
            const { id } = [...document.querySelectorAll('#messages [data-id]')]
                .find((line) => line.getBoundingClientRect().top > (top + bottom) / 2).dataset;
            const by = Math.min(90, box.scrollTop);
            const wanted = height(id) + by;
            box.scrollTop -= by;
            setTimeout(() => {
                if (Math.abs(height(id) - wanted) > 1) window.wrong.push([id, height(id) - wanted]);
                window.done = box.scrollTop === 0 && document.querySelector('.beginning') !== null;
                if (!window.done) step();
            }, 20);
        })();
    })()""")
    page.until("window.done")
    assert page.run("wrong") == []
    assert page.run(f"{POSTS}[0]") == "post 0"


def test_new_messages_do_not_pull_away_who_reads_old_ones(store_kind, server, browser):
    ann, bob = server.user("ann"), server.user("bob")
    room = ann.create_room("General")
    bob.join(room)
    chat = ws.Chat(bob, room)
    for n in range(60):
        chat.say(f"post {n}")
    page = browser.page(server.url)
    enter(page, "ann", room)
    page.until(f"{POSTS}.at(-1) === 'post 59'")
    page.run("document.querySelector('#messages').scrollTop -= 400")
    page.see("#to-end")
    top = page.run("document.querySelector('#messages').scrollTop")
    chat.say("news")
    until_text(page, "#to-end", "1 new message")
    assert page.run("document.querySelector('#messages').scrollTop") == top
    page.click("#to-end")
    page.until("!document.querySelector('#to-end')")
    page.until(f"{POSTS}.at(-1) === 'news'")
    page.run("document.querySelector('#messages').scrollTop -= 400")
    page.see("#to-end")
    say(page, "mine")  # who writes wants to see it
    page.until("!document.querySelector('#to-end')")


def test_older_messages_that_cannot_be_read_can_be_asked_for_again(store_kind, make_server, faults, browser):
    server = make_server().start()
    server.allow_errors("store|reader")
    ann = server.user("ann")
    room = ann.create_room("General")
    chat = ws.Chat(ann, room)
    for n in range(120):
        chat.say(f"post {n}")
    server.terminate()
    server.start()  # so that no ring answers
    page = browser.page(server.url)
    enter(page, "ann", room)
    page.until(f"{POSTS}.at(-1) === 'post 119'")
    faults.write_text("read_posts fail\n")
    page.run("document.querySelector('#messages').scrollTop = 0")
    page.see(".older-failed")
    faults.write_text("")
    page.click(".older-failed button")
    page.until("!document.querySelector('.older-failed')")
    page.until(f"""(() => {{
        document.querySelector('#messages').scrollTop = 0;
        return {POSTS}[0] === 'post 0';
    }})()""")


# ---- rooms


def test_the_list_pages_and_the_search_finds_what_is_not_loaded(store_kind, server, browser):
    ann = server.user("ann")
    for n in range(230):
        ann.create_room(f"room {n}" if n else "The oldest of all")
    page = browser.page(server.url)
    page.screen(1000, 500)
    enter(page, "ann")
    page.until("document.querySelectorAll('#rooms a').length >= 50")
    assert page.run("document.querySelectorAll('#rooms a').length") < 230
    page.run("document.querySelector('#search').focus()")
    page.type("OLDEST")
    until_text(page, "#rooms", "The oldest of all")
    page.press("Enter")
    page.see(LIVE)
    until_text(page, "#room-name-shown", "The oldest of all")
    page.click(".search-clear")
    page.until("""(() => {
        const list = document.querySelector('.room-list');
        list.scrollTop = list.scrollHeight;
        return document.querySelectorAll('#rooms a').length === 230;
    })()""")
    names = page.run("[...document.querySelectorAll('#rooms .room-name')].map((e) => e.textContent)")
    assert names == [f"room {n}" for n in range(229, 0, -1)] + ["The oldest of all"]


def test_a_room_newer_than_the_list_has_its_name_at_once(store_kind, server, browser):
    page = browser.page(server.url, before="window.setInterval = () => 0")  # the list is not asked for by the clock
    server.user("ann").create_room("General")
    enter(page, "ann")
    until_text(page, "#rooms", "General")
    page.run("window.fetched = []; window.fetch = ((fetch) => (url, ...more) => {"
             " fetched.push(url); return fetch(url, ...more); })(window.fetch)")
    room = server.user("bob").create_room("Brand new")
    page.run(f"location.hash = '#/room/{room}'")
    until_text(page, "#room-name-shown", "Brand new")
    assert page.run("fetched.filter((url) => url.includes('/chatrooms?')).length") == 1


def test_a_long_list_of_rooms_does_not_move_the_page(store_kind, server, browser):
    ann = server.user("ann")
    rooms = [ann.create_room(f"room {n}", ephemeral=n % 2 == 0) for n in range(60)]
    page = browser.page(server.url)
    enter(page, "ann", rooms[-1])
    page.until("document.querySelectorAll('#rooms a').length >= 50")
    assert page.run("document.querySelector('.room-list').scrollHeight > innerHeight")
    assert page.run("document.documentElement.scrollHeight <= innerHeight")
    page.run("scrollTo(0, 9999)")
    assert page.run("scrollY") == 0


def test_a_room_that_keeps_nothing_says_so(store_kind, server, browser):
    page = browser.page(server.url)
    server.user("ann")
    enter(page, "ann")
    page.click("#new-room")
    page.click("#create .switch")
    page.fill("create", name="Off the record")
    page.see(LIVE)
    until_text(page, ".room-title", "Nothing is kept")
    until_text(page, "#rooms", "messages are not kept")
    say(page, "gone tomorrow")
    page.see(".own[data-state=stored]")
    server.terminate()
    server.start()
    page.see(LIVE)
    say(page, "and again")
    shows(page, "gone tomorrow", "and again")  # this page saw it; nobody else will
    page.reload()
    shows(page, "and again")


def test_rooms_of_others_appear_and_a_missing_one_is_offered(store_kind, server, browser):
    page = browser.page(server.url)
    server.user("ann")
    enter(page, "ann")
    until_text(page, ".list-empty", "No rooms yet")
    server.user("bob").create_room("Made by bob")
    page.run("window.dispatchEvent(new Event('focus'))")
    until_text(page, "#rooms", "Made by bob")
    page.run("document.querySelector('#search').focus()")
    page.type("Something else")
    until_text(page, ".list-empty", "No room is called")
    page.click(".list-empty button")
    page.see("dialog[open]")
    assert page.run("document.querySelector('#create [name=name]').value") == "Something else"
    page.press("Enter")
    page.see(LIVE)
    until_text(page, "#room-name-shown", "Something else")


def test_a_reload_keeps_room_draft_and_what_was_not_sent(store_kind, server, browser, proxy):
    page = browser.page(proxy.url)
    ann = server.user("ann")
    room = ann.create_room("General")
    other = ann.create_room("Other")
    enter(page, "ann", room)
    page.type("not finished")
    page.click(f"[data-room='{other}']")
    page.see(f"{LIVE}[data-room='{other}']")
    assert page.run("document.querySelector('#composer textarea').value") == ""
    page.see(f"#rooms [data-room='{room}'] .room-draft")
    page.run("history.back()")
    page.see(f"{LIVE}[data-room='{room}']")
    assert page.run("document.querySelector('#composer textarea').value") == "not finished"
    proxy.cut()
    page.see("#banner")
    page.press("Enter")
    page.see("[data-state=sending]")
    proxy.mend()
    page.reload()
    page.see(f"{LIVE}[data-room='{room}']")
    shows(page, "not finished")
    page.see("[data-state=stored]")
    assert [post["content"] for post in ann.messages(room)] == ["not finished"]


def test_a_room_that_is_not_looked_at_says_what_is_new(store_kind, server, browser):
    page = browser.page(server.url)
    ann, bob = server.user("ann"), server.user("bob")
    room, other = ann.create_room("General"), ann.create_room("Other")
    bob.join(room)
    chat = ws.Chat(bob, room)
    enter(page, "ann", room)
    chat.say("seen")
    shows(page, "seen")
    page.click(f"#rooms [data-room='{other}']")
    page.see(f"{LIVE}[data-room='{other}']")
    chat.say("unseen 1")
    chat.say("unseen 2")
    until_text(page, f"#rooms [data-room='{room}'] .badge", "2")
    page.until("document.title.startsWith('(2) ')")
    page.click(f"#rooms [data-room='{room}']")
    shows(page, "seen", "unseen 1", "unseen 2")
    assert page.run("""document.querySelector('.unread').nextElementSibling.querySelector('.text').textContent""") \
        == "unseen 1"
    page.until("!document.querySelector('.badge') && document.title === 'General · confab'")


# ---- writing


def test_commands_help_and_hints(store_kind, server, browser):
    page = browser.page(server.url)
    enter(page, "ann", server.user("ann").create_room("General"))
    chosen = "document.querySelector('.command-help [aria-selected=true] b').textContent"
    draft = "document.querySelector('#composer textarea').value"
    page.type("/")
    page.see(".command-help")
    assert page.run(chosen) == "/stock=CODE"
    for key, modifiers, then in (("ArrowDown", (), "/hello"), ("ArrowDown", (), "/stock=CODE"), ("ArrowUp", (), "/hello"),
                                 ("n", ("Control",), "/stock=CODE"), ("p", ("Control",), "/hello")):
        page.press(key, *modifiers)
        page.until(f"{chosen} === {json.dumps(then)}")
    page.press("Escape")
    page.until("!document.querySelector('.command-help')")
    assert page.run(draft) == "/"
    page.type("s")
    page.see(".command-help")
    page.press("Tab")
    page.until(f"{draft} === '/stock='")
    until_text(page, ".hint", "Type a symbol")
    page.type("aapl.us")
    until_text(page, ".hint", "look up AAPL.US")
    page.type("!")
    until_text(page, ".hint", "sent as a message")
    page.run("document.querySelector('#composer textarea').select()")
    page.type("/")
    page.see(".command-help")
    page.click(".command-help li:last-child")
    page.until(f"{draft} === '/hello'")


def test_the_bot_answers_the_room_and_is_set_apart(store_kind, make_server, browser):
    with services.Quotes() as quotes:
        quotes.answers["AAPL.US"] = services.csv("AAPL.US", "93.42")
        quotes.answers["NONE"] = services.csv("N/D", "N/D")
        server = make_server({"CONFAB_STOCK_URL": quotes.url}).start()
        ann, bob = browser.page(server.url), browser.page(server.url)
        room = server.user("ann").create_room("General")
        server.user("bob")
        enter(ann, "ann", room)
        enter(bob, "bob", room)
        say(ann, "a word before")
        shows(bob, "a word before")  # an answer does not wait for what is on its way to the disk
        say(ann, "/stock=aapl.us")
        for page in (ann, bob):
            until_text(page, ".message.bot", "AAPL.US quote is $93.42 per share")
            assert page.text(".message.bot .tag") == "Bot"
        shows(bob, "a word before", "AAPL.US quote is $93.42 per share")  # who did not ask sees no command
        until_text(ann, ".message.asked", "/stock=aapl.us")
        assert ann.run("document.querySelector('.asked').nextElementSibling.classList.contains('bot')")
        assert ann.run("document.querySelectorAll('.is-sending, .is-asked').length") == 0
        say(ann, "\u3000/stock=aapl.us")  # as an input method for Japanese writes it
        for page in (ann, bob):
            page.until("document.querySelectorAll('.message.bot').length === 2")
        ann.until("document.querySelectorAll('.asked').length === 2")
        assert ann.run("document.querySelectorAll('.is-sending, .is-asked').length") == 0
        say(bob, "/stock=none")
        until_text(ann, ".bot-error", "Stock NONE not found")
        say(bob, "/hello")
        for page in (ann, bob):
            page.until("document.querySelectorAll('.message.bot').length === 4")
        say(ann, "a word after")
        ann.reload()
        shows(ann, "a word before", "a word after")  # nothing of the bot is stored


def test_length_is_counted_in_characters(store_kind, server, browser):
    page = browser.page(server.url)
    enter(page, "ann", server.user("ann").create_room("General"))
    send = "document.querySelector('.send').getAttribute('aria-disabled')"
    page.type("\U0001f600" * 1000)
    until_text(page, "#counter", "1,000 of 1,000")
    assert page.run(send) == "false"
    page.type("x")
    until_text(page, "#counter", "1,001 of 1,000")
    assert page.run(send) == "true"
    page.press("Enter")
    page.press("Backspace")
    page.until(f"{send} === 'false'")
    page.press("Enter")
    shows(page, "\U0001f600" * 1000)


# ---- everybody can use it


def test_a_screen_reader_is_told_of_each_message(store_kind, server, browser):
    ann, bob = server.user("ann"), server.user("bob")
    room = ann.create_room("General")
    bob.join(room)
    page = browser.page(server.url)
    enter(page, "ann", room)
    region = page.run("(({role, ariaLive, ariaAtomic}) => [role, ariaLive, ariaAtomic])(document.querySelector('#announcer'))")
    assert region == ["log", "polite", None]
    page.run("""(() => {
        window.told = [];
        new MutationObserver((changes) => changes.forEach(({ addedNodes }) =>
            addedNodes.forEach(({ textContent }) => window.told.push(textContent))))
            .observe(document.querySelector('#announcer'), { childList: true, subtree: true });
    })()""")
    chat = ws.Chat(bob, room)
    for text in ("alpha", "alpha", "beta", "gamma"):
        chat.post(text)
    page.until("told.length >= 4")
    say(page, "mine")
    shows(page, "alpha", "alpha", "beta", "gamma", "mine")
    assert page.run("told") == ["bob: alpha", "bob: alpha", "bob: beta", "bob: gamma"]


def test_text_that_runs_from_right_to_left(store_kind, server, browser):
    ann = server.user("ann")
    arabic, turned = "مرحبا بكم (5)!", "\u202etxet desrever\u2069"
    room, other = ann.create_room(arabic), ann.create_room(turned)
    page = browser.page(server.url)
    enter(page, "ann", room)
    until_text(page, "#room-name-shown", arabic)
    direction = "getComputedStyle(document.querySelector({})).direction".format
    assert page.run(direction(f"'#rooms [data-room=\"{room}\"] .room-name'")) == "rtl"
    assert page.run(direction("'#room-name-shown'")) == "rtl"
    assert page.run("document.querySelector('#composer textarea').placeholder") == f"Message \u2068{arabic}\u2069"
    page.until(f"document.title === '\u2068{arabic}\u2069 · confab'")
    page.type(arabic)
    page.until(direction("'#composer textarea'") + " === 'rtl'")
    page.press("Enter")
    say(page, "hello")
    shows(page, arabic, "hello")
    assert page.run("[...document.querySelectorAll('#messages .text')].map((e) => getComputedStyle(e).direction)") \
        == ["rtl", "ltr"]
    page.click(f"#rooms [data-room='{other}']")
    page.until("document.title === '\u2068txet desrever\u2069 · confab'")
    page.run("document.querySelector('#search').focus()")
    page.type(turned + "?")
    until_text(page, ".list-empty", "No room is called “\u2068txet desrever?\u2069”.")


def test_by_keyboard_alone(store_kind, server, browser):
    ann = server.user("ann")
    for name in ("Older", "Middle", "Newest"):
        ann.create_room(name)
    page = browser.page(server.url)
    page.see("#login")
    page.until("document.activeElement.name === 'username'")
    page.type("ann")
    page.press("Tab")
    page.type("password123")
    page.press("Enter")
    page.see("#rooms a")
    page.press("Tab")
    until_text(page, ":focus", "Skip")
    page.press("k", "Control")
    page.until("document.activeElement.id === 'search'")
    page.press("ArrowDown")
    page.press("ArrowDown")
    until_text(page, ":focus", "Middle")
    page.press("Enter")
    page.see(LIVE)
    until_text(page, "#room-name-shown", "Middle")
    page.until("document.activeElement.name === 'content'")
    page.type("one")
    page.press("Enter", "Shift")
    page.type("two")
    page.press("Enter")
    shows(page, "one\ntwo")
    page.press("k", "Control")
    for _ in range(40):  # every stop on the way round shows where one is
        page.press("Tab")
        outline = page.run("""(() => {
            const style = getComputedStyle(document.activeElement);
            const around = document.activeElement.closest('.composer');
            return document.activeElement === document.body || style.outlineStyle !== 'none'
                || getComputedStyle(around ?? document.body).boxShadow !== 'none';
        })()""")
        assert outline, page.run("document.activeElement.outerHTML")
    page.run("document.querySelector('#new-room').focus()")
    page.press("Enter")
    page.see("dialog[open]")
    page.press("Escape")
    page.until("!document.querySelector('dialog')")
    assert page.run("document.activeElement.id") == "new-room"


def test_a_phone_has_no_sideways_scroll(store_kind, server, browser):
    ann = server.user("ann")
    room = ann.create_room("A room with a name as long as it may be and without a blank in it: " + "x" * 33)
    page = browser.page(server.url)
    page.screen(**PHONE)
    width = "Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)"
    for path, wanted in (("/login", "#login"), ("/register", "#register")):
        page.open(server.url + path)
        page.see(wanted)
        assert page.run(width) <= 390
    enter(page, "ann", room)
    say(page, "w" * 500)
    say(page, "https://example.org/" + "x/" * 200)
    page.until(f"{POSTS}.length === 2")
    assert page.run(width) <= 390
    assert page.run("document.querySelector('#messages').scrollWidth <= 390")
    assert not page.run("document.querySelector('.sidebar').checkVisibility()")
    page.click("#who-is-here")
    page.see("#people")
    assert page.run(width) <= 390
    page.click("#people button")
    page.click(".back")
    page.see("#rooms a")
    assert page.run(width) <= 390
    page.click("#rooms a")
    page.see(LIVE)


def test_beside_a_long_name_you_stays_in_one_line(store_kind, server, browser):
    name = "w" * 50
    page = browser.page(server.url)
    page.screen(**PHONE)
    enter(page, name, server.user(name).create_room("General"))
    say(page, "hello")
    page.see(".own .you")
    page.click("#who-is-here")
    page.see("#people .you")
    for place in (".own .you", ".own time", "#people .you"):
        lines = f"""(() => {{
            const range = document.createRange();
            range.selectNodeContents(document.querySelector('{place}'));
            return range.getClientRects().length;
        }})()"""
        assert page.run(lines) == 1, place


def test_dark_and_light_by_the_system_and_by_choice(store_kind, server, browser):
    page = browser.page(server.url)
    page.see("#login")
    light = "getComputedStyle(document.body).color.match(/\\d+/g).map(Number)[0] < 128"
    for scheme, is_light in (("light", True), ("dark", False)):
        page.prefer(prefers_color_scheme=scheme)
        page.until(f"({light}) === {json.dumps(is_light)}")
    page.click(".theme-button")  # light
    page.until(light)
    page.open(server.url)
    page.see("#login")
    assert page.run(light), "a choice outlasts a reload"
    page.prefer(prefers_color_scheme="light")
    page.click(".theme-button")  # dark
    page.until(f"!({light})")
    page.click(".theme-button")  # as the system
    page.until(light)
    page.prefer(prefers_reduced_motion="reduce")
    page.see("#login")
    assert float(page.run("getComputedStyle(document.querySelector('.button')).transitionDuration").rstrip("s")) < 0.001


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(store_kind, server, browser, scheme):
    assert AXE.exists(), "web/node_modules is missing: ./dev test, or npm ci in web"
    ann, bob = server.user("ann"), server.user("bob")
    room = ann.create_room("General")
    for n in range(3):
        ann.create_room(f"Another {n}", ephemeral=n == 1)
    bob.join(room)
    ws.Chat(bob, room).say("hello, see https://example.org/")

    def check(what):
        page.until("document.getAnimations().every((one) => one.effect.getTiming().iterations === Infinity)")
        page.run(f"{AXE.read_text()};0")
        found = page.run("axe.run().then(({violations}) => violations.map(({id, impact, nodes}) =>"
                         " [id, impact, nodes.map(({html}) => html.slice(0, 200))]))")
        assert [one for one in found if one[1] in ("serious", "critical")] == [], what
        assert found == [], what

    page = browser.page(server.url)
    page.call("Page.setBypassCSP", enabled=True)  # axe makes elements of strings
    page.prefer(prefers_color_scheme=scheme)
    page.open(server.url)
    page.see("#login")
    check("login")
    page.fill("login", username="", password="")
    page.see(".field-error")
    check("login, refused")
    page.open(f"{server.url}/register")
    page.see("#register")
    check("register")
    enter(page, "ann")
    page.see("#rooms a")
    check("no room")
    page.click(f"#rooms [data-room='{room}']")
    page.see(LIVE)
    say(page, "hello bob")
    page.see(".own[data-state=stored]")
    page.click("#who-is-here")
    page.see("#people")
    check("room")
    page.run("document.querySelector('#composer textarea').focus()")
    page.type("/")
    page.see(".command-help")
    check("commands")
    page.press("Escape")
    page.click("#new-room")
    page.see("dialog[open]")
    check("new room")
    page.press("Escape")
    page.screen(**PHONE)
    check("phone, room")
    server.kill()
    page.see("#banner")
    say(page, "unsent")
    page.see(".is-sending")
    check("disconnected")
