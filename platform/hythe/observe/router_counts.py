"""What the router of this machine counted; it tells on a unix socket, see route/window.py."""

import json
import socket
from pathlib import Path
from typing import Any

_PATIENCE = 2.0
_QUESTION = b"GET /stats HTTP/1.1\r\nHost: router\r\nConnection: close\r\n\r\n"


def router_counts(path: Path) -> dict[str, Any] | None:
    """All that it counted since it started (the shape is route/census.as_json's); None when no
    router answers here."""
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(_PATIENCE)
            sock.connect(str(path))
            sock.sendall(_QUESTION)
            with sock.makefile("rb") as file:
                head, _, body = file.read().partition(b"\r\n\r\n")
        found = json.loads(body) if head.startswith(b"HTTP/1.1 200") else None
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
