"""An operator's own pages (http.pages_dir): what they may do, what nobody else may do in them, and that pages
such as the rooms contract describes work unchanged: one script and one style sheet in each, style attributes, and
no token but the cookie."""

import base64
import email.utils
import hashlib
import json
import re

import pytest

import browser as browsers
import server as servers
import ws
from test_browser import enter, say, shows

pytestmark = pytest.mark.only_store("sqlite")
in_browser = pytest.mark.skipif(browsers.BINARY is None, reason="package chromium is not installed")

NASTY = '" id="trap" onclick="window.hacked=1" onmouseover="window.hacked=1" x="'

FORM = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>%(name)s</title>
<style>body { background: rgb(1, 2, 3) }</style></head>
<body><form id="%(name)s">%(fields)s<button>Go</button></form><p id="error" style="color: rgb(200, 0, 0)"></p>
<script>
document.querySelector('form').addEventListener('submit', async (event) => {
    event.preventDefault();
    const answer = await fetch('/api/v1/auth/%(name)s', {method: 'POST', credentials: 'include',
        headers: {'Content-Type': 'application/json'},
        body: JSON.stringify(Object.fromEntries(new FormData(event.target)))});
    const body = await answer.json();
    if (answer.ok) {
        if (body.session && body.session.token) sessionStorage.setItem('token', body.session.token);
        location.href = '%(to)s';
    } else document.getElementById('error').textContent = body.error;
});
</script></body></html>
"""

CHAT = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Chat</title>
<style>#messages { height: 100px; overflow-y: scroll }</style></head>
<body><b id="me"></b><button id="logout">Logout</button><div id="rooms"></div><div id="messages"></div>
<textarea id="content" disabled></textarea>
<script>
(async function () {
    const messages = document.getElementById('messages'), content = document.getElementById('content');
    let room, socket, oldest, counts = {}, more = true, busy = false;
    const api = (path, options) => fetch('/api/v1' + path, {credentials: 'include', ...options});
    const escaped = (text) => { const div = document.createElement('div'); div.textContent = text; return div.innerHTML; };
    const me = await api('/auth/me');
    if (!me.ok) { location.href = '/login'; return; }
    document.getElementById('me').textContent = (await me.json()).username;
    const element = (one) => {
        const div = document.createElement('div');
        div.className = one.is_bot ? 'bot' : 'message';
        div.innerHTML = `<i style="color: rgb(9, 9, 9)">${escaped(one.username)}</i> <span class="text">${escaped(one.content)}</span>`;
        return div;
    };
    const show = (one) => {
        if (['user_joined', 'user_left'].includes(one.type) || !one.content || !one.content.trim()) return;
        messages.append(element(one));
        messages.scrollTop = messages.scrollHeight;
    };
    const list = async () => {
        const {chatrooms} = await (await api('/chatrooms')).json();
        // as the existing page has it: the name is escaped for text, and then put between quotes
        document.getElementById('rooms').innerHTML = chatrooms.map((one) =>
            `<a data-room="${one.id}" data-name="${escaped(one.name)}">${escaped(one.name)}</a> `).join('');
        for (const link of document.querySelectorAll('[data-room]')) link.addEventListener('click', () => open(link.dataset.room));
    };
    const connect = (id) => {
        const token = sessionStorage.getItem('token');
        socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws/chat/${id}` +
                               (token ? `?token=${token}` : ''));
        socket.onopen = () => { content.disabled = false; };
        socket.onmessage = (event) => {
            const one = JSON.parse(event.data);
            if (one.type === 'user_count_update') counts = one.user_counts;
            else show(one);
            document.body.dataset.count = counts[room] || 0;
        };
        socket.onclose = () => { if (room === id) setTimeout(() => connect(id), 3000); };
    };
    const open = async (id) => {
        room = id;
        await api(`/chatrooms/${id}/join`, {method: 'POST'});
        const page = await (await api(`/chatrooms/${id}/messages?limit=50`)).json();
        messages.innerHTML = '';
        page.messages.forEach(show);
        oldest = page.messages.length && page.messages[0].created_at;
        connect(id);
    };
    messages.addEventListener('scroll', async () => {
        if (messages.scrollTop > 100 || !oldest || !more || busy) return;
        busy = true;
        const page = await (await api(`/chatrooms/${room}/messages?limit=50&before=${oldest}`)).json();
        more = page.messages.length === 50;
        if (page.messages.length) oldest = page.messages[0].created_at;
        messages.prepend(...page.messages.map(element));
        busy = false;
    });
    content.addEventListener('keydown', (event) => {
        if (event.key !== 'Enter' || event.shiftKey || !content.value.trim()) return;
        event.preventDefault();
        socket.send(JSON.stringify({content: content.value.trim(), timestamp: new Date().toISOString()}));
        content.value = '';
    });
    document.getElementById('logout').addEventListener('click', async () => {
        await api('/auth/logout', {method: 'POST'});
        sessionStorage.clear();
        location.href = '/login';
    });
    await list();
})();
</script></body></html>
"""


