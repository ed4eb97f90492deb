"""`confab healthcheck`: what the server of this configuration answers at /livez is the exit code."""

import http.server
import signal
import socket
import threading

import pytest

from ports import free_port

pytestmark = pytest.mark.only_store("sqlite")


@pytest.fixture
def answering():
    """Makes servers that answer every request in one way; the address of each."""
    made = []

    def make(status, headers=(), body=b""):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.path)
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        asked = []
        made.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=made[-1].serve_forever, daemon=True).start()
        return f"127.0.0.1:{made[-1].server_port}", asked
    yield make
    for one in made:
        one.shutdown()
        one.server_close()


def check(server, **env):
    run = server.command("healthcheck", **env)
    assert run.stdout == ""
    return run.returncode, run.stderr


@pytest.mark.over_tls_too
def test_a_server_that_lives(store_kind, server):
    assert check(server) == (0, "")


@pytest.mark.parametrize("every", ["0.0.0.0", "[::]"])
def test_one_that_listens_everywhere_is_asked_on_loopback(store_kind, make_server, every):
    server = make_server({"CONFAB_HTTP_LISTEN": f"{every}:0"}).start()
    assert check(server, CONFAB_HTTP_LISTEN=f"{every}:{server.port}") == (0, "")


def test_the_listener_for_metrics_is_asked_where_there_is_one(store_kind, server, answering):
    address, asked = answering(200)
    assert check(server, CONFAB_METRICS_LISTEN=address) == (0, "") and asked == ["/livez"]
    assert check(server, CONFAB_METRICS_LISTEN="127.0.0.1:9")[0] == 1


def test_that_listener_has_connections_of_its_own(store_kind, make_server):
    server = make_server({"CONFAB_HTTP_CONNECTIONS_MAX": "3", "CONFAB_METRICS_LISTEN": f"127.0.0.1:{free_port()}"}).start()
    held = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(3)]
    assert check(server, CONFAB_METRICS_LISTEN="")[0] == 1
    assert check(server) == (0, "")
    for one in held:
        one.close()


@pytest.mark.over_tls_too
def test_one_that_hangs(store_kind, server):
    server.freeze()
    code, said = check(server)
    server.thaw()
    assert code == 1 and said == f"confab healthcheck: {server.url}/livez: timed out\n"


@pytest.mark.over_tls_too
def test_one_that_has_ended(store_kind, server):
    server.signal(signal.SIGTERM)
    assert server.wait_exit() == 0
    code, said = check(server)
    assert code == 1 and "connect" in said


@pytest.mark.parametrize("status", [204, 404, 503])
def test_another_answer_than_200(store_kind, make_server, answering, status):
    address, _ = answering(status)
    assert check(make_server(), CONFAB_HTTP_LISTEN=address) == (
        1, f"confab healthcheck: http://{address}/livez: status {status}\n")


def test_an_answer_without_an_end(store_kind, make_server, answering):
    address, _ = answering(200, body=b"a" * (64 * 1024 + 1))
    assert check(make_server(), CONFAB_HTTP_LISTEN=address) == (
        1, f"confab healthcheck: http://{address}/livez: the answer is too big\n")


def test_what_speaks_no_http(store_kind, make_server):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=lambda: listener.accept()[0].sendall(b"hello\n"), daemon=True).start()
        code, said = check(make_server(), CONFAB_HTTP_LISTEN=f"127.0.0.1:{listener.getsockname()[1]}")
    assert code == 1 and said.startswith("confab healthcheck: ")


def test_no_port_that_could_be_known(store_kind, make_server):
    nothing = (1, "confab healthcheck: nothing to ask: set metrics.listen or http.listen to a port\n")
    assert check(make_server(), CONFAB_HTTP_LISTEN="127.0.0.1:0") == nothing
    bot = {"CONFAB_NODE_ROLES": "stockbot", "CONFAB_HTTP_LISTEN": "127.0.0.1:9", "CONFAB_MESH_LISTEN": "127.0.0.1:9",
           "CONFAB_MESH_SECRET_KEY": "a" * 40, "CONFAB_STORE_URL": "postgres://database/chat"}
    assert check(make_server(), **bot) == nothing


def test_bad_configuration(store_kind, make_server):
    assert check(make_server(), CONFAB_HTTP_LISTEN="nowhere")[0] == 78
