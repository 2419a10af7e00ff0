"""A log line, where it stands, and which lines somebody wants to see."""

import json
from dataclasses import dataclass
from typing import Literal, NamedTuple

LogSource = Literal["app", "router", "platform"]

LINE_LIMIT = 64 * 1024
"""Most bytes of a line's text; what is longer is cut."""
CUT_MARK = " [cut: longer than 64 KiB]"

MAX_INT = 2**62
_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_quote = json.encoder.encode_basestring


class Cursor(NamedTuple):
    """A place between two lines of one app's log. Cursors order as the lines do."""

    segment: int
    offset: int  # bytes

    def __str__(self) -> str:
        return f"{self.segment}:{self.offset}"

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """The inverse of str(); raises ValueError."""
        segment, offset = (int(part) for part in text.split(":"))
        if not (0 <= segment <= MAX_INT and 0 <= offset <= MAX_INT):
            raise ValueError(f"not a cursor: {text!r}")
        return cls(segment, offset)


START = Cursor(0, 0)
"""Before the first line that there ever was."""


@dataclass(frozen=True, slots=True)
class LogLine:
    time: float  # Unix seconds
    text: str  # without newline
    process: str  # "web"; "router" for the access log
    index: int = 0  # 1 for web.1; nought where instances do not count
    release: str = ""  # "v7"
    deployment: int = 0  # the deployment's id
    stream: str = ""  # "stdout", "stderr", or "" for what is not a process's output
    source: LogSource = "app"
    cursor: Cursor | None = None  # the place after this line, once it is read from the store

    @property
    def instance(self) -> str:
        return f"{self.process}.{self.index}" if self.index else self.process

    def encode(self) -> bytes:
        """As one line of a segment: JSON, put together by hand in half the time."""
        return (
            f'{{"time":{round(self.time, 6)},"process":{_quote(self.process)},'
            f'"index":{self.index},"release":{_quote(self.release)},'
            f'"deployment":{self.deployment},"stream":{_quote(self.stream)},'
            f'"source":{_quote(self.source)},"text":{_quote(self.text)}}}\n'
        ).encode(errors="replace")

    @classmethod
    def decode(cls, raw: bytes, cursor: Cursor) -> "LogLine | None":
        """The inverse of encode(); None for a line that a crash left torn."""
        try:
            return cls(**json.loads(raw.decode()), cursor=cursor)
        except (ValueError, TypeError):
            return None


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which lines to show; what is None lets all pass."""

    process: str | None = None  # "web"
    instance: str | None = None  # "web.1"
    source: LogSource | None = None
    release: str | None = None  # "v7"
    deployment: int | None = None

    def needles(self) -> list[bytes]:
        """What each encoded line that passes holds: a quick look before it is decoded."""
        process, _, index = (self.instance or "").partition(".")
        wanted = [
            ("process", self.process),
            ("process", process or None),
            ("index", int(index) if index.isdecimal() else None),
            ("source", self.source),
            ("release", self.release),
            ("deployment", self.deployment),
        ]
        return [f'"{k}":{_to_json(v)},'.encode() for k, v in wanted if v is not None]

    def passes(self, line: LogLine) -> bool:
        return (
            self.process in (None, line.process)
            and self.instance in (None, line.instance)
            and self.source in (None, line.source)
            and self.release in (None, line.release)
            and self.deployment in (None, line.deployment)
        )


EVERYTHING = LogFilter()


def cut(text: str) -> str:
    """text within the limit, marked when something is missing."""
    if len(text) * 4 <= LINE_LIMIT:
        return text
    raw = text.encode(errors="replace")
    if len(raw) <= LINE_LIMIT:
        return text
    return raw[:LINE_LIMIT].decode(errors="ignore") + CUT_MARK
