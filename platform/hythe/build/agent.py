"""The agent: the first process of a build container, which starts the programs of buildpacks.

A program that the engine starts in a container costs several requests and a new runtime process;
the agent is there already, and starts it as any process starts another. Its own end, and what is
said between the two, is in buildpacks/stack/agent.py.

The connection is made before anything of the build runs. Afterwards the agent is as little to be
trusted as the build: it may say anything, or nothing, and then the build's watch ends it.
"""

import json
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from hythe import socketpath
from hythe.build.workspace import Workspace
from hythe.errors import PlatformError

SOCKET = "agent.sock"  # in the workspace's scratch folder
START_SECONDS = 30.0  # of a new container, on a busy machine
SPARE_SECONDS = 2.0  # of one that was started some time ago; a new one takes its place
LARGEST_FRAME = 1 << 16
LONGEST_LINE = 64 * 1024  # a longer one is cut into several
KILLED = 137  # the exit code of what SIGKILL ended, as shells count


class Agent:
    """A connection to the agent of a build container; not for several threads."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._answers = connection.makefile("rb")
        self._code = KILLED

    @classmethod
    def reach(cls, workspace: Workspace, seconds: float = START_SECONDS) -> "Agent":
        """Connect, trying for so long; raises PlatformError."""
        deadline = time.monotonic() + seconds
        while True:
            connection = socket.socket(socket.AF_UNIX)
            try:
                with socketpath.address(workspace.scratch / SOCKET) as address:
                    connection.connect(address)
                return cls(connection)
            except (FileNotFoundError, ConnectionRefusedError):
                connection.close()
                if time.monotonic() > deadline:
                    raise PlatformError(
                        "The build container does not answer.",
                        "Deploy again; `docker logs` of the container may say why.",
                    ) from None
            time.sleep(0.005)

    def run(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        workdir: str,
        line: Callable[[str], None],
    ) -> int:
        """Run a program, hand over each line as it comes, return the exit code.

        That is 137 when the container ends, as of a program that was killed.
        """
        request = {"command": list(command), "env": dict(env), "workdir": workdir}
        self._code = KILLED
        try:
            self._connection.sendall(json.dumps(request).encode() + b"\n")
            for text in lines(self._pieces()):
                line(text)
        except ConnectionError:
            return KILLED
        return self._code

    def _pieces(self) -> Iterator[bytes]:
        """The output; the exit code is known at its end."""
        while len(head := self._answers.read(5)) == 5:
            size = int.from_bytes(head[1:], "big")
            data = self._answers.read(size) if size <= LARGEST_FRAME else b""
            if head[:1] == b"e" and data.isdigit() and len(data) <= 3:
                self._code = int(data)
                return
            if head[:1] != b"o" or not data:
                return
            yield data


def lines(pieces: Iterator[bytes]) -> Iterator[str]:
    """Whole lines, without newline; at the end also what has none."""
    rest = b""
    for data in pieces:
        *whole, rest = (rest + data).split(b"\n")
        yield from map(_text, whole)
        if len(rest) >= LONGEST_LINE:
            yield _text(rest)
            rest = b""
    if rest:
        yield _text(rest)


def _text(line: bytes) -> str:
    return line.removesuffix(b"\r").decode(errors="replace")
