"""The dashboard in Debian's Chromium, headless, against the installation of the other tests."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from conftest import missing
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from bench.installation import Installation, Project

NAME, PASSWORD = "ada", "correct horse battery"
CHROMIUM = "/usr/bin/chromium"
expect.set_options(timeout=20_000)

APP = '''\
"""Prints the path of each request, after `?N` lines, and answers with a config var."""

import os


def application(environ, start_response):
    for number in range(int(environ["QUERY_STRING"] or 0)):
        print("line", number)
    print(f"\\033[31masked\\033[0m for {environ['PATH_INFO']}", flush=True)
    body = os.environ.get("GREETING", "Hello").encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
'''


@dataclass
class Watched:
    """What a browser did that it must not do."""

    url: str
    faults: list[str] = field(default_factory=list)

    def watch(self, context: BrowserContext) -> None:
        context.on("page", self._watch_page)

    def _watch_page(self, page: Page) -> None:
        page.on("request", self._asked)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("dialog", self._script_ran)

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.url, "blob:")):
            self.faults.append(f"a request to another host: {request.url}")

    def _said(self, message: Any) -> None:
        if "Content Security Policy" in message.text:
            self.faults.append(message.text)

    def _script_ran(self, dialog: Any) -> None:
        self.faults.append(f"a script ran: {dialog.message}")
        dialog.dismiss()


@pytest.fixture(scope="session")
def url(installation: Installation) -> str:
    return f"http://127.0.0.1:{installation.api_port}"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if shutil.which(CHROMIUM) is None:
        missing("chromium", "Debian's package `chromium` is not installed; bin/test installs it.")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def new_page(chromium: Browser, url: str) -> Iterator[Callable[..., Page]]:
    """Opens pages, each in a browser that knows nothing else; looks at their faults at the end."""
    watched = Watched(url)
    contexts: list[BrowserContext] = []

    def open_page(**options: Any) -> Page:
        context = chromium.new_context(base_url=url, **options)
        contexts.append(context)
        watched.watch(context)
        return context.new_page()

    yield open_page
    for context in contexts:
        context.close()
    assert watched.faults == []


@pytest.fixture(scope="session")
def signed_in(installation: Installation, chromium: Browser, url: str) -> Any:
    """The state of a browser that was set up with a link, as a person does it."""
    link = installation.hythe("setup:link").split()[0]
    context = chromium.new_context(base_url=url)
    page = context.new_page()
    page.goto(link)
    page.get_by_label("Name").fill(NAME)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Set up and sign in").click()
    expect(page.get_by_role("heading", name="Apps")).to_be_visible()
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def page(new_page: Callable[..., Page], signed_in: Any) -> Page:
    return new_page(storage_state=signed_in)


@pytest.fixture(scope="session")
def repository(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with an app that prints what it is asked for."""
    folder = tmp_path_factory.mktemp("web") / "tide"
    folder.mkdir()
    (folder / "wsgi.py").write_text(APP)
    installation.run("git", "init", "-q", "-b", "main", folder=folder)
    return folder


@pytest.fixture(scope="session")
def running(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """An app that is up at v2, made without the dashboard."""
    project = installation.project("quay", "wsgi-bare", tmp_path_factory.mktemp("web") / "quay")
    (project.folder / "wsgi.py").write_text(APP)
    project.commit("Print <b>what</b> is asked for")
    project.push()
    project.hythe("config:set", "TIDE=low")
    return project
