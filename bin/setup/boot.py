"""After a start: the apps of this installation come back, and bin/up waits for them."""

import http.client
import json
import time
from contextlib import closing

from .output import detail, step
from .place import Place

BOOT_SECONDS = 60  # for all of them together
POLL_SECONDS = 0.1
COMING = ("pending", "starting", "up")  # right after a start the rows may still say up


def await_apps(place: Place) -> None:
    """Wait until each app that serves answers through the router; name those that do not."""
    with step("Starting the apps"):
        late = _late(place)
    for app in late:
        detail(f"{app} does not answer yet: see `hythe ps -a {app}` and `hythe logs -a {app}`")


def _late(place: Place) -> list[str]:
    deadline = time.monotonic() + BOOT_SECONDS
    apps = [app["name"] for app in _ask(place, "/v1/apps") if app["release"] is not None]
    while True:
        apps = [app for app in apps if not _answers(place, app) and _comes(place, app)]
        if not apps or time.monotonic() > deadline:
            return apps
        time.sleep(POLL_SECONDS)


def _answers(place: Place, app: str) -> bool:
    """Whether the app itself answers, whatever it says."""
    with closing(http.client.HTTPConnection(*place.router_address, timeout=10)) as connection:
        try:
            connection.request("HEAD", "/", headers={"Host": f"{app}.{place.domain}"})
            return connection.getresponse().getheader("Hythe-Error") is None
        except (OSError, http.client.HTTPException):
            return False


def _comes(place: Place, app: str) -> bool:
    """Whether there is anything to wait for: not where web is scaled to 0, or parked."""
    instances = _ask(place, f"/v1/apps/{app}/instances")
    return any(one["process"] == "web" and one["state"] in COMING for one in instances)


def _ask(place: Place, path: str) -> list[dict[str, object]]:
    """The items of a list of the API; none where it does not answer."""
    token = json.loads(place.credentials.read_text().splitlines()[0])["token"]
    with closing(http.client.HTTPConnection("127.0.0.1", place.api_port, timeout=10)) as connection:
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
            answer = json.loads(connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError):
            return []
    items: list[dict[str, object]] = answer.get("items", [])
    return items