def form(name, to, *fields):
    return FORM % {"name": name, "to": to, "fields": "".join(f'<input name="{field}">' for field in fields)}


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "pages"
    path.mkdir()
    (path / "index.html").write_text(CHAT)
    (path / "login.html").write_text(form("login", "/", "username", "password"), newline="\r\n")
    (path / "register.html").write_text(form("register", "/login", "username", "email", "password"))
    return path


@pytest.fixture
def own(make_server, folder):
    return make_server({"CONFAB_HTTP_PAGES_DIR": str(folder)}).start()


def policy_of(headers):
    return dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))


# ---- files


def test_the_pages_are_the_operators_and_what_stands_in_them_is_named(store_kind, own, folder):
    for path, name in (("/", "index"), ("/login", "login"), ("/register", "register")):
        status, headers, body = own.client().raw("GET", path)
        assert status == 200 and body == (folder / f"{name}.html").read_bytes()
        assert headers["Content-Type"] == "text/html; charset=utf-8" and headers["Cache-Control"] == "no-cache"
        policy = policy_of(headers)
        text = body.decode().replace("\r\n", "\n")
        for directive, tag in (("script-src", "script"), ("style-src-elem", "style")):
            inside = re.search(f"<{tag}>(.*?)</{tag}>", text, re.S)[1]
            digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
            assert policy[directive].split()[0] == f"'sha256-{digest}'"
        assert "unsafe" not in policy["script-src"] and policy["default-src"] == "'none'"
        assert policy["connect-src"] == "'self'" and policy["font-src"] == "https://fonts.gstatic.com"
        assert policy["style-src-elem"].split()[1:] == ["https://fonts.googleapis.com"]
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert own.client().raw("GET", f"/{name}.html")[0] == 301
        assert own.client().raw("HEAD", path)[2] == b"" and own.client().raw("POST", path)[0] == 405
        modified = headers["Last-Modified"]
        assert email.utils.parsedate_to_datetime(modified).timestamp() == int((folder / f"{name}.html").stat().st_mtime)
        assert own.client().raw("GET", path, headers={"If-None-Match": headers["ETag"]})[0] == 304
        assert own.client().raw("GET", path, headers={"If-Modified-Since": modified})[0] == 304
    for path in ("/icon.svg", "/assets/x.js", "/favicon.ico", "/login/", "/../pages/index.html"):
        assert own.client().raw("GET", path)[0] == 404


def test_pages_are_those_of_the_start(store_kind, own, folder):
    (folder / "index.html").write_text("<p>another")
    assert own.client().raw("GET", "/")[2] == CHAT.encode()


@pytest.mark.parametrize("name, text, word", [
    ("login.html", None, "No such file"), ("index.html", "", "is empty"), ("index.html", "<p>" + "x" * (1 << 20), "larger than 1 MiB"),
    ("register.html", "<script>never ended", "an element without an end"),
    ("index.html", "<script src='https://cdn.test/x.js'></script>", "a script from elsewhere")],
    ids=["missing", "empty", "too large", "unfinished", "from elsewhere"])
def test_pages_that_cannot_be_served_are_refused_at_start(store_kind, make_server, folder, name, text, word):
    (folder / name).unlink() if text is None else (folder / name).write_text(text)
    server = make_server({"CONFAB_HTTP_PAGES_DIR": str(folder)})
    server.allow_errors("cannot serve the pages|cannot start")
    checked = server.command("check-config")
    assert checked.returncode == 78 and word in checked.stdout and name in checked.stdout
    server.launch()
    assert server.wait_exit() == 78
    assert any(line["msg"] == "cannot serve the pages" and word in line["reason"] for line in server.lines)


# ---- in a browser


@pytest.fixture
def browser(tmp_path):
    one = browsers.Browser(tmp_path)
    yield one
    one.close()


def arrives(page, script):
    """Waits until it is true, also while the page goes from one address to another."""
    def is_true():
        try:
            return page.run(f"document.readyState === 'complete' && !!({script})")
        except AssertionError:  # its document went away meanwhile
            return False
    servers.until(is_true, script)


def log_in(page, name):
    arrives(page, "document.getElementById('login')")
    page.fill("login", username=name, password="password123")
    arrives(page, f"document.getElementById('me')?.textContent === '{name}'")


def open_room(page, room):
    page.click(f"[data-room='{room}']")
    page.until("!document.getElementById('content').disabled")


