"""Compressed segments: gzip files that are read from any place in them.

A file is a row of gzip members (RFC 1952), each of whole lines, so `zcat` and `zgrep` read it. The
header of a member says in its extra field how long it is, how many bytes of lines it holds, and
their oldest and newest time: who looks for a place or a time leaves the others as they are.
"""

import os
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from hythe.observe.line import TIME

MEMBER_BYTES = 256 * 1024  # of lines, about
LEVEL = 5
_FIELD = struct.Struct("<II dd")  # length in the file, bytes of lines, oldest and newest time
_HEAD = struct.Struct("<BBBBIBBH 2sH")  # up to the field; RFC 1952, 2.3.1
_MAGIC, _DEFLATE, _EXTRA, _UNIX, _NAME = (0x1F, 0x8B), 8, 4, 3, b"HY"
_HEAD_BYTES = _HEAD.size + _FIELD.size
_TAIL = struct.Struct("<II")  # CRC-32 and size of the lines
_TIMES = re.compile(rb"^" + re.escape(TIME) + rb"([^,]+),", re.MULTILINE)


class Member(NamedTuple):
    place: int  # in the file
    length: int  # in the file
    start: int  # of its lines in the segment
    size: int  # of its lines
    oldest: float  # Unix seconds
    newest: float


def pack(source: Path, target: Path) -> None:
    """Compress a segment; target is there as a whole or not at all. Raises OSError."""
    draft = target.with_name(target.name + ".new")
    stat = source.stat()
    with source.open("rb") as lines, draft.open("wb") as packed:
        while part := lines.read(MEMBER_BYTES) + lines.readline():
            packed.write(_member(part))
        packed.flush()
        os.fsync(packed.fileno())
    os.utime(draft, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # when its last line was written
    draft.chmod(stat.st_mode & 0o777)
    draft.replace(target)


def members(fd: int) -> Iterator[Member]:
    """The members of an open file, as far as they are whole."""
    place = start = 0
    while len(head := os.pread(fd, _HEAD_BYTES, place)) == _HEAD_BYTES:
        if head[: len(_MAGIC)] != bytes(_MAGIC):
            return
        length, size, oldest, newest = _FIELD.unpack_from(head, _HEAD.size)
        yield Member(place, length, start, size, oldest, newest)
        place += length
        start += size


def lines_of(fd: int, member: Member) -> bytes:
    """The lines of a member. Where the disk has spoilt them they are empty ones, of that size."""
    try:
        found = zlib.decompress(os.pread(fd, member.length, member.place), wbits=31)
    except zlib.error:
        found = b""
    return found if len(found) == member.size else b"\n" * member.size


def _member(part: bytes) -> bytes:
    deflate = zlib.compressobj(LEVEL, wbits=-15)
    data = deflate.compress(part) + deflate.flush()
    length = _HEAD_BYTES + len(data) + _TAIL.size
    times = [time for found in _TIMES.findall(part) if (time := _number(found)) is not None]
    head = _HEAD.pack(*_MAGIC, _DEFLATE, _EXTRA, 0, 0, _UNIX, 4 + _FIELD.size, _NAME, _FIELD.size)
    field = _FIELD.pack(length, len(part), min(times, default=0.0), max(times, default=0.0))
    return head + field + data + _TAIL.pack(zlib.crc32(part), len(part))


def _number(text: bytes) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
