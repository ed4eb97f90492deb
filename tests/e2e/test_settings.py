"""Settings from outside: the contract's variables, a .env file, and what production switches on."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess

import pytest

import server as servers
import ws
from rest import Refused

SAMPLE = """
# as the contract's sample file has it
ENV=development
DB_MAX_CONNECTIONS=25
DB_MAX_IDLE_CONNECTIONS=5
DB_CONNECTION_MAX_LIFETIME=5m
RABBITMQ_URL=amqp://guest:guest@localhost:5672/
RABBITMQ_EXCHANGE_COMMANDS=chat.commands
SESSION_SECRET=change-me-in-production-use-random-string
SESSION_MAX_AGE=3600
LOG_LEVEL=info
"""


def check_config(server, **env):
    done = subprocess.run([str(servers.BINARY), "check-config"], env=server.environment(env), cwd=server.folder,
                          stdout=subprocess.PIPE, text=True, timeout=servers.LIMIT_S, check=False)
    return done.returncode, done.stdout


@pytest.mark.only_store("sqlite")
def test_a_env_file_in_the_working_folder_is_read(store_kind, make_server):
    server = make_server()
    (server.folder / ".env").write_text(SAMPLE)
    server.start()
    notes = [line["note"] for line in server.lines if line["msg"] == "about the configuration"]
    assert [note.split()[1] for note in notes] == [
        "RABBITMQ_URL", "RABBITMQ_EXCHANGE_COMMANDS", "DB_MAX_IDLE_CONNECTIONS", "SESSION_SECRET"]
    assert not any("guest" in note or "change-me" in note for note in notes)
    ann = server.client()
    ann.register("ann")
    _, headers, _ = ann.raw("POST", "/api/v1/auth/login", '{"username":"ann","password":"password123"}')
    assert "Max-Age=3600;" in headers["Set-Cookie"]


@pytest.mark.only_store("sqlite")
@pytest.mark.parametrize("env, said", [
    ({"LOG_LEVEL": "loud"}, "LOG_LEVEL: "), ({"PORT": "http"}, "PORT: "), ({"DB_MAX_CONNECTIONS": "many"}, "DB_MAX"),
    ({"RABBITMQ_URL": "localhost"}, "RABBITMQ_URL: "), ({"ENVIRONMENT": "moon"}, "ENVIRONMENT: "),
    ({"ENVIRONMENT": "prod", "SESSION_SECRET": "change-this-in-production"}, "SESSION_SECRET: ")], ids=str)
def test_a_bad_value_is_refused_by_its_variables_name(store_kind, make_server, env, said):
    server = make_server()
    env = dict(env)
    if "PORT" in env:  # which counts only where CONFAB_HTTP_LISTEN does not
        env["CONFAB_HTTP_LISTEN"] = ""
    code, text = check_config(server, **env)
    assert code == 78 and text.startswith(said), text
    assert "change-this" not in text


@pytest.mark.only_store("sqlite")
@pytest.mark.parametrize("gateways", ["1", "2"])
def test_port_alone_listens_on_every_interface(store_kind, make_server, gateways):
    server = make_server({"CONFAB_HTTP_LISTEN": "", "PORT": "0", "CONFAB_GATEWAY_COUNT": gateways}).start()
    for host in ["127.0.0.1", "127.0.0.2"] + (["::1"] if socket.has_dualstack_ipv6() else []):
        connection = http.client.HTTPConnection(host, server.port, timeout=servers.LIMIT_S)
        connection.request("GET", "/metrics")
        assert connection.getresponse().status == 200, host  # who comes from this host is local by either family
        connection.close()


@pytest.mark.only_store("sqlite")
def test_log_lines_as_text(store_kind, make_server):
    server = make_server({"LOG_FORMAT": "text"})
    server.launch()
    servers.until(lambda: any("msg=\"serving\"" in line for line in server.not_json), "the server to serve")
    assert all(line.startswith("ts=\"20") for line in server.not_json)
    server.process.send_signal(signal.SIGTERM)
    assert server.wait_exit() == 0
    server.not_json.clear()  # which is what this test is about


@pytest.mark.only_store("postgres")
def test_old_connections_to_the_store_are_opened_anew(store_kind, make_server):
    server = make_server({"CONFAB_STORE_CONNECTION_TTL": "300ms"}).start()
    ann = server.user("ann")
    chat = ws.Chat(ann, ann.create_room())
    first = set(server.store.backends())
    assert len(first) == 4  # of storage, two readers and nodes
    servers.until(lambda: not first & set(server.store.backends()), "every connection to be a new one")
    chat.say("still here")
    assert len(ann.messages(chat.room)) == 1


@pytest.mark.only_store("postgres")
def test_readers_are_cut_to_the_connections_there_may_be(store_kind, make_server):
    server = make_server({"DB_MAX_CONNECTIONS": "2", "CONFAB_STORE_READERS": "5"}).start()
    server.user("ann")
    assert len(server.store.backends()) == 3  # and that of heartbeats


# ---- production


@pytest.mark.only_store("sqlite")
@pytest.mark.parametrize("environment, is_private", [("production", True), ("development", False)])
def test_only_a_production_server_can_leave_no_core(store_kind, make_server, tmp_path, environment, is_private):
    calls = tmp_path / "calls"
    # LeakSanitizer looks by ptrace, which strace is in the way of, and a process that cannot be dumped
    server = make_server({"CONFAB_NODE_ENVIRONMENT": environment, **servers.sanitizer("detect_leaks=0")},
                         wrap=["strace", "-o", str(calls), "-e", "trace=prctl"]).start()
    limits = dict(line.split("  ", 1) for line in open(f"/proc/{server.pid}/limits", encoding="ascii"))
    assert not is_private or limits["Max core file size"].split()[:2] == ["0", "0"]
    server.terminate()
    assert ("prctl(PR_SET_DUMPABLE, SUID_DUMP_DISABLE) = 0" in calls.read_text()) == is_private


@pytest.mark.only_store("sqlite")
def test_a_production_server_marks_its_cookies_secure_and_reports_its_descriptors(store_kind, make_server):
    server = make_server({"ENVIRONMENT": "prod", **servers.sanitizer("detect_leaks=0")}).start()
    ann = server.client()
    ann.register("ann")
    _, headers, _ = ann.raw("POST", "/api/v1/auth/login", '{"username":"ann","password":"password123"}')
    assert headers["Set-Cookie"].endswith("; Path=/; Max-Age=86400; HttpOnly; Secure; SameSite=Lax")
    assert server.metrics()["process_open_fds"] > 10


# ---- passwords


def chosen(server, name, password):
    """Status of a registration."""
    body = json.dumps({"username": name, "email": f"{name}@test.com", "password": password})
    return server.client().raw("POST", "/api/v1/auth/register", body, forbidden=True)[0]


@pytest.mark.parametrize("password", ["testpass123", "password123", "securepass123", "strange!"])
def test_the_passwords_of_the_contracts_clients_will_do(store_kind, server, password):
    assert chosen(server, "user_1_0_1700000000000", password) == 201


@pytest.mark.only_store("sqlite")
def test_which_passwords_may_be_chosen_is_for_the_operator_to_say(store_kind, make_server, tmp_path):
    denied = tmp_path / "denied.txt"
    denied.write_text("password123\nletmein2024\n")
    server = make_server({"CONFAB_AUTH_PASSWORD_LENGTH_MIN": "10", "CONFAB_AUTH_PASSWORD_DENY_FILE": str(denied)})
    server.start()
    for n, (password, status) in enumerate([("strange!", 400), ("PassWord123", 400), ("letmein2024", 400),
                                            ("testpass123", 201), ("johndoe2024", 201)]):
        assert chosen(server, f"user{n}", password) == status, password
    assert chosen(server, "johndoe", "johndoe2024") == 400
    server.terminate()
    denied.unlink()
    server.allow_errors("cannot read the file of denied passwords|cannot start")
    server.launch()
    assert server.wait_exit() == 78


# ---- imported users


BCRYPT = {  # of "strange!", at the costs that the contract names
    "daniel": "$2a$10$abcdefghijklmnopqrstuubleRuvHyAqlvBMvkK00B7M7tWax/kD2",
    "bob": "$2b$12$ABCDEFGHIJKLMNOPQRSTUuqfQl35MH6N/K4fHD8aU6p7unBjRZpDi",
}


def test_imported_users_log_in_by_bcrypt_once(store_kind, make_server):
    server = make_server().start()
    for name in BCRYPT:
        server.client().register(name)
    server.terminate()
    for name, text in BCRYPT.items():
        server.store.set_password_hash(name, text)
    server.start()
    for name in BCRYPT:
        client = server.client()
        with pytest.raises(Refused):
            client.login(name, "password123")
        client.login(name, "strange!")
        servers.until(lambda who=name: server.store.password_hash(who).startswith("$argon2id$"), "a new hash")
        client.login(name, "strange!")


# ---- demonstration data


def run(server, *command, **env):
    return subprocess.run([str(servers.BINARY), *command], env=server.environment(env), cwd=server.folder, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=servers.LIMIT_S)


def test_a_new_pair_of_keys_is_good_for_a_mesh(store_kind, make_server):
    server = make_server()
    secret, public = run(server, "token", "mesh-key").stdout.split()
    assert secret != public and run(server, "token", "mesh-key").stdout.split() != [secret, public]
    mesh = {"CONFAB_MESH_LISTEN": "127.0.0.1:0", "CONFAB_MESH_SECRET_KEY": secret, "CONFAB_MESH_ALLOWED_KEYS": public}
    answer = run(server, "check-config", **mesh)
    if store_kind == "postgres":
        assert answer.returncode == 0, answer.stdout
    else:
        assert answer.returncode == 78 and "SQLite is for one server" in answer.stdout
    short = run(server, "check-config", **mesh | {"CONFAB_MESH_SECRET_KEY": secret[:-1]})
    assert short.returncode == 78 and "mesh.secret_key is not a key" in short.stdout and secret[:-1] not in short.stdout


def test_seed_can_be_repeated_and_gives_what_the_contract_lists(store_kind, make_server):
    server = make_server()
    for _ in range(2):
        assert run(server, "seed").returncode == 0
    server.start()
    names = ["daniel", "bob", "charlie", "diana", "eve"]
    users = {}
    for digit, name in enumerate(names, 1):
        client = users[name] = server.client()
        answer = client.login(name, "strange!")
        assert answer["user"]["id"] == "-".join(str(digit) * n for n in (8, 4, 4, 4, 12))
        assert answer["user"]["email"] == f"{name}@test.com"
    rooms = users["eve"].call("GET", "/chatrooms")["chatrooms"]
    assert [(room["name"], room["id"][0], room["created_by"][0]) for room in rooms] == [
        ("Tech Talk", "c", "3"), ("Random", "b", "2"), ("General", "a", "1")]
    members = {"General": names, "Random": names[:3], "Tech Talk": ["daniel", "charlie", "diana"]}
    texts = {}
    for room in rooms:
        for name, client in users.items():
            if name in members[room["name"]]:
                texts[room["name"]] = [message["content"] for message in client.messages(room["id"])]
            else:
                with pytest.raises(Refused):
                    client.messages(room["id"])
    assert {name: len(found) for name, found in texts.items()} == {"General": 4, "Random": 2, "Tech Talk": 2}
    assert any("\U0001f44b" in text for text in texts["General"])
    assert any("/stock=AAPL.US" in text for text in texts["General"])
    chat = ws.Chat(users["bob"], next(room["id"] for room in rooms if room["name"] == "General"))
    chat.say("number five")
    server.terminate()
    assert run(server, "seed").returncode == 0
    server.start()
    found = server.client(token=users["bob"].token).messages(chat.room)
    assert [message["seq"] for message in found] == [1, 2, 3, 4, 5], "what people wrote is left alone"


@pytest.mark.only_store("sqlite")
def test_production_is_not_seeded(store_kind, make_server):
    server = make_server()
    done = run(server, "seed", ENVIRONMENT="production")
    assert done.returncode == 78 and "not in production" in done.stderr
    server.start()
    with pytest.raises(Refused):
        server.client().login("daniel", "strange!")


def test_the_settings_for_2_gib_fit_into_it(tmp_path):
    """Process and kernel together, and not without them."""
    text = (servers.ROOT / "docs/operations.md").read_text()
    (tmp_path / "confab.yaml").write_text(re.search(r"^\*\*2 GiB\*\*.*?^```yaml\n(.*?)^```", text, re.M | re.S)[1])

    def bound(*words):
        done = subprocess.run([str(servers.BINARY.resolve()), "memory", *words], cwd=tmp_path, check=True, text=True, stdout=subprocess.PIPE,
                              env={name: value for name, value in os.environ.items() if not name.startswith("CONFAB_")}, timeout=servers.LIMIT_S)
        return sum(line["bytes"] * line["most"] for line in map(json.loads, done.stdout.splitlines()) if line["term"] == "all")
    assert bound("--config", "confab.yaml") <= 2 * 2**30 < bound("--set", "http.connections_max=1000")
