"""A pull: its progress as lines, and its failures as errors of their kind."""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hythe.engine.docker.client import brief
from hythe.errors import EngineError, ImageMissing, RegistryAway, RegistryDenied

SAY_SECONDS = 2.0  # between two lines about the same pull
MEGABYTE = 1e6

# The engine passes the registry's own words on; it has no codes for them.
_NOT_THERE = (
    "not found",
    "manifest unknown",
    "pull access denied",
    "does not exist",
    "name unknown",
)
_DENIED = (
    "unauthorized", "authentication required", "no basic auth", "incorrect username or password",
    "forbidden", "denied",
)  # fmt: skip
_AWAY = (
    "no such host", "connection refused", "i/o timeout", "timeout", "deadline exceeded", "eof",
    "canceled", "unreachable", "no route to host", "server misbehaving", "connection reset", "x509",
    "gave http response to https client", "temporary failure in name resolution", "dial tcp",
    "proxyconnect", "service unavailable", "bad gateway",
)  # fmt: skip


class Progress:
    """How many bytes of the layers have arrived, said now and then."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._layers: dict[str, tuple[int, int]] = {}
        self._said_at = time.monotonic()
        self._said = ""

    def take(self, line: Mapping[str, Any]) -> None:
        """One message of the engine's stream."""
        detail = line.get("progressDetail") or {}
        if line.get("status") == "Downloading" and detail.get("total"):
            self._layers[line["id"]] = detail["current"], detail["total"]
        elif line.get("status") == "Download complete" and line.get("id") in self._layers:
            total = self._layers[line["id"]][1]
            self._layers[line["id"]] = total, total
        if self._layers and time.monotonic() - self._said_at > SAY_SECONDS:
            self._said_at = time.monotonic()
            here, total = map(sum, zip(*self._layers.values(), strict=True))
            text = f"{here / MEGABYTE:.1f} of {total / MEGABYTE:.1f} MB"
            if text != self._said:
                self._said = text
                self._say(text)


def watch(stream: Iterable[Mapping[str, Any]], say: Callable[[str], None]) -> str:
    """Read the engine's stream to its end; the error that it holds, or an empty string."""
    progress = Progress(say)
    error = ""
    for line in stream:
        error = error or str(line.get("error", ""))
        progress.take(line)
    return error


def failure(ref: str, host: str, error: str, logged_in: bool) -> EngineError:
    """The error for what an engine said about a pull that failed."""
    said = error.lower()
    login = f"`hythe registry:login {host} -u USER`"
    if any(words in said for words in _NOT_THERE):
        return ImageMissing(
            f"{host} has no {ref}: {brief(error)}",
            f"Check the name and the tag. If the image is private, log in with {login}.",
        )
    if any(words in said for words in _DENIED):
        if logged_in:
            return RegistryDenied(
                f"{host} does not accept the stored credentials for {ref}: {brief(error)}",
                f"Log in with others: {login}.",
            )
        return RegistryDenied(
            f"{host} wants credentials for {ref}, and none are stored: {brief(error)}",
            f"Log in with {login}, and deploy again.",
        )
    if any(words in said for words in _AWAY):
        return RegistryAway(f"{host} could not be reached: {brief(error)}")
    return EngineError(f"{ref} could not be pulled: {brief(error)}")


def login_failure(host: str, user: str, status: int, answer: str) -> EngineError:
    """The error for what an engine answered when a registry should check credentials."""
    try:
        error = str(json.loads(answer)["message"])
    except (ValueError, KeyError, TypeError):
        error = answer
    said = error.lower()
    if status == 401 or any(words in said for words in _DENIED):
        return RegistryDenied(
            f"{host} does not accept {user} with this password: {brief(error)}",
            "Check both. Many registries want an access token in the password's place.",
        )
    if any(words in said for words in _AWAY):
        return RegistryAway(
            f"{host} could not be reached: {brief(error)}",
            "Check its name, and that this machine reaches it; --no-verify stores them unchecked.",
        )
    return EngineError(
        f"{host} did not check the credentials: {brief(error)}",
        "Check its name. If it is a registry, --no-verify stores them unchecked.",
    )
