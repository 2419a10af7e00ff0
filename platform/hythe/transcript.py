"""A deployment's transcript: the lines that a pusher sees, as an append-only file.

All stages append to it; pushers, the command line and the dashboard follow it. Lines are written
with one O_APPEND write each, so several processes may write without mixing.
"""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from hythe.settings import Settings

POLL_SECONDS = 0.02
LARGEST = 16 * 1024**2  # bytes; whoever prints in a loop must not fill the disk
ROOM = 1024**2  # bytes more, for Hythe's own steps, warnings and the end


class Transcript:
    """The output of one deployment, in Heroku's layout."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, settings: Settings, deployment_id: int) -> "Transcript":
        return cls(settings.log_dir / "deployments" / f"{deployment_id}.log")

    def step(self, text: str) -> None:
        """A step: `-----> Python app detected`."""
        self._append(f"-----> {text}", LARGEST + ROOM)

    def detail(self, text: str) -> None:
        """Details of a step, indented by seven spaces."""
        self.raw("\n".join(f"       {line}" for line in text.splitlines() or [""]))

    def warn(self, text: str) -> None:
        self._append("\n".join(f" !     {line}" for line in text.splitlines()), LARGEST + ROOM)

    def done(self, text: str) -> None:
        self._append(f"=====> {text}", LARGEST + ROOM)

    def raw(self, text: str) -> None:
        """Append text and a newline; nothing once the transcript is full."""
        self._append(text, LARGEST)

    def _append(self, text: str, limit: int) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        try:
            size = os.fstat(fd).st_size
            if size <= limit:
                os.write(fd, text.encode(errors="replace") + b"\n")
                if size <= LARGEST < os.fstat(fd).st_size:
                    os.write(fd, b" !     The output is too long; the rest is left out.\n")
        finally:
            os.close(fd)

    @property
    def size(self) -> int:
        """Bytes, of a line that is not complete too; for who asks often, as it takes no time."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def read(self, offset: int = 0) -> tuple[str, int]:
        """The complete lines from a byte offset on, and the offset after them."""
        data = self._complete(offset)
        return data.decode(errors="replace"), offset + len(data)

    def lines(self, offset: int = 0) -> list[tuple[str, int]]:
        """The complete lines from a byte offset on, each with the offset after it.

        A line may hold carriage returns, as progress bars write them. A build prints what it likes,
        so one that was read from the middle of a character still has its place in bytes.
        """
        found = []
        for raw in self._complete(offset).split(b"\n")[:-1]:
            offset += len(raw) + 1
            found.append((raw.decode(errors="replace"), offset))
        return found

    def follow(self, finished: Callable[[], bool], offset: int = 0) -> Iterator[str]:
        """Yield lines, without newline, as they come, until finished() and all is read.

        finished is asked up to twenty times a second; writers write before they finish.
        """
        asked = 0.0
        over = False
        while True:
            text, offset = self.read(offset)
            yield from text.splitlines()
            if over:
                return
            if not text:
                time.sleep(POLL_SECONDS)
            if time.monotonic() - asked > 0.05:
                asked = time.monotonic()
                over = finished()

    def _complete(self, offset: int) -> bytes:
        """The bytes from offset on, up to the last newline."""
        try:
            with self.path.open("rb") as file:
                file.seek(offset)
                data = file.read()
        except FileNotFoundError:
            return b""
        return data[: data.rfind(b"\n") + 1]