@in_browser
def test_an_existing_page_chats_with_one_of_ours(store_kind, make_server, browser, folder):
    """Bob's page was opened before the operator put others in its place; it reconnects and goes on."""
    server = make_server().start()
    owner = server.user("owner")
    room = owner.create_room("General")
    server.user("bob")
    bob = browser.page(server.url)
    enter(bob, "bob", room)
    assert server.terminate() == 0
    server.start(CONFAB_HTTP_PAGES_DIR=str(folder))

    ann = browser.page(f"{server.url}/register")
    assert ann.run("getComputedStyle(document.body).backgroundColor") == "rgb(1, 2, 3)"
    assert ann.run("getComputedStyle(document.getElementById('error')).color") == "rgb(200, 0, 0)"
    ann.fill("register", username="an", email="ann@test.com", password="password123")
    ann.until("document.getElementById('error').textContent === 'Invalid input'")
    ann.fill("register", username="n", email="", password="")  # typed behind what is there
    log_in(ann, "ann")
    open_room(ann, room)
    ann.until("document.body.dataset.count === '2'")
    ann.run("document.getElementById('content').focus()")
    ann.type("hello from ann")
    ann.press("Enter")
    shows(bob, "hello from ann")
    say(bob, "hello from bob")
    ann.until("[...document.querySelectorAll('.message .text')].map((e) => e.textContent).join() === "
              "'hello from ann,hello from bob'")
    assert "rgb(9, 9, 9)" in ann.run("getComputedStyle(document.querySelector('#messages i')).color")
    ann.click("#logout")
    arrives(ann, "document.getElementById('login')")
    assert browser.problems() == []


@in_browser
def test_an_existing_page_scrolls_back_by_time(store_kind, own, browser):
    owner = own.user("ann")
    room = owner.create_room("General")
    texts = [f"text {i}" for i in range(120)]
    one = ws.Chat(owner, room)
    for text in texts:
        one.say(text)
    one.leave()
    page = browser.page(f"{own.url}/login")
    log_in(page, "ann")
    open_room(page, room)
    for known in (50, 100, 120):
        page.until(f"document.querySelectorAll('#messages .text').length === {known}")
        page.run("(() => { const m = document.getElementById('messages'); m.scrollTop = 1; m.scrollTop = 0; })()")
    shown = page.run("[...document.querySelectorAll('#messages .text')].map((e) => e.textContent)")
    assert shown == texts
    assert browser.problems() == []


@in_browser
def test_only_what_was_in_the_page_at_start_runs_in_it(store_kind, own, browser):
    own.user("ann").create_room(NASTY)
    page = browser.page(f"{own.url}/login")
    log_in(page, "ann")
    page.see("[data-room]")
    assert page.run("document.getElementById('trap').hasAttribute('onclick')"), "the name breaks out of its attribute"
    script = "document.head.append(Object.assign(document.createElement('script'), {textContent: %s}))"
    original = page.run("document.querySelector('script').textContent")
    changed = f"window.hacked = 1; {original}"
    for attempt in ("document.getElementById('trap').click()", script % "'window.hacked=1'", script % json.dumps(changed),
                    "document.body.setAttribute('onclick', 'window.hacked=1'); document.body.click()",
                    "eval('window.hacked=1')"):
        page.call("Runtime.evaluate", expression=attempt, awaitPromise=True, allowUnsafeEvalBlockedByCSP=False)
        assert page.run("window.hacked") is None, attempt
    assert page.problems() != []
    assert page.run("fetch('http://127.0.0.1:1/').then(() => 'sent', () => 'stopped')") == "stopped"


@in_browser
def test_a_script_changed_on_its_way_does_not_run(store_kind, own, browser):
    page = browser.page(f"{own.url}/login")
    page.call("Fetch.enable", patterns=[{"urlPattern": f"{own.url}/", "resourceType": "Document", "requestStage": "Response"}])
    page.run("setTimeout(() => { location.href = '/'; }, 0) > 0")
    servers.until(lambda: any(event["method"] == "Fetch.requestPaused" for event in browser.events), "the page's bytes")
    paused = next(event["params"] for event in browser.events if event["method"] == "Fetch.requestPaused")
    body = CHAT.replace("(async function () {", "(async function () { window.hacked = 1;")
    page.call("Fetch.fulfillRequest", requestId=paused["requestId"], responseCode=200,
              responseHeaders=paused["responseHeaders"], body=base64.b64encode(body.encode()).decode())
    page.call("Fetch.disable")
    arrives(page, "document.getElementById('rooms')")
    assert page.run("window.hacked") is None and page.run("location.pathname") == "/"  # nor did it lead to /login
    assert any("Content Security Policy" in str(event) for event in page.problems())
