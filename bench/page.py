"""Cold loads of the dashboard in headless Chromium: what comes over the wire, and when it is ready.

Ready means: the list of apps is on the page, and the main thread has nothing left to do.
"""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, Page, Request, sync_playwright

from bench.figure import Figure

CHROMIUM = "/usr/bin/chromium"
PASSWORD = "the password of a benchmark"
READY = """
window.ready = new Promise((resolve) => {
  const look = () =>
    document.querySelector('a[href="/apps/app-000"]')
      ? requestIdleCallback(() => resolve(performance.now()))
      : setTimeout(look, 5)
  look()
})
"""


@dataclass
class Load:
    """One cold load."""

    ready: float = 0.0  # s since the navigation began
    script: float = 0.0  # KiB of script, compressed
    total: float = 0.0  # KiB of everything
    elsewhere: list[str] = field(default_factory=list)  # requests to other hosts
    complaints: list[str] = field(default_factory=list)  # of the browser, as about its policy


def measure(url: str, token: str, times: int) -> list[Figure]:
    """Load the list of apps so often, signed in, each time in a browser that knows nothing."""
    cookie = sign_in(url, token)
    with chromium() as browser:
        load(browser, url, cookie)  # the server's first use of its files
        loads = [load(browser, url, cookie) for _ in range(times)]
    ready = [one.ready for one in loads]
    script = [one.script for one in loads]
    return [
        Figure("dashboard: cold load until it is ready", ready, "s", ("<=", 1)),
        Figure("dashboard: script, compressed", script, "KiB", ("<=", 300)),
        Figure("dashboard: everything, compressed", [one.total for one in loads], "KiB"),
        Figure("dashboard: requests to other hosts", _count(loads, "elsewhere"), "", ("=", 0)),
        Figure("dashboard: complaints of the browser", _count(loads, "complaints"), "", ("=", 0)),
    ]


def _count(loads: list[Load], what: str) -> list[float]:
    return [len(getattr(one, what)) for one in loads]


def sign_in(url: str, token: str) -> str:
    """Make the first user by a set-up link; returns the session's cookie, NAME=VALUE."""
    code = str(_post(f"{url}/v1/setup/link", {}, token)[0]["url"]).partition("#code=")[2]
    body = {"code": code, "name": "bench", "password": PASSWORD}
    return _post(f"{url}/v1/setup", body)[1].partition(";")[0]


def _post(url: str, body: dict[str, str], token: str = "") -> tuple[dict[str, str], str]:
    """The answer, and the cookie that it sets."""
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=20) as answer:
        return json.loads(answer.read()), answer.headers.get("Set-Cookie", "")


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def load(browser: Browser, url: str, cookie: str) -> Load:
    """A context of its own has an empty cache."""
    found = Load()
    context = browser.new_context()
    name, _, value = cookie.partition("=")
    context.add_cookies([{"name": name, "value": value, "url": url}])
    context.add_init_script(READY)
    page = context.new_page()
    done: list[Request] = []
    page.on("requestfinished", lambda request: done.append(request))
    page.on("console", lambda said: said.type == "error" and found.complaints.append(said.text))
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    page.on("request", lambda one: one.url.startswith(url) or found.elsewhere.append(one.url))
    page.goto(url, wait_until="commit")
    found.ready = _ready(page) / 1000
    for request in done:
        size = request.sizes()["responseBodySize"] / 1024
        found.total += size
        found.script += size if request.resource_type == "script" else 0
    context.close()
    return found


def _ready(page: Page) -> float:
    milliseconds: float = page.evaluate("window.ready")
    return milliseconds
