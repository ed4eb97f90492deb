"""A collector of traces (OTLP over HTTP with JSON) that keeps what it is told, and answers as a test tells it to.

    with Collector() as collector:
        ...CONFAB_TRACE_URL=collector.url...
        collector.await_span(lambda span: span.name == "append")

`statuses` are those of the next answers, 200 behind them; with `held` set it does not answer until that is cleared."""

import http.server
import json
import ssl
import threading
import types

import server as servers

PATH = "/v1/traces"


def attributes(of):
    return {entry["key"]: entry["value"].get("stringValue", entry["value"].get("intValue")) for entry in of}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.owner.take(self.path, dict(self.headers), body)
        self.server.owner.free.wait()
        status = self.server.owner.next_status()
        answer = b'{"partialSuccess":{}}'
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class Collector:
    def __init__(self, certificate=None, port=0):
        self.requests, self.spans, self.statuses = [], [], []
        self.free = threading.Event()
        self.free.set()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._server.owner = self
        self.port = self._server.server_address[1]
        self.url = f"http{'s' if certificate else ''}://127.0.0.1:{self.port}{PATH}"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.cert, certificate.key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.free.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def next_status(self):
        return self.statuses.pop(0) if self.statuses else 200

    def take(self, path, headers, body):
        self.requests.append(types.SimpleNamespace(path=path, headers=headers, body=body))
        for resource in json.loads(body)["resourceSpans"]:
            who = attributes(resource["resource"]["attributes"])
            for scope in resource["scopeSpans"]:
                self.spans += [types.SimpleNamespace(
                    trace=span["traceId"], id=span["spanId"], parent=span.get("parentSpanId"), name=span["name"], kind=span["kind"],
                    begin=int(span["startTimeUnixNano"]), end=int(span["endTimeUnixNano"]), failed=span["status"].get("code") == 2,
                    node=who["service.instance.id"], service=who["service.name"], attributes=attributes(span["attributes"]))
                    for span in scope["spans"]]

    def await_span(self, wanted, what="a span"):
        return servers.until(lambda: next((span for span in list(self.spans) if wanted(span)), None), what)
