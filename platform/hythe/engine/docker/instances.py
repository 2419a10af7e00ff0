"""Containers on a Docker Engine."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import requests
from docker.errors import APIError
from docker.errors import NotFound as Absent

from hythe.engine.docker.background import Background
from hythe.engine.docker.client import Client, label_filters, speaking
from hythe.engine.docker.firewall import Firewall
from hythe.engine.docker.networks import DockerNetworks
from hythe.engine.docker.spec import container_config
from hythe.engine.docker.streams import DockerFeed, frames, lines
from hythe.engine.port import Container, ContainerSpec, State
from hythe.errors import EngineAway, EngineError

CONFLICT = 409
RESERVED_SECONDS = 10  # from the reservation of a name to its container, on a busy engine


class DockerInstances:
    def __init__(self, client: Client) -> None:
        self._client = client
        self._background = Background(client)
        networks = DockerNetworks(client)
        self.ensure_network = networks.ensure
        self.remove_network = networks.remove
        self.list_networks = networks.list
        firewall = Firewall()
        self.isolate = firewall.isolate
        self.unisolate = firewall.unisolate

    def list(self, labels: Mapping[str, str]) -> Sequence[Container]:
        with speaking():
            found = self._client.api.containers(all=True, filters={"label": label_filters(labels)})
        inspected = (self.get(summary["Id"]) for summary in found)
        return [container for container in inspected if container]  # some have gone meanwhile

    def get(self, name_or_id: str) -> Container | None:
        with speaking():
            try:
                return _container(self._client.api.inspect_container(name_or_id))
            except Absent:
                return None

    def create(self, spec: ContainerSpec) -> Container:
        if spec.network and spec.network != "none":
            with speaking():  # not every engine looks before the start
                self._client.api.inspect_network(spec.network)
        deadline = time.monotonic() + RESERVED_SECONDS
        while not (container := self._created(spec) or self.get(spec.name)):
            if time.monotonic() > deadline:
                raise EngineError(f"The name {spec.name} is taken by a container that never came.")
            time.sleep(0.01)  # another caller has reserved the name, and is still at it
        return container

    def _created(self, spec: ContainerSpec) -> Container | None:
        """The new container, or None when the name is taken."""
        group = self._background.parent(spec.weight) if spec.weight else None
        with speaking():
            try:
                made = self._client.api.create_container_from_config(  # type: ignore[no-untyped-call]
                    container_config(spec, group), spec.name
                )
            except APIError as error:
                if error.status_code == CONFLICT:
                    return None
                raise
        return self.get(made["Id"])

    def start(self, container_id: str) -> None:
        with speaking():
            self._client.api.start(container_id)

    def stop(self, container_id: str, grace: int) -> None:
        with speaking(), suppress(Absent):
            self._client.api.stop(container_id, timeout=grace)

    def kill(self, container_id: str, signal: str = "SIGKILL") -> None:
        with speaking(), _unless_over():
            self._client.api.kill(container_id, signal)

    def rename(self, container_id: str, name: str) -> None:
        with speaking():
            self._client.api.rename(container_id, name)

    def pause(self, container_id: str) -> None:
        with speaking():
            self._client.api.pause(container_id)

    def remove(self, container_id: str) -> None:
        with speaking(), _unless_over():
            self._client.api.remove_container(container_id, v=True, force=True)

    def wait(self, container_id: str, timeout: float) -> int | None:
        with speaking():
            try:
                answer = self._client.api.wait(container_id, timeout=timeout)  # type: ignore[arg-type]
            except (requests.Timeout, requests.ConnectionError) as error:
                if not _timed_out(error):
                    raise
                return None
        return int(answer["StatusCode"])

    def logs(self, container_id: str, tail: int | None = None) -> Iterator[str]:
        return lines(frames(self._output(container_id, tail="all" if tail is None else tail)))

    def follow(self, container_id: str) -> DockerFeed:
        response = self._output(container_id, follow=1)
        return DockerFeed(response, lines(frames(response)))

    def changes(self, labels: Mapping[str, str]) -> DockerFeed:
        filters = {
            "type": ["container"],
            "event": ["start", "die", "destroy"],
            "label": label_filters(labels),
        }
        response = self._client.open("GET", "/events", params={"filters": json.dumps(filters)})
        return DockerFeed(response, _names(response))

    def ping(self) -> str:
        with speaking():
            return str(self._client.api.version()["Version"])

    def _output(self, container_id: str, **params: object) -> requests.Response:
        params |= {"stdout": 1, "stderr": 1}
        return self._client.open("GET", f"/containers/{container_id}/logs", params=params)


@contextmanager
def _unless_over() -> Iterator[None]:
    """Let pass that a container is absent, not running, or being removed already."""
    try:
        yield
    except APIError as error:
        if error.status_code not in (404, CONFLICT):
            raise


def _names(response: requests.Response) -> Iterator[str]:
    with response, speaking():
        for line in response.iter_lines(chunk_size=None):
            if line:
                yield json.loads(line)["Actor"]["Attributes"]["name"]
    raise EngineAway("The container engine closed its event stream.")


def _timed_out(error: requests.RequestException) -> bool:
    """A read that runs out of time comes as either class, depending on where it waited."""
    return isinstance(error, requests.Timeout) or "Read timed out" in str(error)


def _container(data: Mapping[str, Any]) -> Container:
    state = data["State"]
    over = state["Status"] not in ("created", "running", "paused")
    log_path = data.get("LogPath") or ""
    return Container(
        id=data["Id"],
        name=data["Name"].removeprefix("/"),
        image=data["Image"],
        labels=data["Config"].get("Labels") or {},
        state=_state(state["Status"]),
        exit_code=state["ExitCode"] if over else None,
        pid=state.get("Pid") or None,
        oom_killed=bool(state.get("OOMKilled")),
        restart_count=data.get("RestartCount", 0),
        started_at=seconds(state.get("StartedAt")),
        finished_at=seconds(state.get("FinishedAt")),
        address=_address(data["NetworkSettings"]["Networks"] or {}),
        log_path=Path(log_path) if log_path else None,
    )


def _state(status: str) -> State:
    known: dict[str, State] = {
        "created": "created",
        "running": "running",
        "paused": "paused",
        "restarting": "restarting",
        "exited": "exited",
    }
    return known.get(status, "dead")  # dead, or in the middle of its removal


def seconds(stamp: str | None) -> float | None:
    """The engine's RFC 3339 time stamp; the year 1 stands for never."""
    if not stamp or stamp.startswith("0001-"):
        return None
    return datetime.fromisoformat(stamp).timestamp()


def _address(endpoints: Mapping[str, Any]) -> str | None:
    """The address that it has, or, while it does not run, the one that it is to have."""
    for endpoint in endpoints.values():
        fixed = (endpoint.get("IPAMConfig") or {}).get("IPv4Address")
        if address := endpoint.get("IPAddress") or fixed:
            return str(address)
    return None
