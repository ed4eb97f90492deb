"""P19: pages of other origins neither open sockets nor change anything, by table and in a browser."""

import functools
import http.server
import json
import threading

import pytest

import openapi
import server as servers
import ws
from browser import Browser

LISTED = "https://app.test"
SITES = [None, "same-origin", "same-site", "none", "cross-site", "other", ""]
STATE_CHANGING = sorted(path for path, item in openapi.DOCUMENT["paths"].items()
                        for method, operation in item.items() if method in ("post", "put", "delete", "patch"))
SOCKETS = sorted(path for path, item in openapi.DOCUMENT["paths"].items() if "101" in item.get("get", {}).get("responses", {}))


def origins(server):
    """Origin -> does the server know it?"""
    own = f"http://127.0.0.1:{server.port}"
    return {None: True, own: True, LISTED: True, own.replace("http", "https"): True,  # a proxy may speak TLS for us
            "null": False, "*": False, "https://evil.test": False, f"http://127.0.0.1:{server.port + 1}": False,
            "http://127.0.0.1": False, own + "/": False, own.upper(): False, f"http://localhost:{server.port}": False,
            f"http://x@127.0.0.1:{server.port}": False, f"http://127.0.0.1:{server.port}.evil.test": False,
            LISTED + ".evil.test": False, "https://evil-app.test": False, "http://app.test": False, LISTED.upper(): False,
            f"{LISTED} https://evil.test": False, "file://": False, "chrome-extension://abc": False}


def headers_of(origin, site=None, **more):
    return {name: text for name, text in (("Origin", origin), ("Sec-Fetch-Site", site), *more.items()) if text is not None}


def may_change(origin, is_known, site):
    """By cookie. The rule of the contract (2.6), and where a browser names both, both must do."""
    if site in ("same-origin", "none"):
        return True
    return is_known and site in (None, "", "same-site")


@pytest.fixture
def scene(make_server):
    server = make_server({"CONFAB_HTTP_ALLOWED_ORIGINS": LISTED}).start()
    ann = server.user("ann")
    return server, ann, ann.create_room()


def state_of(client, room):
    """What a foreign page could want to change."""
    return (sorted(entry["id"] for entry in client.call("GET", "/chatrooms")["chatrooms"]),
            [message["content"] for message in client.messages(room)])


def test_every_state_changing_operation_by_cookie(store_kind, scene):
    server, ann, room = scene
    bob = server.user("bob")
    is_out = False
    for path in STATE_CHANGING:
        if "/auth/" in path and not path.endswith("logout"):
            continue  # need no session; see test_edges.py
        for origin, is_known in origins(server).items():
            for site in SITES:
                if is_out:
                    bob.login("bob")
                client = bob if path.endswith("logout") else ann
                before = state_of(ann, room)
                status, _, body = server.client().raw(
                    "POST", path.replace("{id}", room), json.dumps({"name": "made"}) if path.endswith("chatrooms") else None,
                    headers_of(origin, site, Cookie=f"session_id={client.token}"))
                is_out = path.endswith("logout") and status == 200
                if may_change(origin, is_known, site):
                    assert status in (200, 201), (path, origin, site)
                else:
                    assert (status, body) == (403, b'{"error":"Forbidden"}\n'), (path, origin, site)
                    assert state_of(ann, room) == before
                    assert client.call("GET", "/auth/me")


@pytest.mark.only_store("sqlite")
@pytest.mark.parametrize("host, origin, is_ours", [
    ("chat.test", "https://chat.test", True), ("chat.test", "http://chat.test", True),
    ("chat.test:443", "https://chat.test", True), ("chat.test", "https://chat.test:443", True),
    ("chat.test:80", "http://chat.test", True), ("chat.test", "http://chat.test:80", True),
    ("chat.test:80", "https://chat.test", False), ("chat.test:443", "http://chat.test", False),
    ("chat.test", "https://chat.test:80", False), ("chat.test:4430", "https://chat.test", False),
    ("chat.test:8443", "https://chat.test:8443", True), ("chat.test:8443", "https://chat.test", False),
    ("443", "https://443:443", True), ("443", "https://443", True), ("443", "https://:443", False)])
def test_the_port_of_a_scheme_may_be_written_out(store_kind, scene, host, origin, is_ours):
    """As a proxy does that sends the name it was asked for with the port it listens on."""
    server, ann, room = scene
    status, *_ = server.client().raw("POST", "/api/v1/chatrooms", '{"name":"made"}',
                                     {"Host": host, "Origin": origin, "Cookie": f"session_id={ann.token}"})
    assert status == (201 if is_ours else 403)


