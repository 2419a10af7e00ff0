"""What a page that stays open shows: logs as they come, also over a restart."""

import os
import signal

import pytest
from playwright.sync_api import Locator, Page, expect

from bench.installation import Installation, Project, until

pytestmark = [pytest.mark.docker, pytest.mark.e2e]


def log_of(page: Page) -> Locator:
    return page.get_by_role("log", name="Log of the app")


def test_logs_follow_and_are_text_whatever_they_say(page: Page, running: Project) -> None:
    page.goto("/apps/quay/logs")
    running.get("/one/%3Cimg%20src=x%20onerror=alert(1)%3E")
    line = log_of(page).get_by_text("for /one/<img src=x onerror=alert(1)>")
    expect(line).to_be_visible()
    expect(log_of(page).locator(".c1").first).to_have_text("asked")

    running.get("/two")
    expect(log_of(page)).to_contain_text("asked for /two")
    page.get_by_label("Text to look for").fill("ASKED FOR /TWO")
    expect(log_of(page)).not_to_contain_text("/one/")
    expect(log_of(page).locator("mark").first).to_be_visible()
    page.get_by_label("From").select_option("router")
    expect(log_of(page)).not_to_contain_text("asked for /two")
    assert "from=%40router" in page.url and "q=" in page.url


def test_an_open_page_resumes_after_a_restart_of_the_control_plane(
    installation: Installation, page: Page, running: Project
) -> None:
    page.goto("/apps/quay/logs?q=asked+for+%2Frestart")
    running.get("/restart-before")
    expect(log_of(page)).to_contain_text("/restart-before")
    killed = installation.pid("control-plane")
    os.kill(killed, signal.SIGKILL)
    running.get("/restart-meanwhile")
    expect(page.get_by_role("status").get_by_text("Reconnecting")).to_be_visible()

    until(lambda: installation.pid("control-plane") != killed)
    expect(page.get_by_text("Reconnecting")).to_have_count(0)
    running.get("/restart-after")
    expect(log_of(page)).to_contain_text("/restart-after")
    expect(log_of(page).locator(".log-text")).to_have_text(
        [f"asked for /restart-{when}" for when in ("before", "meanwhile", "after")]
    )
    page.get_by_role("link", name="Overview").click()
    running.hythe("ps:scale", "web=2")
    expect(page.get_by_label("web instances wanted")).to_have_text("2")


def test_fifty_thousand_lines_stay_few_in_the_page(page: Page, running: Project) -> None:
    page.goto("/apps/quay/logs?from=web")
    expect(log_of(page)).to_contain_text("asked for")
    running.get("/print?50000")
    expect(log_of(page)).to_contain_text("asked for /print", timeout=60_000)
    assert log_of(page).locator(".line").count() < 150
    log_of(page).hover()
    page.mouse.wheel(0, -5000)
    expect(page.get_by_role("button", name="To the newest")).to_be_visible()
    running.get("/while-reading")
    expect(page.get_by_role("button", name="1 new")).to_be_visible()
    page.get_by_role("button", name="1 new").click()
    expect(log_of(page)).to_contain_text("asked for /while-reading")
