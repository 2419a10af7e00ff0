"""The first user: bin/up prints a link that makes one, as long as there is none."""

import http.client
import json
from typing import Any

from .place import Place


def setup_url(place: Place) -> str | None:
    """A new set-up link while there is no user; None when there is one, or nobody may know."""
    try:
        if not _ask(place, "GET", "/v1/setup")["needed"]:
            return None
        token = json.loads(place.credentials.read_text())["token"]
        return str(_ask(place, "POST", "/v1/setup/link", token)["url"])
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return None


def _ask(place: Place, method: str, path: str, token: str = "") -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", place.api_port, timeout=5)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        connection.request(method, path, headers=headers)
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
        return answer
    finally:
        connection.close()