@pytest.mark.only_store("sqlite")
def test_who_brings_a_bearer_token_is_no_victim(store_kind, scene):
    server, ann, _ = scene
    for origin in origins(server):
        for site in SITES:
            assert server.client().raw("POST", "/api/v1/chatrooms", '{"name":"made"}',
                                       headers_of(origin, site, Authorization=f"Bearer {ann.token}"))[0] == 201
    # unless the cookie goes first: what a page cannot do without it, it cannot do with it
    both = headers_of("https://evil.test", None, Cookie=f"session_id={ann.token}", Authorization=f"Bearer {ann.token}")
    assert server.client().raw("POST", "/api/v1/chatrooms", '{"name":"made"}', both)[0] == 403


def test_every_socket_route(store_kind, scene):
    server, ann, room = scene
    for path in SOCKETS:
        for origin, is_known in origins(server).items():
            for token, query, more in ((ann.token, "", {}), (None, f"?token={ann.token}", {}),
                                       (None, "", {"Authorization": f"Bearer {ann.token}"})):
                target = path.replace("{id}", room) + query
                if is_known:
                    ws.WebSocket(server.port, target, token, {"Origin": origin, **more}).close()
                    continue
                with pytest.raises(ws.NotUpgraded) as caught:
                    ws.WebSocket(server.port, target, token, {"Origin": origin, **more})
                assert (caught.value.status, caught.value.body) == (403, b"Forbidden\n"), (path, origin)


def test_answers_are_shared_with_known_origins_only(store_kind, scene):
    server, ann, room = scene
    shared = {"http://" + f"127.0.0.1:{server.port}", f"https://127.0.0.1:{server.port}", LISTED}
    for path in ("/health", "/api/v1/auth/me", "/api/v1/chatrooms", f"/api/v1/chatrooms/{room}/messages", "/nothing", "/"):
        for method in ("GET", "OPTIONS", "HEAD"):
            for origin in origins(server):
                _, headers, _ = server.client().raw(method, path, headers=headers_of(origin, Cookie=f"session_id={ann.token}"))
                assert headers.get_all("Vary") == ["Origin"], (path, origin)
                assert headers.get("Access-Control-Allow-Origin") == (origin if origin in shared else None), (path, origin)
                assert headers.get("Access-Control-Allow-Credentials") == ("true" if origin in shared else None)


def test_with_an_origin_of_star_the_cookie_counts_for_known_pages_only(store_kind, make_server):
    server = make_server({"CONFAB_HTTP_ALLOWED_ORIGINS": f"*,{LISTED}"}).start()
    ann = server.user("ann")
    room = ann.create_room()
    for origin, is_known in origins(server).items():
        _, headers, _ = server.client().raw("GET", "/health", headers=headers_of(origin))
        assert headers.get("Access-Control-Allow-Origin") == (None if origin is None else origin if is_known else "*")
        assert headers.get("Access-Control-Allow-Credentials") == ("true" if origin and is_known else None), origin
        status = server.client().raw("POST", "/api/v1/chatrooms", '{"name":"made"}',
                                     headers_of(origin, Cookie=f"session_id={ann.token}"))[0]
        assert status == (201 if is_known else 403), origin
        try:
            ws.WebSocket(server.port, f"/ws/chat/{room}", ann.token, {"Origin": origin}).close()
            assert is_known, origin
        except ws.NotUpgraded as refusal:
            assert not is_known and refusal.status == 401, origin
        ws.WebSocket(server.port, f"/ws/chat/{room}?token={ann.token}", None, {"Origin": origin}).close()


# ---- in a browser: a page on another port (the same site), and one under another name (another site)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def foreign(tmp_path):
    """Serves a page; its port."""
    folder = tmp_path / "foreign"
    folder.mkdir()
    (folder / "page.html").write_text("<!doctype html><title>foreign</title><body></body>")
    (folder / "done.html").write_text("<!doctype html><title>done</title>")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield served.server_port
        served.shutdown()


@pytest.fixture
def browser(tmp_path):
    one = Browser(tmp_path)
    yield one
    one.close()


ATTACK = """(async () => {
    const target = %r, room = %r, told = {};
    const send = async (name, path, options) => {
        try {
            const answer = await fetch(target + path, {credentials: 'include', ...options});
            told[name] = answer.type === 'opaque' ? 'opaque' : [answer.status, await answer.text()];
        } catch (error) { told[name] = 'stopped'; }
    };
    await send('me', '/api/v1/auth/me', {});
    await send('history', `/api/v1/chatrooms/${room}/messages`, {});
    await send('create', '/api/v1/chatrooms', {method: 'POST', body: '{"name":"made by a foreign page"}'});
    await send('create blind', '/api/v1/chatrooms', {method: 'POST', mode: 'no-cors', body: '{"name":"made by a foreign page"}'});
    await send('join blind', `/api/v1/chatrooms/${room}/join`, {method: 'POST', mode: 'no-cors'});
    await send('logout blind', '/api/v1/auth/logout', {method: 'POST', mode: 'no-cors'});
    await send('preflight', '/api/v1/chatrooms', {method: 'POST', headers: {'Content-Type': 'application/json'},
                                                  body: '{"name":"made by a foreign page"}'});
    await send('register', '/api/v1/auth/register', {method: 'POST', mode: 'no-cors',
        body: '{"username":"foreign","email":"f@b.cc","password":"password123"}'});
    told.socket = await new Promise(resolve => {
        const socket = new WebSocket(target.replace('http', 'ws') + `/ws/chat/${room}`);
        socket.onopen = () => { socket.send('{"content":"said by a foreign page"}'); resolve('open'); };
        socket.onerror = () => resolve('stopped');
    });
    told.frame = await new Promise(resolve => {
        const frame = document.createElement('iframe');
        frame.onload = () => { try { resolve(frame.contentWindow.location.href === undefined ? '' : 'shown'); }
                               catch (error) { resolve('stopped'); } };
        frame.src = target + '/';
        document.body.append(frame);
    });
    return told;
})()"""

