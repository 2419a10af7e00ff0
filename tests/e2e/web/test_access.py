"""Everybody can use the dashboard: by keyboard, with a screen reader, in any size and colour."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from bench.installation import Project

pytestmark = [pytest.mark.docker, pytest.mark.e2e]

Open = Callable[..., Page]

AXE = Path(__file__).parents[3] / "web" / "node_modules" / "axe-core" / "axe.min.js"
LOOKS = [("light", 1280), ("dark", 390)]
QUAY = ("", "/releases/1", "/config", "/logs", "/settings", "/deployments/{id}")


def look(scheme: str, width: int) -> dict[str, Any]:
    viewport = {"width": width, "height": 900}
    return {"color_scheme": scheme, "viewport": viewport, "reduced_motion": "reduce"}


def check(page: Page) -> None:
    page.wait_for_load_state()
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run().then((result) => result.violations)")
    assert [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found] == [], page.url
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), page.url


def newest_deployment(project: Project, page: Page) -> int:
    answer = page.request.get(f"/v1/apps/{project.app}/deployments")
    return int(answer.json()["items"][0]["id"])


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_pages_are_accessible(
    new_page: Open, signed_in: Any, running: Project, scheme: str, width: int
) -> None:
    page = new_page(storage_state=signed_in, **look(scheme, width))
    number = newest_deployment(running, page)
    for path in ("", *(f"apps/quay{one.format(id=number)}" for one in QUAY)):
        page.goto(f"/{path}")
        expect(page.locator(".card, .terminal").first).to_be_visible()
        check(page)
    page.goto("/apps/quay/settings")
    page.get_by_role("button", name="Destroy…").click()
    expect(page.get_by_label("Type quay")).to_be_focused()
    check(page)


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_the_ways_in_are_accessible(
    new_page: Open, signed_in: Any, scheme: str, width: int
) -> None:
    page = new_page(**look(scheme, width))
    for path, heading in (("/", "Sign in"), ("/setup#code=x", "Choose a new password")):
        page.goto(path)
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
        expect(page).to_have_title(f"{heading} · Hythe")
        check(page)


def test_a_tab_says_what_it_shows_and_focus_goes_along(page: Page, running: Project) -> None:
    number = newest_deployment(running, page)
    for path, title in (
        ("/", "Apps"),
        ("/apps/quay", "quay"),
        ("/apps/quay/logs", "Logs · quay"),
        (f"/apps/quay/deployments/{number}", f"Deployment {number} · quay"),
        ("/nowhere", "There is no such page"),
    ):
        page.goto(path)
        expect(page).to_have_title(f"{title} · Hythe")
    page.goto("/apps/quay")
    page.get_by_role("link", name="Releases").click()
    expect(page).to_have_title("Releases · quay · Hythe")
    expect(page.locator("main")).to_be_focused()
    page.get_by_role("button", name="Roll back… v1").press("Enter")
    expect(page).to_have_url(re.compile("/apps/quay/releases/1$"))
    expect(page.get_by_role("button", name="Close v1")).to_be_focused()  # one reads on from there
