"""A series: figures over time, in a file of fixed size.

    0      header, 4096 bytes: JSON {"format": 1, "fields": [...], "tiers": [[10, 8640], ...]}, NULs
    4096   for each tier (step in seconds, slots) its slots, one after the other

A slot is a record: uint32 time, then a float32 for each field, little-endian, then zeros up to the
next power of two, so that no record lies across two sectors. What is of the time t (Unix seconds,
a multiple of the step) is in slot (t / step) % slots. A record with another time than its slot's is
of an earlier round, and counts as absent.

So there is nothing to repair after a crash, and a gap is a gap. Slots that were never written take
no space on a disk that knows sparse files. Sources: RRDtool and Whisper, which share the idea.
"""

import json
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

HEADER = 4096
FORMAT = 1


class Tier(NamedTuple):
    step: int  # seconds
    slots: int


TIERS = (Tier(10, 8640), Tier(300, 8640))  # a day, and thirty


class Point(NamedTuple):
    time: int  # Unix seconds, where its step begins
    values: tuple[float, ...]  # one for each field


class Series:
    """One file; `fields` are the names of its figures. Written by one process, read by any."""

    def __init__(self, path: Path, fields: Sequence[str]) -> None:
        self.path = path
        self.fields = tuple(fields)
        self._record = struct.Struct(f"<I{len(self.fields)}f")
        self._size = 1 << (self._record.size - 1).bit_length()
        document = {"format": FORMAT, "fields": self.fields, "tiers": TIERS}
        self._header = json.dumps(document).encode().ljust(HEADER, b"\0")

    def write(self, tier: Tier, time: float, values: Mapping[str, float]) -> None:
        """Write the record of the step that `time` lies in; fields that are missing are nought.

        A file of other fields is begun anew. Raises OSError.
        """
        slot, start = self._slot(tier, time)
        record = self._record.pack(start, *(values.get(name, 0.0) for name in self.fields))
        fd = self._open_to_write()
        try:
            os.pwrite(fd, record.ljust(self._size, b"\0"), self._offset(tier, slot))
        finally:
            os.close(fd)

    def read(self, tier: Tier, since: float, until: float) -> list[Point]:
        """What there is of the steps that begin in [since, until), oldest first."""
        first = int(since) // tier.step * tier.step
        first += tier.step if first < since else 0
        first = max(first, int(until) // tier.step * tier.step - tier.slots * tier.step)
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return []
        try:
            if os.pread(fd, HEADER, 0) != self._header:
                return []  # of another version: it is begun anew with the next figure
            return list(self._points(fd, tier, first, until))
        finally:
            os.close(fd)

    def last(self, tier: Tier, now: float) -> Point | None:
        """The newest record, if it is at most three steps old."""
        points = self.read(tier, now - 3 * tier.step, now + 1)
        return points[-1] if points else None

    def _points(self, fd: int, tier: Tier, first: int, until: float) -> Iterator[Point]:
        time = first
        while time < until:
            slot, _ = self._slot(tier, time)
            left = int(-(-(until - time) // tier.step))
            count = min(tier.slots - slot, left, 1024)
            data = os.pread(fd, count * self._size, self._offset(tier, slot))
            for place in range(0, len(data) - self._record.size + 1, self._size):
                stamp, *values = self._record.unpack_from(data, place)
                if stamp == time + place // self._size * tier.step:
                    yield Point(stamp, tuple(values))
            time += count * tier.step

    def _slot(self, tier: Tier, time: float) -> tuple[int, int]:
        number = int(time) // tier.step
        return number % tier.slots, number * tier.step

    def _offset(self, tier: Tier, slot: int) -> int:
        before = sum(each.slots for each in TIERS[: TIERS.index(tier)])
        return HEADER + (before + slot) * self._size

    def _open_to_write(self) -> int:
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return self._make()
        if os.pread(fd, HEADER, 0) == self._header:
            return fd
        os.close(fd)
        self.path.unlink()
        return self._make()

    def _make(self) -> int:
        """A new file, whole from the moment at which it has its name."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = self.path.with_name(f".{self.path.name}.new")
        fd = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
        try:
            os.pwrite(fd, self._header, 0)
            os.ftruncate(fd, HEADER + sum(tier.slots for tier in TIERS) * self._size)
            draft.replace(self.path)
        except OSError:
            os.close(fd)
            raise
        return fd
