"""An app in the dashboard: from its name to a rollback."""

from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Page, expect

from bench.installation import Installation, Project

pytestmark = [pytest.mark.docker, pytest.mark.e2e]

HTML = "<img src=x onerror=alert(1)>"


def test_an_app_from_its_name_to_a_rollback(
    installation: Installation, repository: Path, page: Page
) -> None:
    project = create(installation, repository, page)
    push_and_watch(project, page)
    scale(project, page)
    configure(project, page)
    roll_back(project, page)
    destroy(page)


def create(installation: Installation, repository: Path, page: Page) -> Project:
    page.goto("/")
    first = page.get_by_role("button", name="Create app")
    another = page.get_by_role("button", name="New app")
    expect(first.or_(another)).to_be_visible()
    if another.is_visible():
        another.click()
    page.get_by_label("Name").fill(f"Tide {HTML}")
    page.get_by_role("button", name="Create app").click()
    expect(page.get_by_role("alert")).to_contain_text(f"'Tide {HTML}' is not a valid app name.")
    page.get_by_label("Name").fill("tide")
    page.get_by_role("button", name="Create app").click()
    remote = f"http://127.0.0.1:{installation.api_port}/tide.git"
    expect(page.get_by_text(f"git remote add hythe {remote}")).to_be_visible()
    installation.hythe("git:remote", "-a", "tide", folder=repository)
    return Project(installation, "tide", repository)


def push_and_watch(project: Project, page: Page) -> None:
    """The page is open while the push runs, and follows it line by line."""
    project.commit(f"First {HTML}")
    push = Thread(target=project.push)
    push.start()
    page.get_by_role("link", name="watch").click()
    output = page.get_by_role("log", name="Output of the deployment")
    expect(page.get_by_role("heading", name=f"First {HTML}")).to_be_visible()
    expect(output).to_contain_text("Python app detected")
    expect(output).to_contain_text("deployed (v1)")
    push.join()
    expect(page.locator(".deployment-head")).to_contain_text("Live")


def scale(project: Project, page: Page) -> None:
    page.get_by_role("link", name="Overview").click()
    more = page.get_by_role("button", name="One web more")
    more.click()
    wanted = page.get_by_label("web instances wanted")
    expect(wanted).to_have_text("2")
    expect(page.locator("[data-instance='web.2'][data-state='up']")).to_be_visible()
    assert "web.2: up" in project.hythe("ps")

    for _ in range(9):
        more.click()
    expect(wanted).to_have_text("11")
    expect(page.get_by_role("alert")).to_contain_text("web=11 is not between 0 and 10.")
    expect(wanted).to_have_text("2")


def configure(project: Project, page: Page) -> None:
    page.get_by_role("link", name="Config").click()
    page.get_by_role("button", name="Add a variable").click()
    page.get_by_label("Name").fill("GREETING")
    page.get_by_label("Value").fill(HTML)
    page.get_by_role("button", name="Save and restart").click()
    page.get_by_role("link", name="watch it start").click()
    expect(page.locator(".deployment-head")).to_contain_text("Live")
    assert project.get().text == HTML

    page.get_by_role("link", name="Config").click()
    variables = page.get_by_role("list", name="Config variables")
    expect(variables).to_contain_text("GREETING")
    expect(variables).not_to_contain_text(HTML)
    page.get_by_role("button", name="Show GREETING").click()
    expect(variables).to_contain_text(HTML)


def roll_back(project: Project, page: Page) -> None:
    """Two clicks: the first shows what changes, the second does it."""
    page.get_by_role("link", name="Releases").click()
    page.get_by_role("button", name="Roll back… v1").click()
    assert page.url.endswith("/apps/tide/releases/1")
    details = page.locator(".release-details")
    expect(details).to_contain_text("GREETING removed")
    page.get_by_role("button", name="Roll back to v1").click()
    expect(page.locator(".deployment-head")).to_contain_text("v3")
    expect(page.locator(".deployment-head")).to_contain_text("Live")
    assert project.get().text == "Hello"
    page.get_by_role("link", name="Releases").click()
    expect(page.get_by_role("listitem").filter(has_text="serving")).to_contain_text("v3")


def destroy(page: Page) -> None:
    page.get_by_role("link", name="Settings").click()
    page.get_by_role("button", name="Destroy…").click()
    last = page.get_by_role("button", name="Destroy tide")
    page.get_by_label("Type tide").fill("tid")
    expect(last).to_be_disabled()
    page.get_by_label("Type tide").fill("tide")
    last.click()
    expect(page.get_by_role("heading", name="Apps")).to_be_visible()
    expect(page.get_by_role("link", name="tide", exact=True)).to_have_count(0)
