"""A log line, where it stands, and which lines somebody wants to see."""

import functools
import json
from dataclasses import dataclass
from typing import Literal, NamedTuple

LogSource = Literal["app", "build", "router", "platform"]

LINE_LIMIT = 64 * 1024
"""Most bytes of a line's text; what is longer is cut."""
CUT_MARK = " [cut: longer than 64 KiB]"

MAX_INT = 2**62
TIME = b'{"time":'
COUNT = b'{"lines":'
"""How the first line of a segment begins; it is not a log line."""
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
    process: str  # "web"; "router" for the access log, "build" for what a pusher sees
    index: int = 0  # 1 for web.1; nought where instances do not count
    release: str = ""  # "v7"
    deployment: int = 0  # the deployment's id
    stream: str = ""  # "stdout", "stderr", or "" for what is not a process's output
    source: LogSource = "app"
    request_id: str = ""  # of a router's line
    cursor: Cursor | None = None  # the place after this line, once it is read from the store

    @property
    def instance(self) -> str:
        return f"{self.process}.{self.index}" if self.index else self.process

    def encode(self) -> bytes:
        """As one line of a segment: JSON, put together by hand in half the time. The time is first,
        so that a reader finds it without decoding."""
        whence = _whence(
            self.process, self.index, self.release, self.deployment, self.stream, self.source
        )
        asked = f'"request_id":{_quote(self.request_id)},' if self.request_id else ""
        return (
            f'{{"time":{round(self.time, 6)},{whence}{asked}"text":{_quote(self.text)}}}\n'
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
    request_id: str | None = None  # of a router's line, or in the text of another
    text: str | None = None  # is in the line's text
    since: float | None = None  # Unix seconds
    until: float | None = None  # Unix seconds; lines of that time do not pass
    builds: bool = True  # whether builds pass where no source is asked for

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
        fields = [f'"{k}":{_to_json(v)},'.encode() for k, v in wanted if v is not None]
        within = [_quote(part)[1:-1] for part in (self.request_id, self.text) if part]
        return fields + [part.encode(errors="replace") for part in within]

    def passes(self, line: LogLine) -> bool:
        return (
            self.process in (None, line.process)
            and self.instance in (None, line.instance)
            and self.source in (None, line.source)
            and self.release in (None, line.release)
            and self.deployment in (None, line.deployment)
            and (self.request_id is None or self._names_request(line))
            and (self.text is None or self.text in line.text)
            and (self.since is None or self.since <= line.time)
            and (self.until is None or line.time < self.until)
            and (self.builds or self.source is not None or line.source != "build")
        )

    def _names_request(self, line: LogLine) -> bool:
        if line.request_id:
            return line.request_id == self.request_id
        return str(self.request_id) in line.text

    def may_hold(self, oldest: float, newest: float) -> bool:
        """Whether lines of these times, and of those between them, may pass."""
        after = self.since is None or self.since <= newest
        return after and (self.until is None or oldest < self.until)


EVERYTHING = LogFilter()


@functools.lru_cache(maxsize=64)
def _whence(
    process: str, index: int, release: str, deployment: int, stream: str, source: str
) -> str:
    """The fields that are the same in most lines of an instance; with their commas."""
    return (
        f'"process":{_quote(process)},"index":{index},"release":{_quote(release)},'
        f'"deployment":{deployment},"stream":{_quote(stream)},"source":{_quote(source)},'
    )


def time_of(raw: bytes) -> float | None:
    """The time of an encoded line; None for what is not one."""
    if not raw.startswith(TIME):
        return None
    try:
        return float(raw[len(TIME) : raw.index(b",")])
    except ValueError:
        return None


def cut(text: str) -> str:
    """text within the limit, marked when something is missing."""
    if len(text) * 4 <= LINE_LIMIT:
        return text
    raw = text.encode(errors="replace")
    if len(raw) <= LINE_LIMIT:
        return text
    return raw[:LINE_LIMIT].decode(errors="ignore") + CUT_MARK
