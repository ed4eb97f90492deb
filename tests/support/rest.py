"""The REST side of the rooms contract on http.client. Each request has a connection of its own unless
keep is set, as the rate limits count by connection."""

import http.client
import json
import os
import urllib.parse

import ledger
import openapi
import planted
import ports

API = "/api/v1"
LIMIT_S = float(os.environ.get("CONFAB_TEST_LIMIT", "60"))


class Refused(Exception):
    """An answer other than 2xx."""

    def __init__(self, status, headers, body):
        super().__init__(f"{status} {body!r}")
        self.status, self.headers, self.body = status, headers, body
        try:
            self.error = json.loads(body).get("error")
        except (ValueError, AttributeError):
            self.error = None


class Client:
    def __init__(self, port, keep=False, token=None):
        self.port = port
        self.token = token
        self.connection = self.connect() if keep else None
        self.id = self.name = None

    def connect(self):
        tls = getattr(self.port, "tls", None)
        if tls:
            return http.client.HTTPSConnection(ports.host(self.port), int(self.port), timeout=LIMIT_S, context=tls)
        return http.client.HTTPConnection(ports.host(self.port), int(self.port), timeout=LIMIT_S)

    def raw(self, method, path, body=None, headers=None, lax=False, forbidden=False):
        """(status, headers, body bytes); path from the root. The answer, and what was asked for it, are held to
        docs/openapi.json; lax: the request is one that the server only forgives; forbidden: it conforms, and may
        be refused for its content."""
        connection = self.connection or self.connect()
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            got = answer.read()
            if answer.status >= 400:
                assert not planted.found_in(got.decode("utf-8", "replace") + str(answer.headers)), "a secret in an error"
            openapi.check(method, path, answer.status, answer.headers, got, None if forbidden else body, lax)
            return answer.status, answer.headers, got
        finally:
            if connection is not self.connection:
                connection.close()

    def call(self, method, path, body=None, headers=None, lax=False):
        """The decoded answer of an API call with this client's session; Refused if not 2xx."""
        headers = dict(headers or {})
        if self.token and "Cookie" not in headers:
            headers["Cookie"] = f"session_id={self.token}"
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        status, answer_headers, answer = self.raw(method, API + path, body, headers, lax)
        if not 200 <= status < 300:
            raise Refused(status, answer_headers, answer)
        return json.loads(answer)

    def register(self, name, password="password123", email=None):
        planted.plant(password)
        return self.call("POST", "/auth/register", {"username": name, "email": email or f"{name}@loadtest.local",
                                                    "password": password})

    def login(self, name, password="password123"):
        planted.plant(password)
        answer = self.call("POST", "/auth/login", {"username": name, "password": password})
        planted.plant(answer["session_token"])
        self.token, self.id, self.name = answer["session_token"], answer["user"]["id"], name
        return answer

    def create_room(self, name="a room", **more):
        return self.call("POST", "/chatrooms", {"name": name, **more})["id"]

    def join(self, room):
        return self.call("POST", f"/chatrooms/{room}/join")

    def messages(self, room, **query):
        return self.call("GET", f"/chatrooms/{room}/messages?{urllib.parse.urlencode(query)}")["messages"]

    def history(self, room):
        """The whole history, oldest first, as messages; paged backwards by id."""
        whole = self.messages(room, limit=100)
        page = whole
        while len(page) == 100:
            page = self.messages(room, limit=100, before=whole[0]["id"])
            whole = page + whole
        return whole

    def history_posts(self, room):
        """The same for the ledger."""
        return [ledger.Post(message["seq"], message["id"], message["content"]) for message in self.history(room)]
