"""Holds what a server answers to docs/openapi.json: every status documented, every body and header as described.
rest.py and ws.py ask for each request and each message of every end-to-end test."""

import copy
import functools
import json
import pathlib
import re

import jsonschema

DOCUMENT = json.loads((pathlib.Path(__file__).resolve().parent.parent.parent / "docs/openapi.json").read_text())
# What the server refuses before it is a request of some route: the response "default".
BEFORE_ROUTING = {400, 408, 413, 414, 417, 431, 503, 505}
NOT_CONFORMING = {"Invalid request body", "Invalid input", "invalid input"}
ALWAYS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


def closed(schema):
    """The same, but objects may have no members that are not described: clients must live with new ones, our
    own document must name them."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: closed(part) for name, part in schema.items()}
    if made.get("type") == "object" and "properties" in made:
        made.setdefault("additionalProperties", False)
    return made


ROOT = {"components": closed(copy.deepcopy(DOCUMENT["components"]))}
FORMATS = jsonschema.FormatChecker()


def validator(schema):
    return jsonschema.Draft202012Validator(closed(schema), resolver=jsonschema.RefResolver("", ROOT),
                                           format_checker=FORMATS)


@functools.lru_cache(maxsize=None)
def _validator_of(text):
    return validator(json.loads(text))


def faults(schema, value):
    """What is wrong with value, as texts."""
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message}"
            for error in _validator_of(json.dumps(schema)).iter_errors(value)]


def resolve(part):
    while "$ref" in part:
        found = DOCUMENT
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        part = found
    return part


def find(path):
    """(template, path item) of a path without its query; (None, None) for one that is not described."""
    return _find(path[:-1] if path.startswith("/api/") and path.endswith("/") and len(path) > 5 else path)


@functools.lru_cache(maxsize=4096)
def _find(path):
    for template, item in DOCUMENT["paths"].items():
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]*", re.escape(template))
        if re.fullmatch(pattern, path):
            return template, item
    return None, None


class Answer:
    def __init__(self, method, target, status, headers, body):
        self.method, self.target, self.status, self.body = method, target, status, body
        self.headers = {}
        for name, value in headers.items():
            self.headers.setdefault(name.lower(), []).append(value)
        self.path, _, self.query = target.partition("?")

    def must(self, holds, what):
        assert holds, f"{self.method} {self.path} was answered {self.status}, which docs/openapi.json does not say: {what}"

    def media_type(self):
        return self.headers.get("content-type", [""])[0].split(";")[0]

    def check_headers(self, documented):
        for name, header in documented.items():
            header = resolve(header)
            values = self.headers.get(name.lower())
            self.must(values or not header.get("required"), f"without {name}")
            if values:
                value = int(values[0]) if header["schema"].get("type") == "integer" else values[0]
                self.must(not faults(header["schema"], value), f"{name}: {values[0]}")

    def check_body(self, content):
        if self.method == "HEAD" or not content:
            self.must(self.body == b"", f"a body: {self.body[:200]!r}")
            return
        kind = self.media_type()
        self.must(kind in content, f"Content-Type {kind}")
        text = self.body.decode()
        if kind == "application/json":
            self.must(text.endswith("\n"), "a body without a line feed at its end")
            value = json.loads(text)
        else:
            value = text
        self.must(not faults(content[kind]["schema"], value), f"{faults(content[kind]['schema'], value)} in {text[:300]}")

    def check_request(self, operation, sent):
        """A body that conforms is not refused for its form, and one that was accepted conforms."""
        if "requestBody" not in operation or sent is None:
            return
        try:
            value = json.loads(sent)
        except (ValueError, RecursionError):
            value = None
        wrong = value is None or faults(resolve(operation["requestBody"])["content"]["application/json"]["schema"], value)
        if 200 <= self.status < 300:
            self.must(not wrong, f"accepted {sent!r}: {wrong}")
        elif self.status == 400 and not wrong and self.media_type() == "application/json":
            self.must(json.loads(self.body)["error"] not in NOT_CONFORMING, f"refused {sent!r}")

    def check_query(self, item, operation):
        known = {p["name"] for p in map(resolve, operation.get("parameters", [])) if p["in"] == "query"}
        known |= {scheme["name"] for scheme in DOCUMENT["components"]["securitySchemes"].values()
                  if scheme.get("in") == "query" and any(scheme is DOCUMENT["components"]["securitySchemes"][name]
                                                         for way in operation["security"] for name in way)}
        asked = {part.split("=")[0] for part in self.query.split("&") if part}
        self.must(not 200 <= self.status < 300 or asked <= known, f"query {asked - known}")

    def check_not_described(self):
        if self.status == 404:
            self.must((self.media_type(), self.method == "HEAD" or self.body) in (
                ("text/plain", True), ("text/plain", b"Not Found\n")), f"{self.body!r}")
        else:  # a file of the page, or refused before routing
            self.must(self.status in {200, 301, 304, 405} | BEFORE_ROUTING, "of no path")
            self.must(self.status != 200 or self.media_type() not in ("", "application/json"), "no page")

    def check(self, sent, lax):
        for name, value in ALWAYS.items():
            self.must(self.status == 101 or self.headers.get(name.lower()) == [value], f"without {name}")
        self.must(self.status == 101 or (self.headers.get("vary") == ["Origin"] and self.headers.get("x-request-id")),
                  "without Vary or X-Request-Id")
        self.must(self.status == 101 or "frame-ancestors 'none'" in
                  self.headers.get("content-security-policy", [""])[0], "an answer that may be framed")
        self.must(self.media_type() != "application/json" or self.headers.get("cache-control") == ["no-store"],
                  "JSON that may be kept")
        template, item = find(self.path)
        method = "get" if self.method == "HEAD" else self.method.lower() if self.method.isupper() else "none"
        if self.method == "OPTIONS":
            self.must(self.status == 200 and self.body == b"", "")
        elif template is None:
            self.check_not_described()
        elif method not in item:
            allowed = sorted(name.upper() for name in item if name in ("get", "put", "post", "delete"))
            self.must(self.status in {405} | BEFORE_ROUTING, "")
            self.must(self.status != 405 or sorted(self.headers.get("allow", [])) == allowed, "Allow")
            self.must(self.status != 405 or self.body == b"", f"a body: {self.body!r}")
        else:
            operation = item[method]
            response = operation["responses"].get(str(self.status))
            if response is None:
                self.must(self.status in BEFORE_ROUTING, "")
                response = operation["responses"]["default"]
            response = resolve(response)
            self.check_headers(response.get("headers", {}))
            self.check_body(response.get("content"))
            self.check_query(item, operation)
            if not lax:
                self.check_request(operation, sent)


def check(method, target, status, headers, body, sent=None, lax=False):
    """One exchange; headers: any mapping. lax: the request is not meant to be what the document asks for, but
    what the server forgives."""
    Answer(method, target, status, headers, body).check(sent, lax)


def check_frame(frame):
    """One message of the server on a socket."""
    kinds = {resolve(part)["properties"]["type"]["const"]: part
             for part in DOCUMENT["components"]["schemas"]["ServerFrame"]["oneOf"]}
    assert frame.get("type") in kinds, f"docs/openapi.json knows no such frame: {frame}"
    wrong = faults(kinds[frame["type"]], frame)
    assert not wrong, f"a frame that docs/openapi.json does not describe: {wrong} in {frame}"
