"""The connection to the engine, and the one place where its errors become Hythe's own."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import requests
import urllib3
from docker import APIClient
from docker.errors import (
    APIError,
    DockerException,
    ImageNotFound,
    create_api_error_from_http_exception,
)
from docker.utils import kwargs_from_env

from hythe.errors import (
    AddressTaken,
    EngineAway,
    EngineError,
    EngineLacks,
    HytheError,
    ImageMissing,
)

ANSWER_SECONDS = 60  # an engine silent for longer counts as away
BULK_SECONDS = 900  # calls that read or write whole file systems answer at their end
CONNECTIONS = 32  # kept open: about two a thread of the control plane

_TAKEN = ("address already in use", "pool overlaps")


class Client:
    """One engine. It is asked for its API version at the first use, so it may start later."""

    def __init__(self, url: str | None) -> None:
        self._options: dict[str, Any] = {**kwargs_from_env()}
        if url is not None:
            self._options["base_url"] = url
        self._lock = threading.Lock()
        self._clients: dict[int, APIClient] = {}

    @property
    def url(self) -> str:
        """The engine's address, as a docker command wants it in DOCKER_HOST."""
        return str(self._options.get("base_url") or "unix:///var/run/docker.sock")

    @property
    def api(self) -> APIClient:
        """The SDK's own client, for calls that answer at once."""
        return self._client(ANSWER_SECONDS)

    @property
    def bulk(self) -> APIClient:
        """The same for calls that move whole file systems."""
        return self._client(BULK_SECONDS)

    def _client(self, seconds: int) -> APIClient:
        with self._lock:
            if seconds not in self._clients:
                self._clients[seconds] = self._connect(seconds)
            return self._clients[seconds]

    def _connect(self, seconds: int) -> APIClient:
        known = next(iter(self._clients.values()), None)
        try:
            client = APIClient(
                **self._options,
                version=known.api_version if known else "auto",
                timeout=seconds,
                max_pool_size=CONNECTIONS,
            )
        except DockerException as error:
            raise EngineAway(f"The container engine does not answer: {brief(error)}") from error
        if client.base_url.startswith("http+docker:"):
            client.trust_env = False  # no proxy and no .netrc on the way to a local socket
        return client

    def open(self, method: str, path: str, **request: Any) -> requests.Response:
        """Send a request whose answer is read as it comes, without a time limit."""
        url = f"{self.api.base_url}/v{self.api.api_version}{path}"
        with speaking():
            response = self.api.request(method, url, stream=True, timeout=None, **request)
            try:
                response.raise_for_status()
            except requests.HTTPError as error:
                create_api_error_from_http_exception(error)
        return response


@contextmanager
def speaking() -> Iterator[None]:
    """Turn whatever the SDK raises inside into the error tree's own."""
    try:
        yield
    except (DockerException, requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise translated(error) from error


def translated(error: Exception) -> HytheError:
    if not isinstance(error, APIError):
        return EngineAway(f"The container engine does not answer: {brief(error)}")
    text = brief(error.explanation or error)
    if any(words in text.lower() for words in _TAKEN):
        return AddressTaken(f"The network address or subnet is in use: {text}")
    if isinstance(error, ImageNotFound):
        return ImageMissing(f"The image is not on this engine: {text}")
    if error.status_code == 404:
        return EngineLacks(f"The engine does not have it: {text}")
    return EngineError(f"The container engine refused: {text}")


def brief(text: object) -> str:
    """An engine's message on one line of bearable length."""
    return " ".join(str(text).split())[:400]


def label_filters(labels: Mapping[str, str]) -> list[str]:
    """Labels as the engine's filters want them."""
    return [f"{key}={value}" for key, value in labels.items()]
