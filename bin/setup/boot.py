"""After a start: the apps of this installation come back, and bin/up waits for them."""

import http.client
import time
from contextlib import closing
from typing import Any

from . import api
from .output import detail, step
from .place import Place

BOOT_SECONDS = 60  # for all of them together
POLL_SECONDS = 0.1
COMING = ("pending", "starting", "up")  # right after a start the rows may still say up
NOT_YET = ("H10", "H14", "H19", "H20", "H21", "H99", "unknown-host")
"""What the router says of an app that has not come up. Its other codes are about a request, or
about an app that is there and is asked to do without it (see hythe.route.codes)."""


def await_apps(place: Place) -> None:
    """Wait until each app that serves answers through the router; name those that do not."""
    with step("Starting the apps"):
        late = _late(place)
    for app in late:
        detail(f"{app} does not answer yet: see `hythe ps -a {app}` and `hythe logs -a {app}`")


def _late(place: Place) -> list[str]:
    deadline = time.monotonic() + BOOT_SECONDS
    released = [app["name"] for app in _items(place, "/v1/apps") if app["release"] is not None]
    apps = [app for app in released if _serves(place, app)]
    while True:
        apps = [app for app in apps if not _answers(place, app) and _comes(place, app)]
        if not apps or time.monotonic() > deadline:
            return apps
        time.sleep(POLL_SECONDS)


def _serves(place: Place, app: str) -> bool:
    """Whether requests reach the app at all: not in maintenance, nor while it is paused."""
    return bool(_ask(place, f"/v1/apps/{app}/routing").get("mode") == "serve")


def _answers(place: Place, app: str) -> bool:
    """Whether the app itself answers, whatever it says."""
    with closing(http.client.HTTPConnection(*place.router_address, timeout=10)) as connection:
        try:
            connection.request("HEAD", "/", headers={"Host": f"{app}.{place.domain}"})
            return connection.getresponse().getheader("Hythe-Error") not in NOT_YET
        except (OSError, http.client.HTTPException):
            return False


def _comes(place: Place, app: str) -> bool:
    """Whether there is anything to wait for: not where web is scaled to 0, or parked."""
    instances = _items(place, f"/v1/apps/{app}/instances")
    return any(one["process"] == "web" and one["state"] in COMING for one in instances)


def _items(place: Place, path: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = _ask(place, path).get("items", [])
    return items


def _ask(place: Place, path: str) -> dict[str, Any]:
    """What the API answers; nothing where it does not."""
    try:
        answer: dict[str, Any] = api.ask(place, "GET", path, api.token(place))
    except api.UNANSWERED:
        return {}
    return answer
