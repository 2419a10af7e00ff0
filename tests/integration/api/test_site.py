"""The dashboard's files: what is served, with which headers, and that nothing else is."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from hythe.api import site
from hythe.model import Database
from hythe.settings import Settings

from .live_api import ControlPlane, control_plane

INDEX = '<meta name="csp-nonce" content="%CSP_NONCE%"><script src="/assets/app-1a2b.js"></script>'


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    """A built dashboard with a secret beside it."""
    folder = tmp_path / "web" / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text(INDEX)
    (folder / "assets" / "app-1a2b.js").write_text("plain")
    (folder / "assets" / "app-1a2b.js.br").write_text("brotli")
    (folder / "assets" / "app-1a2b.js.gz").write_text("gzip")
    (folder / "favicon.svg").write_text("<svg/>")
    (tmp_path / "web" / "secret.txt").write_text("secret")
    (folder / "assets" / "link.js").symlink_to(tmp_path / "web" / "secret.txt")
    return folder


@pytest.fixture
def plane(
    settings: Settings, database: Database, dist: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ControlPlane]:
    monkeypatch.setattr(site, "folder", lambda: dist)
    with control_plane(settings, database) as plane:
        yield plane


@pytest.fixture
def web(plane: ControlPlane) -> Iterator[httpx.Client]:
    """A browser that is not signed in."""
    with httpx.Client(base_url=plane.url, timeout=20) as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/index.html", "/apps/shop", "/apps/a.b/c", "/setup", "/x"])
def test_every_page_is_index_html_with_a_nonce_of_its_own(web: httpx.Client, path: str) -> None:
    answers = [web.get(path), web.get(path)]
    nonces = set()
    for answer in answers:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        (nonce,) = re.findall(r'content="([\w-]{20,})"', answer.text)
        assert f"style-src 'self' 'nonce-{nonce}'" in answer.headers["content-security-policy"]
        nonces.add(nonce)
    assert len(nonces) == 2


def test_the_policy_allows_nothing_of_other_hosts_and_no_inline_script(web: httpx.Client) -> None:
    headers = web.get("/").headers
    policy = dict(
        directive.strip().split(" ", 1)
        for directive in headers["content-security-policy"].split(";")
    )
    style = policy.pop("style-src")
    assert re.fullmatch(r"'self' 'nonce-[\w-]+'", style)
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src-attr": "'unsafe-inline'",
        "img-src": "'self' data:",
        "font-src": "'self'",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "camera=()" in headers["permissions-policy"]


@pytest.mark.parametrize(
    ("accepted", "encoding", "text"),
    [
        ("gzip, deflate, br", "br", "brotli"),
        ("gzip", "gzip", "gzip"),
        ("br;q=0, gzip;q=0.5", "gzip", "gzip"),
        ("br;q=0.0", None, "plain"),
        ("identity", None, "plain"),
    ],
)
def test_assets_are_compressed_ahead_and_kept_by_browsers(
    web: httpx.Client, accepted: str, encoding: str | None, text: str
) -> None:
    headers = {"Accept-Encoding": accepted}
    with web.stream("GET", "/assets/app-1a2b.js", headers=headers) as answer:
        body = b"".join(answer.iter_raw())
    assert body.decode() == text
    assert answer.headers.get("content-encoding") == encoding
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_files_without_a_hash_in_their_name_are_asked_for_again(web: httpx.Client) -> None:
    answer = web.get("/favicon.svg")
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["content-type"] == "image/svg+xml"


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/assets/../../secret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/%2e%2e/secret.txt",
        "/..%5csecret.txt",
        "//secret.txt",
        "/assets/link.js",
        "/assets/",
        "/assets/%00.js",
        "/etc/passwd",
        "/assets//etc/passwd",
    ],
)
def test_no_path_leads_out_of_the_folder(plane: ControlPlane, path: str) -> None:
    with socket.create_connection(("127.0.0.1", plane.settings.api_port), timeout=10) as raw:
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: raw.recv(65536), b"")).decode()
    assert "secret\n" not in answer and not answer.endswith("secret")
    assert "root:" not in answer
    assert answer.startswith("HTTP/1.1 404") or "csp-nonce" in answer


def test_a_missing_file_is_no_page(web: httpx.Client) -> None:
    assert web.get("/assets/old-hash.js").status_code == 404


def test_pages_are_read_only_and_leave_the_api_alone(web: httpx.Client) -> None:
    assert web.post("/apps/shop").status_code == 401
    assert web.head("/").status_code == 200
    for path in ("/v1", "/v1/nowhere", "/shop.git/info/refs"):
        assert web.get(path).status_code == 401, path
    assert web.get("/healthz").json()["status"] == "ok"


def test_a_build_that_was_repeated_is_noticed(web: httpx.Client, dist: Path) -> None:
    web.get("/")
    (dist / "assets" / "app-3c4d.js").write_text("newer")
    (dist / "index.html").write_text(INDEX + "newer")
    assert web.get("/").text.endswith("newer")
    assert web.get("/assets/app-3c4d.js").text == "newer"


def test_without_a_build_a_page_says_how_to_make_one(web: httpx.Client, dist: Path) -> None:
    (dist / "index.html").unlink()
    answer = web.get("/")
    assert answer.status_code == 503
    assert "npm run build" in answer.text
    assert answer.headers["content-security-policy"] == site.NOTHING


def test_text_from_apps_is_never_a_page(plane: ControlPlane) -> None:
    """What the API answers has a policy that lets nothing run, whatever type a browser guesses."""
    with plane.client() as api:
        refused = api.get("/v1/apps/<script>alert(1)</script>")
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["x-content-type-options"] == "nosniff"
    assert refused.headers["content-security-policy"] == site.NOTHING
    assert refused.headers["cache-control"] == "no-store"
