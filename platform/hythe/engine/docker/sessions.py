"""Programs run, and files put, inside containers."""

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from hythe.engine.docker.client import Client, speaking
from hythe.engine.docker.streams import frames, lines
from hythe.engine.docker.terminal import DETACH_KEYS, DockerProgram, DockerTerminal
from hythe.engine.port import Exit
from hythe.errors import EngineError, EngineLacks

EXIT_SECONDS = 10  # from the end of the output to the exit code


class DockerStream:
    """A running program; iterate first, then ask for its exit code."""

    def __init__(self, client: Client, exec_id: str, output: Iterator[tuple[int, bytes]]) -> None:
        self._client = client
        self._id = exec_id
        self._output = output

    def __iter__(self) -> Iterator[str]:
        return lines(self._output)

    def text(self) -> str:
        return b"".join(data for _, data in self._output).decode(errors="replace")

    def exit_code(self) -> int:
        return _exit_code(self._client, self._id)


def _exit_code(client: Client, exec_id: str) -> int:
    """Of a program whose output has ended."""
    deadline = time.monotonic() + EXIT_SECONDS
    while time.monotonic() < deadline:
        with speaking():
            state = client.api.exec_inspect(exec_id)
        if not state["Running"] and state["ExitCode"] is not None:
            return int(state["ExitCode"])
        time.sleep(0.005)
    raise EngineError("The program's output ended, but not the program.")


class DockerSessions:
    def __init__(self, client: Client) -> None:
        self._client = client

    def run(
        self,
        container_id: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        user: str = "",
        workdir: str | None = None,
    ) -> Exit:
        stream = self._start(container_id, command, env, user, workdir)
        output = stream.text()
        return Exit(stream.exit_code(), output)

    def stream(
        self,
        container_id: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        user: str = "",
        workdir: str | None = None,
    ) -> DockerStream:
        return self._start(container_id, command, env, user, workdir)

    def attach(self, container_id: str) -> DockerTerminal:
        api = self._client.api
        with speaking():
            tty = bool(api.inspect_container(container_id)["Config"]["Tty"])
        wanted = {"stream": 1, "stdin": 1, "stdout": 1, "stderr": 1, "detachKeys": DETACH_KEYS}
        response = self._client.open("POST", f"/containers/{container_id}/attach", params=wanted)
        return DockerTerminal(response, tty, partial(api.resize, container_id))

    def open(
        self,
        container_id: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        tty: bool = False,
    ) -> DockerProgram:
        api = self._client.api
        with speaking():
            exec_id = api.exec_create(
                container_id,
                list(command),
                stdin=True,
                tty=tty,
                environment=dict(env or {}),
                detach_keys=DETACH_KEYS,
            )["Id"]
        response = self._client.open(
            "POST", f"/exec/{exec_id}/start", json={"Detach": False, "Tty": tty}
        )
        resize = partial(api.exec_resize, exec_id)
        return DockerProgram(response, tty, resize, partial(_exit_code, self._client, exec_id))

    def has(self, container_id: str, path: str) -> bool:
        try:
            answer = self._client.open(
                "HEAD", f"/containers/{container_id}/archive", params={"path": path}
            )
        except EngineLacks:
            return False
        answer.close()
        return True

    def put(self, container_id: str, path: str, tar: Iterator[bytes]) -> None:
        with speaking():
            self._client.bulk.put_archive(container_id, path, tar)

    def _start(
        self,
        container_id: str,
        command: Sequence[str],
        env: Mapping[str, str] | None,
        user: str,
        workdir: str | None,
    ) -> DockerStream:
        options: dict[str, Any] = {"user": user, "workdir": workdir}
        if env:
            options["environment"] = dict(env)
        with speaking():
            created = self._client.api.exec_create(container_id, list(command), **options)
        # No upgrade to a raw socket: there, what the SDK has read past the head is lost.
        response = self._client.open(
            "POST", f"/exec/{created['Id']}/start", json={"Detach": False, "Tty": False}
        )
        return DockerStream(self._client, created["Id"], frames(response))
