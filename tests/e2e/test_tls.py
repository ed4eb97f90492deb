"""TLS from outside: what the server shows, what it says, another certificate, and who spoils it. That
everything works over TLS as without it is for the tests marked over_tls_too."""

import json
import signal
import socket
import ssl

import pytest

import rest
import server as servers
import ws
from ports import free_port

pytestmark = pytest.mark.only_store("sqlite")
EXPIRY = "confab_tls_certificate_expiry_timestamp_seconds"
HSTS = "max-age=31536000"


@pytest.fixture
def transport():
    return "tls"


def failures(reason):
    return f'confab_tls_handshake_failures_total{{reason="{reason}"}}'


def counted(server, **expected):
    """The counters come to these values; stats asks for them once a second."""
    names = {name: value for name, value in expected.items() if name != "failures"}
    names |= {failures(reason): value for reason, value in expected.get("failures", {}).items()}
    servers.until(lambda: names.items() <= server.metrics().items(), f"{names}")


def shown(server):
    """The serial number of the certificate that a new client is shown."""
    with socket.create_connection(("127.0.0.1", int(server.port))) as tcp:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(tcp) as client:
            pem = ssl.DER_cert_to_PEM_cert(client.getpeercert(True))
    path = server.folder / "shown.pem"
    path.write_text(pem)
    return int(ssl._ssl._test_decode_cert(str(path))["serialNumber"], 16)


def told(server, msg, since):
    assert server.wait_log(lambda entry: entry["msg"] == msg, since), f"not logged: {msg}"


def hang_up(server, msg):
    """SIGHUP, and what came of it."""
    since = len(server.lines)
    server.signal(signal.SIGHUP)
    told(server, msg, since)


def watch(make_server, env=None, **options):
    """A server whose figures are told on a listener of their own, so that asking is no connection more."""
    port = free_port()
    server = make_server({"CONFAB_METRICS_LISTEN": f"127.0.0.1:{port}", **(env or {})}, **options).start()
    server.metrics_port = port
    return server


@pytest.fixture
def watched(make_server):
    return watch(make_server)


# ---- another certificate


@pytest.mark.parametrize("gateways", [1, 3])
def test_sighup_shows_the_new_certificate_and_harms_nobody(store_kind, make_server, certificate, gateways):
    server = make_server({"CONFAB_GATEWAY_COUNT": str(gateways)}).start()
    ann = server.user("ann")
    chat = ws.Chat(ann, ann.create_room())
    old, expiry = certificate.serial, server.metrics()[EXPIRY]
    assert shown(server) == old
    new = certificate.renew(days=60)
    assert shown(server) == old, "not before it is told"
    hang_up(server, "reloaded")
    for _ in range(5 * gateways):  # whichever gateway they come to
        assert shown(server) == new
    chat.say("as before")
    server.port.tls = certificate.context()  # trusts the new one alone
    counted(server, confab_tls_reloads_total=gateways, confab_tls_reloads_refused_total=0)
    assert 29 * 86400 < server.metrics()[EXPIRY] - expiry < 31 * 86400
    assert chat.leave() == 1000


def test_sighup_with_a_bad_pair_keeps_the_old_one(store_kind, server, certificate):
    server.allow_errors("cannot use the certificate")
    old, key = certificate.serial, certificate.key.read_bytes()
    certificate.renew()
    new_key = certificate.key.read_bytes()
    for bad in (key, b"", b"-----BEGIN PRIVATE KEY-----\n"):
        certificate.key.write_bytes(bad)
        hang_up(server, "not reloaded; the old certificate stays")
        assert shown(server) == old
    reasons = [line["reason"] for line in server.lines if line["msg"] == "cannot use the certificate"]
    assert all(reason.startswith(f"http.tls_key_file: '{certificate.key}': ") for reason in reasons), reasons
    counted(server, confab_tls_reloads_total=0, confab_tls_reloads_refused_total=3)
    certificate.key.write_bytes(new_key)
    hang_up(server, "reloaded")
    assert shown(server) == certificate.serial


