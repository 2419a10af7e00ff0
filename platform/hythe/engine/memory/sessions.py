"""Programs run, and files put, inside containers of the memory engine."""

import io
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hythe.engine.memory.terminal import MemoryTerminal
from hythe.engine.memory.world import Box, Program, World
from hythe.engine.port import Exit
from hythe.errors import EngineError

KILLED = 137


@dataclass(frozen=True)
class MemoryStream:
    program: Program

    def __iter__(self) -> Iterator[str]:
        return iter(self.program.output)

    def exit_code(self) -> int:
        return self.program.code or 0


class BoxTerminal(MemoryTerminal):
    """Of a container's own program."""

    def __init__(self, world: World, box: Box) -> None:
        super().__init__(box.spec.tty, world.program_of(box).echo and box.spec.stdin)
        self._world = world
        self._box = box
        self.running = box.state == "running"

    def end_input(self) -> None:
        super().end_input()
        with self._world.lock:
            if self._box.state == "running" and self._echo:
                self._world.end(self._box, 0)


class MemoryProgram(MemoryTerminal):
    """Of a program that was started in a running container."""

    def __init__(self, program: Program, tty: bool) -> None:
        super().__init__(tty, program.echo)
        self._code = program.code
        self.running = True
        self.show("".join(f"{line}\n" for line in program.output).encode())
        if self._code is not None:
            self.end()

    def end_input(self) -> None:
        super().end_input()
        if self._echo:
            self._code = 0
            self.end()

    def end(self) -> None:
        self._code = KILLED if self._code is None else self._code
        super().end()

    def exit_code(self) -> int:
        assert self._code is not None
        return self._code


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

    def attach(self, container_id: str) -> MemoryTerminal:
        with self._world.call("attach"):
            box = self._world.box(container_id)
            terminal = BoxTerminal(self._world, box)
            box.terminals.append(terminal)
            return terminal

    def open(
        self,
        container_id: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        tty: bool = False,
    ) -> MemoryProgram:
        with self._world.call("open"):
            box = self._world.box(container_id)
            if box.state != "running":
                raise EngineError(f"{box.spec.name} is not running.")
            opened = MemoryProgram(self._world.program(tuple(command)), tty)
            box.terminals.append(opened)
            return opened

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
