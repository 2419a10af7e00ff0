"""Signing in with a browser: set-up links, passwords, cookies, CSRF, expiry."""

from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import select

from hythe.api import sessions
from hythe.model import SetupCode, User, UserSession, now
from hythe.settings import Settings

from .browser import NAME, PASSWORD, Browser, setup_code
from .live_api import ControlPlane


@pytest.fixture
def browser(plane: ControlPlane) -> Iterator[Browser]:
    with Browser(plane) as browser:
        yield browser


@pytest.fixture
def ada(browser: Browser, api: httpx.Client) -> Browser:
    """A browser in which the first user is signed in."""
    assert browser.set_up(setup_code(api)).status_code == 201
    return browser


def test_the_set_up_link_makes_the_first_user_and_signs_in(
    browser: Browser, plane: ControlPlane, api: httpx.Client
) -> None:
    assert browser.get("/v1/setup").json() == {"needed": True}
    link = api.post("/v1/setup/link").json()
    assert link["url"].startswith(f"{plane.url}/setup#code=")

    made = browser.set_up(link["url"].partition("#code=")[2])

    assert made.status_code == 201
    assert made.json()["user"] == {"name": NAME}
    assert browser.get("/v1/session").json() == made.json()
    assert browser.get("/v1/setup").json() == {"needed": False}
    assert browser.get("/v1/whoami").json() == {"name": NAME, "scope": "manage"}


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(
    browser: Browser, plane: ControlPlane, api: httpx.Client
) -> None:
    header = browser.set_up(setup_code(api)).headers["set-cookie"]
    assert header.startswith(f"hythe_session_{plane.context.names.installation}=")
    assert {"HttpOnly", "Path=/", "SameSite=strict"} <= set(header.split("; "))
    assert "Secure" not in header  # plain HTTP on loopback
    secure = browser.request(
        "POST",
        "/v1/session",
        json={"name": NAME, "password": PASSWORD},
        headers={
            "X-Forwarded-Proto": "https",
            "Origin": plane.url.replace("http:", "https:"),
        },
    )
    assert secure.headers["set-cookie"].startswith("__Host-hythe_session_")
    assert "Secure" in secure.headers["set-cookie"].split("; ")


@pytest.mark.parametrize(
    ("bind", "domain", "url"),
    [
        ("127.0.0.1", "example.com", "http://127.0.0.1:7600"),
        ("0.0.0.0", "example.com", "https://hythe.example.com:7600"),
        ("192.0.2.7", "localhost", "https://192.0.2.7:7600"),
        ("2001:db8::7", "localhost", "https://[2001:db8::7]:7600"),
        ("0.0.0.0", "localhost", "http://127.0.0.1:7600"),
    ],
)
def test_the_set_up_link_leads_here_from_where_people_are(bind: str, domain: str, url: str) -> None:
    assert Settings(bind=bind, domain=domain, api_port=7600).dashboard_url == url


def test_only_hashes_are_stored(ada: Browser, plane: ControlPlane, api: httpx.Client) -> None:
    code = setup_code(api)
    with plane.database.read() as session:
        stored = session.scalars(select(User)).one().password_hash
    assert stored.startswith("$argon2id$")
    on_disk = b"".join(path.read_bytes() for path in plane.settings.home.glob("hythe.db*"))
    for secret in (ada.cookie, ada.csrf, code, PASSWORD):
        assert secret.encode() not in on_disk


def test_a_replayed_set_up_link_is_refused(
    ada: Browser, plane: ControlPlane, api: httpx.Client
) -> None:
    code = setup_code(api)
    assert ada.set_up(code, password="another password").status_code == 201
    with Browser(plane) as thief:
        refused = thief.set_up(code, password="the thief's password")
        assert refused.status_code == 403
        assert refused.json()["code"] == "setup-link"
        assert "used already" in refused.json()["detail"]
        assert "hythe setup:link" in refused.json()["fix"]
        assert "set-cookie" not in refused.headers
        assert thief.sign_in(password="the thief's password").status_code == 401