def test_sighup_without_tls_says_that_there_is_nothing_to_reload(store_kind, store, tmp_path):
    plain = servers.Server(store, tmp_path)
    try:
        plain.start()
        hang_up(plain, "nothing can be reloaded while running; restart to apply a new configuration")
        assert EXPIRY not in plain.metrics()
    finally:
        plain.close()
    assert plain.log_problems() == []


# ---- a start that cannot be


def spoil(certificate, how):
    """Makes the pair one that cannot be used; what must be named, and settings."""
    if how == "no certificate":
        certificate.cert.unlink()
        return f"http.tls_cert_file: '{certificate.cert}': No such file or directory"
    if how == "no key":
        certificate.key.unlink()
        return f"http.tls_key_file: '{certificate.key}': No such file or directory"
    if how == "garbage":
        certificate.cert.write_text("hello")
        return f"http.tls_cert_file: '{certificate.cert}': no certificate in PEM form"
    if how == "expired":
        certificate.renew(days=1, at="2 days ago")
        return f"http.tls_cert_file: '{certificate.cert}': expired at "
    if how == "not yet valid":
        certificate.renew(at="2 days")
        return f"http.tls_cert_file: '{certificate.cert}': not valid before "
    other = certificate.key.read_bytes()
    certificate.renew()
    certificate.key.write_bytes(other)
    return f"http.tls_key_file: '{certificate.key}': not the key of the certificate"


@pytest.mark.parametrize("how", ["no certificate", "no key", "garbage", "expired", "not yet valid", "another key"])
def test_a_pair_that_cannot_be_used_is_exit_78_and_named(store_kind, make_server, certificate, how):
    said = spoil(certificate, how)
    server = make_server()
    server.allow_errors("cannot use the certificate|cannot start")
    assert server.launch().wait_exit() == 78
    assert any(line.get("reason", "").startswith(said) for line in server.lines), server.lines
    checked = server.command("check-config")
    assert checked.returncode == 78 and checked.stdout.startswith(said), checked.stdout


def test_a_good_pair_passes_check_config_and_half_a_pair_does_not(store_kind, make_server):
    server = make_server()
    assert server.command("check-config").stdout == "OK\n"
    for half in ("cert", "key"):
        checked = server.command("check-config", **{f"CONFAB_HTTP_TLS_{half.upper()}_FILE": ""})
        assert checked.returncode == 78
        assert "http.tls_cert_file and http.tls_key_file need each other" in checked.stdout


# ---- what it says


def test_every_answer_insists_on_tls(store_kind, server):
    assert server.client().raw("GET", "/health")[1]["Strict-Transport-Security"] == HSTS
    one = ws.Socket(server.port)
    one.send(b"GET / HTTP/1.1\n\n")  # the server's own refusal
    status, headers = one.read_head()
    assert (status, headers["strict-transport-security"]) == (400, HSTS)
    one.close()


@pytest.mark.server_env(CONFAB_HTTP_HSTS_MAX_AGE="0")
def test_hsts_can_be_left_out(store_kind, server):
    assert "Strict-Transport-Security" not in server.client().raw("GET", "/health")[1]


def test_the_metrics_listener_stays_plain(store_kind, watched):
    status, headers, body = rest.Client(watched.metrics_port).raw("GET", "/metrics")
    assert (status, body[:7]) == (200, b"# HELP ")
    assert "Strict-Transport-Security" not in headers


def test_a_page_that_came_without_tls_is_a_foreign_one(store_kind, server):
    ann = server.user("ann")
    room = ann.create_room()
    for origin, status in ((server.url, 101), (server.url.replace("https", "http"), 403)):
        try:
            ws.WebSocket(server.port, f"/ws/chat/{room}", ann.token, {"Origin": origin}).close()
            assert status == 101, origin
        except ws.NotUpgraded as refused:
            assert refused.status == status, origin