FORM = """(() => {
    const form = document.createElement('form'), field = document.createElement('input');
    form.method = 'POST'; form.enctype = 'text/plain'; form.action = %r;
    field.name = %r; field.value = %r;
    form.append(field); document.body.append(form);
    setTimeout(() => form.submit(), 0);
})()"""


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_foreign_page_in_a_browser_gets_nothing_and_changes_nothing(store_kind, server, browser, foreign, host):
    victim = server.client()
    victim.register("victim")
    attacker = server.user("attacker")
    room = attacker.create_room("secret name")
    chat = ws.Chat(attacker, room)
    chat.say("a secret message")
    page = browser.page(server.url + "/")
    assert page.run("fetch('/api/v1/auth/login', {method: 'POST', body: JSON.stringify("
                    "{username: 'victim', password: 'password123'})}).then(answer => answer.status)") == 200
    assert page.run(f"fetch('/api/v1/chatrooms/{room}/join', {{method: 'POST'}}).then(answer => answer.status)") == 200
    mine = attacker.create_room("the victim is no member")
    before = state_of(attacker, room)
    page.open(f"http://{host}:{foreign}/page.html")
    told = page.run(ATTACK % (server.url, room))
    assert told["socket"] == "stopped" and told["frame"] == "stopped"
    for name in ("me", "history", "create", "preflight"):
        assert told[name] == "stopped", "the browser hands no answer over"
    for name in ("create blind", "join blind", "logout blind", "register"):
        assert told[name] in ("opaque", "stopped"), name
    page.run(ATTACK % (server.url, mine))
    for path, name, rest in (("/api/v1/chatrooms", '{"name":"made by a form","pad":"', '"}'),
                             ("/api/v1/auth/logout", "x", "y"), (f"/api/v1/chatrooms/{mine}/join", "x", "y"),
                             ("/api/v1/auth/login", '{"username":"attacker","password":"password123","pad":"', '"}')):
        page.open(f"http://{host}:{foreign}/page.html")
        page.run(FORM % (server.url + path, name, rest))
        servers.until(lambda: page.address().startswith(server.url), "the form's answer")
        page.until("document.readyState === 'complete' && document.body.innerText")
        assert json.loads(page.run("document.body.innerText"))["error"] in (
            "Forbidden", "Not authenticated"), path  # without a cookie, as SameSite=Lax keeps it from other sites
    page.open(server.url + "/")
    me = page.run("fetch('/api/v1/auth/me').then(answer => answer.json())")
    assert me["username"] == "victim", "neither logged out nor logged in as somebody else"
    assert page.run(f"fetch('/api/v1/chatrooms/{mine}/messages').then(answer => answer.status)") == 403, "not joined"
    rooms, said = state_of(attacker, room)
    assert (rooms, said) == (before[0], ["a secret message"])
    with pytest.raises(Exception, match="Invalid credentials"):
        server.client().login("foreign")
    # They did reach the server: from the same site with the cookie, from another without.
    status = "403" if host == "127.0.0.1" else "401"
    servers.until(lambda: server.metrics().get(
        f'http_requests_total{{method="POST",path="/api/v1/chatrooms",status="{status}"}}'), "the refusals to be counted")


def test_the_same_requests_from_our_own_page_do_work(store_kind, server, browser):
    """The control: what the browser does not do for others it does for us."""
    ann = server.user("ann")
    room = ann.create_room("own")
    page = browser.page(server.url + "/")
    assert page.run("fetch('/api/v1/auth/login', {method: 'POST', body: JSON.stringify("
                    "{username: 'ann', password: 'password123'})}).then(answer => answer.status)") == 200
    page.open(server.url + "/")
    told = page.run(ATTACK % (server.url, room))
    assert told["me"][0] == told["history"][0] == 200 and told["create"][0] == 201
    assert told["frame"] == "stopped", "frame-ancestors keeps even ourselves out"
