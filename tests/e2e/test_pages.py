"""The files of the page: where they are, how long they are kept, what they allow."""

import datetime
import email.utils
import re

import pytest

pytestmark = pytest.mark.only_store("sqlite")


@pytest.fixture
def get(server):
    return lambda path, method="GET", **headers: server.client().raw(
        method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})


def assets(page):
    return re.findall(r'(?:src|href)="(/[^"]+)"', page.decode())


@pytest.mark.parametrize("path", ["/", "/login", "/register"])
def test_a_page_is_asked_for_again_and_allows_nothing_foreign(store_kind, get, path):
    status, headers, body = get(path)
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers.get_all("Cache-Control") == ["no-cache"]
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    for name in ("script-src", "style-src", "connect-src", "img-src", "form-action"):
        assert policy[name] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "no-referrer"
    assert not re.search(rb"<style|<script(?![^>]* src=)|\son\w+=|style=|https?://", body), "nothing inline, nothing foreign"


def test_assets_are_kept_for_ever_and_named_by_what_is_in_them(store_kind, get):
    _, _, page = get("/")
    found = assets(page)
    assert len(found) == 4
    for path in found:
        status, headers, body = get(path)
        assert status == 200 and body
        if path == "/icon.svg":
            assert headers["Cache-Control"] == "no-cache" and headers["Content-Type"].startswith("image/svg+xml")
            continue
        assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
        name, digest, kind = re.fullmatch(r"/assets/(\w+)\.([0-9a-f]{16})\.(js|css)", path).groups()
        assert headers["ETag"] == f'"{digest}"'
        assert headers["Content-Type"].startswith({"js": "text/javascript", "css": "text/css"}[kind])
        assert get(path.replace(digest, "0" * 16))[0] == 404


@pytest.mark.parametrize("kind", ["page", "asset"])
def test_what_the_browser_has_is_not_sent_again(store_kind, get, kind):
    path = "/" if kind == "page" else assets(get("/")[2])[-1]
    tag = get(path)[1]["ETag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        status, headers, body = get(path, If_None_Match=known)
        assert (status, body) == (304, b"") and headers["ETag"] == tag and "Cache-Control" in headers
    for other in ('"other"', tag.strip('"'), tag[:-2] + '"'):
        assert get(path, If_None_Match=other)[0] == 200


@pytest.mark.parametrize("kind", ["page", "asset"])
def test_by_its_date_too(store_kind, get, kind):
    path = "/" if kind == "page" else assets(get("/")[2])[-1]
    tag, modified = (get(path)[1][name] for name in ("ETag", "Last-Modified"))
    later = email.utils.format_datetime(email.utils.parsedate_to_datetime(modified) + datetime.timedelta(days=1), usegmt=True)
    earlier = "Thu, 01 Jan 1970 00:00:00 GMT"
    for since, status in ((modified, 304), (later, 304), (earlier, 200), ("yesterday", 200), (modified + "x", 200),
                          (modified.replace("GMT", "CET"), 200), (modified + " " * 5 + "x" * 100, 200)):
        assert get(path, If_Modified_Since=since)[0] == status, since
    assert get(path, If_Modified_Since=modified, If_None_Match='"other"')[0] == 200  # the tag says it better
    assert get(path, If_Modified_Since=earlier, If_None_Match=tag)[0] == 304


def test_head_and_other_methods(store_kind, get):
    for path in ("/", assets(get("/")[2])[-1]):
        _, headers, body = get(path)
        status, head, nothing = get(path, "HEAD")
        assert (status, nothing) == (200, b"") and head["Content-Length"] == str(len(body))
        assert get(path, "POST")[0] == 405 and get(path, "POST")[1]["Allow"] == "GET"


@pytest.mark.parametrize("path, to", [("/index.html", "/"), ("/login.html", "/login"), ("/register.html", "/register")])
def test_old_addresses_lead_to_the_new_ones(store_kind, get, path, to):
    status, headers, body = get(path)
    assert (status, headers["Location"], body) == (301, to, b"")
    assert get(path, "POST")[0] == 405


@pytest.mark.parametrize("path", ["/login/", "/Login", "/assets/", "/assets/app.js", "/app.js", "/index", "/dist/app.js",
                                  "/../web/web.c", "/%2e%2e/web.c", "/favicon.ico", "/assets/..%2fapp.css", "//"])
def test_nothing_else_is_served(store_kind, get, path):
    assert get(path)[0] == 404


def test_answers_of_the_api_are_not_kept(store_kind, get):
    assert get("/health")[1].get_all("Cache-Control") == ["no-store"]