@pytest.mark.server_env(CONFAB_AUTH_COOKIE_NAME="__Host-session_id")
def test_the_cookie_may_be_bound_to_the_host(store_kind, server):
    client = server.client()
    client.register("ann")
    status, headers, _ = client.raw("POST", "/api/v1/auth/login", b'{"username":"ann","password":"password123"}')
    assert status == 200
    cookie, rest = headers["Set-Cookie"].split("; ", 1)
    assert cookie.startswith("__Host-session_id=")
    assert rest == "Path=/; Max-Age=86400; HttpOnly; Secure; SameSite=Lax"
    token = cookie.split("=", 1)[1]
    assert client.raw("GET", "/api/v1/auth/me", headers={"Cookie": cookie})[0] == 200
    assert client.raw("GET", "/api/v1/auth/me", headers={"Cookie": f"session_id={token}"})[0] == 401
    assert client.raw("GET", "/api/v1/auth/me", headers={"Authorization": f"Bearer {token}"})[0] == 200
    _, headers, _ = client.raw("POST", "/api/v1/auth/logout", headers={"Cookie": cookie})
    assert headers["Set-Cookie"] == "__Host-session_id=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"


def test_a_host_cookie_needs_tls_or_production(store_kind, make_server):
    server = make_server()
    none = {"CONFAB_HTTP_TLS_CERT_FILE": "", "CONFAB_HTTP_TLS_KEY_FILE": "", "CONFAB_AUTH_COOKIE_NAME": "__Host-session_id"}
    checked = server.command("check-config", **none)
    assert checked.returncode == 78 and "auth.cookie_name" in checked.stdout
    assert server.command("check-config", **none, CONFAB_NODE_ENVIRONMENT="production").returncode == 0


@pytest.mark.parametrize("least, oldest", [("1.2", ssl.TLSVersion.TLSv1_2), ("1.3", ssl.TLSVersion.TLSv1_3)])
def test_the_oldest_version_is_a_setting(store_kind, make_server, least, oldest):
    server = make_server({"CONFAB_HTTP_TLS_MIN_VERSION": least}).start()
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        server.port.tls = server.certificate.context()
        server.port.tls.minimum_version = server.port.tls.maximum_version = version
        if version >= oldest:
            assert server.client().raw("GET", "/health")[0] == 200
        else:
            with pytest.raises(ssl.SSLError):
                server.client().raw("GET", "/health")


# ---- who spoils it


def plain(server, data=b""):
    """A client that knows nothing of TLS."""
    one = ws.Socket(int(server.port))
    if data:
        one.send(data)
    return one