def test_a_newer_link_replaces_the_one_before(browser: Browser, api: httpx.Client) -> None:
    old, new = setup_code(api), setup_code(api)
    assert browser.set_up(old).status_code == 403
    assert browser.set_up(new).status_code == 201


def test_a_link_expires_after_a_day(
    browser: Browser, plane: ControlPlane, api: httpx.Client
) -> None:
    code = setup_code(api)
    with plane.database.write() as tx:
        tx.scalars(select(SetupCode)).one().created_at = now() - timedelta(hours=25)
    refused = browser.set_up(code)
    assert refused.status_code == 403
    assert "24 hours" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("name", "password"),
    [("ada", "short"), ("<b>ada</b>", PASSWORD), ("", PASSWORD), ("ada", "x" * 1025)],
)
def test_what_is_refused_leaves_the_link_usable(
    browser: Browser, api: httpx.Client, name: str, password: str
) -> None:
    code = setup_code(api)
    refused = browser.set_up(code, name, password)
    assert refused.status_code == 422
    assert refused.json()["fix"]
    assert password not in refused.text
    assert browser.set_up(code).status_code == 201


def test_a_later_link_sets_a_new_password_and_ends_the_sessions(
    ada: Browser, plane: ControlPlane, api: httpx.Client
) -> None:
    with Browser(plane) as other:
        unknown = other.set_up(setup_code(api), name="eve")
        assert unknown.status_code == 422
        assert "ada" in unknown.json()["fix"]
        assert other.set_up(setup_code(api), password="a new password").status_code == 201
        assert ada.get("/v1/apps").status_code == 401
        assert ada.sign_in().status_code == 401
        assert ada.sign_in(password="a new password").status_code == 201


def test_signing_in_and_out(ada: Browser) -> None:
    assert ada.request("DELETE", "/v1/session").status_code == 204
    assert ada.cookie == ""
    assert ada.get("/v1/apps").status_code == 401
    assert ada.sign_in().status_code == 201
    assert ada.get("/v1/apps").status_code == 200


def test_a_cookie_is_worth_nothing_after_signing_out(ada: Browser) -> None:
    old = ada.cookie
    ada.request("DELETE", "/v1/session")
    ada.http.cookies.set(ada.cookie_name, old)
    assert ada.get("/v1/apps").status_code == 401
    assert ada.get("/v1/session").json() == {"user": None, "csrf_token": ""}


def test_signing_in_takes_a_new_cookie(ada: Browser) -> None:
    first = ada.cookie
    assert ada.sign_in().status_code == 201
    assert ada.cookie != first
    ada.http.cookies.set(ada.cookie_name, first)
    assert ada.get("/v1/apps").status_code == 401


def test_a_cookie_that_was_planted_before_is_not_kept(ada: Browser, plane: ControlPlane) -> None:
    planted = "planted-by-somebody-else"
    with Browser(plane) as victim:
        victim.http.cookies.set(victim.cookie_name, planted, domain="127.0.0.1", path="/")
        answer = victim.sign_in()
        assert answer.status_code == 201
        assert planted not in answer.headers["set-cookie"]
    with Browser(plane) as thief:
        thief.http.cookies.set(thief.cookie_name, planted)
        assert thief.get("/v1/apps").status_code == 401


@pytest.mark.parametrize(
    "column", [UserSession.created_at, UserSession.last_used_at], ids=["age", "idleness"]
)
def test_sessions_expire(ada: Browser, plane: ControlPlane, column: object) -> None:
    limit = sessions.LONGEST if column is UserSession.created_at else sessions.IDLE
    with plane.database.write() as tx:
        tx.query(UserSession).update({column: now() - limit - timedelta(seconds=1)})
    assert ada.get("/v1/session").json()["user"] is None
    expired = ada.get("/v1/apps")
    assert expired.status_code == 401
    assert "expired" in expired.json()["detail"]


