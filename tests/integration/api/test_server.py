"""The control plane's HTTP server."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from bench.installation import free_port
from hythe.api.server import Server, open_plain
from hythe.settings import Settings


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers who asks, as endpoints see it."""
    body = json.dumps([scope["client"][0], scope["scheme"]]).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def url(settings: Settings) -> Iterator[str]:
    settings = replace(settings, api_port=free_port())
    server = Server(echo, None, lambda: None)  # type: ignore[arg-type]
    run = threading.Thread(target=server.run, args=([open_plain(settings)],), daemon=True)
    run.start()
    yield settings.api_url
    server.should_exit = True
    run.join(10)


def test_nobody_can_claim_another_address_to_guess_from(url: str) -> None:
    """Sign-ins are slowed down by address; every process of this machine could forge one."""
    forged = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}
    with httpx.Client(transport=httpx.HTTPTransport(retries=5)) as client:
        assert client.get(url, headers=forged).json() == ["127.0.0.1", "http"]