def test_plain_http_is_closed_and_counted(store_kind, server):
    one = plain(server, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert not one.read_rest().startswith(b"HTTP")
    one.close()
    counted(server, failures={"plain_http": 1})


@pytest.mark.server_env(CONFAB_HTTP_HEAD_TIMEOUT="1s")
def test_who_never_shakes_hands_keeps_nobody_out_and_is_cut(store_kind, server):
    idle = [plain(server, b"\x16\x03\x01\x02\x00\x01") for _ in range(300)]
    assert server.client().raw("GET", "/health")[0] == 200
    for one in idle:
        one.read_rest()
        one.close()
    counted(server, failures={"slow": 300})


@pytest.mark.server_env(CONFAB_HTTP_CONNECTIONS_MAX="4")
def test_the_cap_counts_from_the_accept(store_kind, watched):
    idle = [plain(watched) for _ in range(4)]
    beyond = plain(watched)
    assert beyond.read_rest() == b"", "closed without a word"
    beyond.close()
    for one in idle:
        one.close()
    counted(watched, confab_connections_refused_total=1, failures={"left": 4})
    assert watched.client().raw("GET", "/health")[0] == 200


@pytest.mark.server_env(CONFAB_LIMITS_CONNECTIONS_PER_IP="3")
def test_the_cap_of_an_address_counts_from_the_accept(store_kind, watched):
    idle = [plain(watched) for _ in range(3)]
    beyond = plain(watched)
    assert beyond.read_rest() == b""
    for one in (*idle, beyond):
        one.close()
    counted(watched, confab_connections_refused_total=1, failures={"left": 3})
    assert watched.client().raw("GET", "/health")[0] == 200


def connections_max(server):
    return next(line["connections_max"] for line in server.lines if line["msg"] == "serving")


def answers(server):
    try:
        return server.client().raw("GET", "/health")[0] == 200
    except OSError:
        return False


def test_descriptors_are_reckoned_for_three_a_client(store_kind, make_server):
    over_tls = make_server().start()
    assert over_tls.terminate() == 0
    without = make_server({"CONFAB_HTTP_TLS_CERT_FILE": "", "CONFAB_HTTP_TLS_KEY_FILE": ""})
    without.certificate = None
    assert connections_max(over_tls) == connections_max(without.start()) // 3
    assert without.terminate() == 0


def test_as_many_as_the_cap_says_can_chat_with_few_descriptors(store_kind, make_server):
    """The figure that the log tells is one the descriptors suffice for."""
    server = watch(make_server, {"CONFAB_LIMITS_UPGRADES_PER_SECOND": "0", "CONFAB_LIMITS_SOCKETS_PER_USER": "0"},
                   wrap=("prlimit", "--nofile=1024:1024"))
    most = connections_max(server)
    ann = server.user("ann")
    chats = [ws.WebSocket(server.port, f"/ws/chat/{ann.create_room()}", ann.token)]
    room = ann.create_room()
    while len(chats) < most:
        chats.append(ws.WebSocket(server.port, f"/ws/chat/{room}", ann.token))
    beyond = plain(server)
    assert beyond.read_rest() == b""
    chats.pop().reset()
    servers.until(lambda: answers(server), "a place to be free")
    counted(server, websocket_connections_active=most - 1, failures={"resources": 0})
    for chat in chats:
        chat.reset()


# ---- two ways out: frames go straight to TLS, pongs through libwebsockets


@pytest.mark.server_env(CONFAB_HTTP_SEND_BUFFER_BYTES="4KiB", CONFAB_LIMITS_POSTS_PER_MINUTE="0",
                        CONFAB_WS_QUEUE_MAX_AGE="10m", CONFAB_WS_IDLE="1h")
def test_pongs_and_frames_do_not_cut_each_other(store_kind, server):
    ann = server.user("ann")
    room = ann.create_room()
    chat, late = ws.Chat(ann, room), ws.Chat(ann, room, receive_buffer=4096)
    for i in range(300):  # more than all buffers on the way take: it reads nothing meanwhile
        chat.say(f"{i} " + "x" * 900)
        for _ in range(4):
            late.send_frame(ws.PING, b"p" * 125)
    posts, pongs = [], 0
    while len(posts) < 300 or not pongs:
        opcode, payload = late.recv_frame()
        if opcode == ws.TEXT and b'"chat_message"' in payload:
            posts.append(json.loads(payload)["content"].split()[0])
        pongs += (opcode, payload) == (ws.PONG, b"p" * 125)
    assert posts == [str(i) for i in range(300)]
    assert chat.leave() == 1000


# ---- the end


def test_sigterm_closes_with_1001_behind_everything_said(store_kind, server):
    ann = server.user("ann")
    room = ann.create_room()
    chats = [ws.Chat(ann, room) for _ in range(5)]
    idle = ws.Socket(server.port)
    chats[0].say("the last word")
    assert server.terminate() == 0
    for chat in chats:
        assert chat.until("chat_message")["content"] == "the last word"
        assert chat.wait_closed() == 1001
        assert chat.tcp.recv(1) == b"", "close_notify"
    assert idle.tcp.recv(1) == b""
