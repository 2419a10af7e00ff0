"""The engine's JSON log files: one object a line, long lines in pieces of 16 KiB.

{"log":"hello\\n","stream":"stdout","time":"2025-11-22T15:42:00.612493084Z"}
"""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from hythe.observe.line import LogLine, cut
from hythe.observe.origin import Origin
from hythe.observe.tail import Loss

PIECE = 16 * 1024
"""An entry without a newline goes on in the next one if it has at least this many bytes. A shorter
one is the last output of a process that ended without a newline."""


_read = json.JSONDecoder().raw_decode  # json.loads would look for an encoding in each line


class ContainerLog:
    """Makes log lines of the entries of one container."""

    def __init__(self, origin: Origin, state: dict[str, Any] | None = None) -> None:
        """state: of an earlier decoder that stood at the same position."""
        self.origin = origin
        self.loss = Loss()
        # by stream: the time and text of a line that is not complete; the text is None once it was
        # cut and passed on, and the rest of the line is thrown away
        self._open: dict[str, tuple[float, str | None]] = {
            stream: (time, text) for stream, (time, text) in (state or {}).items()
        }

    @property
    def state(self) -> dict[str, Any]:
        """What a later decoder needs to go on from here; JSON."""
        return {stream: list(part) for stream, part in self._open.items()}

    def decode(self, raw: Iterable[bytes]) -> dict[int, list[LogLine]]:
        """Log lines by app id."""
        lines = [line for entry in raw if (line := self._entry(entry)) is not None]
        return {self.origin.app_id: lines} if lines else {}

    def flush(self) -> dict[int, list[LogLine]]:
        """The lines that will not be completed, since the container has ended."""
        parts, self._open = self._open, {}
        lines = [
            self.origin.line(time, text, stream) for stream, (time, text) in parts.items() if text
        ]
        return {self.origin.app_id: lines} if lines else {}

    def _entry(self, raw: bytes) -> LogLine | None:
        try:
            begin = raw.rfind(b'{"log":')  # behind what a crash left torn
            entry, _ = _read((raw[begin:] if begin else raw).decode())
            text, stream, stamp = entry["log"], entry["stream"], entry["time"]
            time, begun = self._open.pop(stream, (0.0, ""))
            time = time or datetime.fromisoformat(stamp).timestamp()
            ended = text.endswith("\n")
        except (ValueError, KeyError, TypeError, AttributeError):
            self.loss.lines += 1
            return None
        whole = ended or len(text.encode(errors="replace")) < PIECE
        if begun is None:
            if not whole:
                self._open[stream] = (time, None)
            return None
        text = begun + (text[:-1].removesuffix("\r") if ended else text)
        shown = cut(text)
        if not whole:
            self._open[stream] = (time, text if shown == text else None)
        return self.origin.line(time, shown, stream) if whole or shown != text else None