def test_expired_sessions_are_removed_at_the_next_sign_in(
    ada: Browser, plane: ControlPlane
) -> None:
    with plane.database.write() as tx:
        tx.query(UserSession).update({UserSession.last_used_at: now() - timedelta(days=90)})
    with Browser(plane) as other:
        assert other.sign_in().status_code == 201
    with plane.database.read() as session:
        assert len(session.scalars(select(UserSession)).all()) == 1


def test_a_wrong_password_and_an_unknown_name_look_alike(ada: Browser) -> None:
    wrong, unknown = ada.sign_in(password="wrong password"), ada.sign_in(name="nobody")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()
    assert wrong.json()["code"] == "wrong-password"


def test_guessing_is_slowed_down(ada: Browser) -> None:
    answers = [ada.sign_in(password=f"guess {number}") for number in range(8)]
    assert [answer.status_code for answer in answers[:5]] == [401] * 5
    refused = answers[-1]
    assert refused.status_code == 429
    assert refused.json()["code"] == "too-many-attempts"
    assert int(refused.headers["retry-after"]) >= 1
    assert ada.sign_in().status_code == 429  # the right one has to wait as well
    assert ada.sign_in(name="somebody else").status_code == 401  # but nobody else


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
@pytest.mark.parametrize("token", ["", "wrong", "ä"])
def test_a_change_needs_the_csrf_token(ada: Browser, method: str, token: str) -> None:
    ada.csrf = ""
    headers = {"X-CSRF-Token": token.encode()} if token else {}
    answer = ada.request(method, "/v1/apps", json={"name": "shop"}, headers=headers)
    assert answer.status_code == 403
    assert answer.json()["code"] == "cross-site"
    assert ada.get("/v1/apps").json()["items"] == []


def test_a_change_with_the_csrf_token_works(ada: Browser) -> None:
    assert ada.request("POST", "/v1/apps", json={"name": "shop"}).status_code == 201


def test_the_csrf_token_of_another_session_does_not_count(
    ada: Browser, plane: ControlPlane
) -> None:
    with Browser(plane) as other:
        other.sign_in()
        ada.csrf = other.csrf
        assert ada.request("POST", "/v1/apps", json={}).status_code == 403


@pytest.mark.parametrize(
    "said",
    [
        {"Origin": "http://shop.localhost:8080"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_other_origins_change_nothing_and_sign_nobody_in(
    ada: Browser, said: dict[str, str]
) -> None:
    refused = [
        ada.request("POST", "/v1/apps", json={"name": "shop"}, headers=said),
        ada.request("DELETE", "/v1/session", headers=said),
        ada.request("POST", "/v1/session", json={"name": NAME, "password": "x"}, headers=said),
        ada.request("POST", "/v1/setup", json={"code": "x"}, headers=said),
    ]
    assert [answer.json()["code"] for answer in refused] == ["cross-site"] * 4


def test_a_token_needs_no_csrf_token_and_is_no_session(ada: Browser, api: httpx.Client) -> None:
    assert api.post("/v1/apps", json={"name": "shop"}).status_code == 201
    assert api.get("/v1/session").json() == {"user": None, "csrf_token": ""}


def test_a_visitor_learns_that_nobody_is_signed_in(plane: ControlPlane) -> None:
    with Browser(plane) as browser:
        assert browser.get("/v1/session").json() == {"user": None, "csrf_token": ""}
        said = browser.get("/v1/session", headers={"Sec-Fetch-Site": "cross-site"})
        assert said.json()["code"] == "cross-site"


def test_git_takes_no_cookie(ada: Browser) -> None:
    answer = ada.get("/shop.git/info/refs?service=git-receive-pack")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Basic realm="hythe"'


def test_only_managers_make_set_up_links(plane: ControlPlane) -> None:
    with plane.client("deploy") as client:
        assert client.post("/v1/setup/link").status_code == 403
