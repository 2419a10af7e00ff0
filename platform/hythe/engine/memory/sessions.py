"""Programs run, and files put, inside containers of the memory engine."""

import io
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hythe.engine.memory.world import Program, World
from hythe.engine.port import Exit
from hythe.errors import EngineError


@dataclass(frozen=True)
class MemoryStream:
    program: Program

    def __iter__(self) -> Iterator[str]:
        return iter(self.program.output)

    def exit_code(self) -> int:
        return self.program.code or 0


class MemorySessions:
    def __init__(self, world: World) -> None:
        self._world = world

    def run(
        self,
        container_id: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        user: str = "",
        workdir: str | None = None,
    ) -> Exit:
        stream = self.stream(container_id, command)
        return Exit(stream.exit_code(), "".join(f"{line}\n" for line in stream))

    def stream(
        self,
        container_id: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        user: str = "",
        workdir: str | None = None,
    ) -> MemoryStream:
        with self._world.call("stream"):
            box = self._world.box(container_id)
            if box.state != "running":
                raise EngineError(f"{box.spec.name} is not running.")
            return MemoryStream(self._world.program(tuple(command)))

    def has(self, container_id: str, path: str) -> bool:
        with self._world.call("has"):
            box = self._world.box(container_id)
            return path == "/bin/sh" or path in self._world.files.get(box.id, {})

    def put(self, container_id: str, path: str, tar: Iterator[bytes]) -> None:
        with self._world.call("put"):
            box = self._world.box(container_id)
            files = self._world.files.setdefault(box.id, {})
            with tarfile.open(fileobj=io.BytesIO(b"".join(tar))) as archive:
                for member in archive:
                    content = archive.extractfile(member)
                    files[f"{path.rstrip('/')}/{member.name}"] = content.read() if content else b""
