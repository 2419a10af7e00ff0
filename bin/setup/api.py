"""What the set-up asks the control plane of this machine, as the local user."""

import http.client
import json
from contextlib import closing
from typing import Any

from .place import Place

UNANSWERED = (OSError, http.client.HTTPException, ValueError, KeyError)
"""What `ask` and `token` raise where nobody answers, or there is no token."""


def ask(place: Place, method: str, path: str, token: str = "", timeout: float = 10) -> Any:
    """The document that the API answers, an error's too; raises what is in UNANSWERED."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    connection = http.client.HTTPConnection("127.0.0.1", place.api_port, timeout=timeout)
    with closing(connection):
        connection.request(method, path, headers=headers)
        return json.loads(connection.getresponse().read())


def token(place: Place) -> str:
    """The local user's token; the file may hold others, for other machines, before it."""
    known = [json.loads(line) for line in place.credentials.read_text().splitlines() if line]
    return {entry["url"]: str(entry["token"]) for entry in known}[place.api_url]
