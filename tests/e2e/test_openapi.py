"""The document at /openapi.json, and that the checks made with it can fail."""

import json

import jsonschema
import pytest

import openapi
import ws

ALWAYS = {"X-Request-Id": "x", "Vary": "Origin", "Cache-Control": "no-store", **openapi.ALWAYS,
          "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"}
JSON = {"Content-Type": "application/json", **ALWAYS}
TEXT = {"Content-Type": "text/plain; charset=utf-8", **ALWAYS}
USER = ('{"id":"01a1f924-9471-7391-8886-641884dcdd56","username":"ann","email":"a@b.cc",'
        '"created_at":"2026-01-28T10:30:00.5Z"}\n')


@pytest.mark.only_store("sqlite")
def test_the_document_is_served_as_it_is_in_docs(store_kind, server):
    status, headers, body = server.client().raw("GET", "/openapi.json")
    assert status == 200 and headers["Content-Type"] == "application/json"
    assert json.loads(body) == openapi.DOCUMENT


def test_every_schema_of_it_is_one():
    for schema in openapi.DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_operation_ids_are_unique_and_path_parameters_declared():
    ids = []
    for path, item in openapi.DOCUMENT["paths"].items():
        for operation in item.values():
            ids.append(operation["operationId"])
            declared = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
            assert declared == ({"id"} if "{id}" in path else set())
    assert len(ids) == len(set(ids))


def exchange(method="GET", path="/api/v1/auth/me", status=200, headers=None, body=USER, sent=None):
    openapi.check(method, path, status, {**JSON, **(headers or {})}, body.encode(), sent)


def test_what_is_described_passes():
    exchange()
    exchange(path="/api/v1/auth/me/")
    exchange(status=401, body='{"error":"Not authenticated"}\n')
    exchange(status=431, body='{"error":"Request Header Fields Too Large"}\n')
    exchange("HEAD", body="")
    exchange("DELETE", status=405, headers={"Allow": "GET"}, body="")
    exchange("POST", "/api/v1/auth/register", 201, sent='{"username":"ann","email":"a@b.cc","password":"password"}')
    openapi.check("GET", "/nothing", 404, TEXT, b"Not Found\n")


@pytest.mark.parametrize("change", [
    {"status": 418}, {"status": 404}, {"body": USER.strip()}, {"body": USER.replace("username", "name")},
    {"body": USER.replace("{", '{"password":"x",', 1)}, {"body": USER.replace(".5Z", ".50Z")},
    {"body": USER.replace("01a1", "01A1")}, {"body": ""}, {"headers": {"Content-Type": "text/plain"}},
    {"status": 401, "body": '{"error":"another text"}\n'}, {"status": 429, "body": '{"error":"Rate limit exceeded"}\n'},
    {"method": "HEAD"}, {"method": "DELETE"}, {"method": "DELETE", "status": 405, "body": ""},
    {"headers": {"X-Content-Type-Options": "x"}}, {"headers": {"Cache-Control": "max-age=1"}},
    {"headers": {"Content-Security-Policy": "default-src 'self'"}}, {"path": "/api/v1/auth/me?x=1"},
    {"path": "/nothing"}, {"path": "/nothing", "status": 401},
    {"method": "POST", "path": "/api/v1/auth/register", "status": 201, "sent": '{"username":"ann"}'},
    {"method": "POST", "path": "/api/v1/auth/register", "status": 400, "body": '{"error":"Invalid input"}\n',
     "sent": '{"username":"ann","email":"a@b.cc","password":"password"}'}], ids=str)
def test_what_is_not_described_fails(change):
    with pytest.raises((AssertionError, ValueError)):
        exchange(**change)


@pytest.mark.parametrize("frame, holds", [
    ({"type": "user_left", "username": "ann"}, True), ({"type": "user_left"}, False),
    ({"type": "user_left", "username": "ann", "content": "x"}, False), ({"type": "other"}, False), ({}, False),
    ({"type": "user_count_update", "user_counts": {"x": 1}}, False)])
def test_frames_are_checked(frame, holds):
    if holds:
        openapi.check_frame(frame)
    else:
        with pytest.raises(AssertionError):
            openapi.check_frame(frame)


@pytest.mark.only_store("sqlite")
def test_one_slash_behind_an_api_path_is_ignored(store_kind, server):
    ann = server.user("ann")
    room = ann.call("POST", "/chatrooms/", {"name": "x"})["id"]
    assert ann.call("POST", f"/chatrooms/{room}/join/") == {"success": True}
    assert ann.call("GET", f"/chatrooms/{room}/messages/?limit=5") == {"messages": []}
    ws.WebSocket(server.port, f"/api/v1/ws/chat/{room}/", ann.token).close()
    for path in ("/api/v1/auth/me//", "/api/", "/health/", "/livez/"):
        assert server.client().raw("GET", path)[0] == 404, path
