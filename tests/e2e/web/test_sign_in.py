"""Who may come in: the set-up link, the password, and the way out again."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from bench.installation import Installation

from .conftest import NAME, PASSWORD

pytestmark = [pytest.mark.docker, pytest.mark.e2e]

Open = Callable[..., Page]
FORGED = """fetch('/v1/apps', {
  method: 'POST', body: '{"name": "forged"}', headers: {'Content-Type': 'application/json'}
}).then((answer) => answer.status)"""


def enter(page: Page, name: str, password: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password", exact=True).fill(password)


def test_a_set_up_link_works_once_and_leaves_no_trace(
    installation: Installation, signed_in: Any, new_page: Open
) -> None:
    link = installation.hythe("setup:link").split()[0]
    page = new_page()
    page.goto(link)
    expect(page.get_by_role("heading", name="Choose a new password")).to_be_visible()
    assert page.url == link.partition("#")[0]
    enter(page, NAME, PASSWORD)
    page.get_by_role("button", name="Save and sign in").click()
    expect(page.get_by_role("heading", name="Apps")).to_be_visible()
    signed_in.update(page.context.storage_state())  # the sessions before ended with the password

    replay = new_page()
    replay.goto(link)
    enter(replay, NAME, "another password")
    replay.get_by_role("button", name="Save and sign in").click()
    expect(replay.get_by_role("alert")).to_contain_text("The set-up link was used already.")
    expect(replay.get_by_role("alert")).to_contain_text("setup-link")


def test_a_password_lets_in_and_signing_out_ends_it(signed_in: Any, new_page: Open) -> None:
    page = new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto("/apps/anything")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert said == []  # asking who is signed in is no error
    enter(page, NAME, "a wrong password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("wrong-password")
    enter(page, NAME, PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("There is no app 'anything'.")).to_be_visible()

    cookie = next(one for one in page.context.cookies() if one["name"].startswith("hythe_session_"))
    assert cookie["httpOnly"] and cookie["sameSite"] == "Strict"
    page.get_by_role("button", name=NAME).click()
    page.get_by_role("menuitem", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_requests_without_the_csrf_token_change_nothing(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_role("heading", name="Apps")).to_be_visible()
    assert page.evaluate(FORGED) == 403
