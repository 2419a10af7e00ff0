"""Segments: compressed without a reader noticing, dropped by size and age, counted."""

import gzip
import os
import subprocess
import time
from pathlib import Path

import pytest

from hythe.observe import packed
from hythe.observe.line import START, Cursor, LogFilter, LogLine
from hythe.observe.reader import LogReader
from hythe.observe.segments import Segments
from hythe.observe.store import DAY, LogStore
from hythe.settings import Settings

APP = 7
SMALL = 1024 * 1024


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, log_bytes=SMALL, log_days=8)


@pytest.fixture
def store(settings: Settings) -> LogStore:
    return LogStore(settings)


@pytest.fixture
def reader(settings: Settings) -> LogReader:
    return LogReader(settings)


@pytest.fixture(autouse=True)
def small_members(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "MEMBER_BYTES", 16 * 1024)


def fill(store: LogStore, first: int, last: int, text: str = "x" * 100) -> None:
    for start in range(first, last, 100):
        numbers = range(start, min(start + 100, last))
        store.append(
            APP, [LogLine(float(number), f"{number} {text}", "web", 1) for number in numbers]
        )


def numbers(lines: list[LogLine]) -> list[int]:
    return [int(line.text.split()[0]) for line in lines]


def pack(segments: Segments) -> None:
    while segments.pack_one():
        pass


def test_reading_is_the_same_before_and_after_compression(
    store: LogStore, reader: LogReader
) -> None:
    fill(store, 0, 3000)
    cursors = [line.cursor for line in reader.tail(APP, 3000)]
    segments = store.segments(APP)
    before = sum(path.stat().st_size for path in segments.folder.iterdir())
    pack(segments)
    assert {path.suffix for path in segments.folder.iterdir()} == {".gz", ".log"}
    assert sum(path.stat().st_size for path in segments.folder.iterdir()) < before / 3
    assert numbers(reader.tail(APP, 5000)) == list(range(3000))
    assert [line.cursor for line in reader.tail(APP, 3000)] == cursors
    for number in (0, 1, 999, 1000, 2500, 2998):
        cursor = cursors[number]
        assert cursor is not None
        lines, _ = reader.read(APP, cursor)
        assert numbers(lines)[:1] == [number + 1]
        assert numbers(reader.tail(APP, 3, end=cursor))[-1:] == [number]


def test_a_follower_goes_on_while_segments_are_compressed(
    store: LogStore, reader: LogReader
) -> None:
    following = reader.follow(APP, START)
    found: list[int] = []
    for start in range(0, 4000, 500):
        fill(store, start, start + 500)
        found += numbers(following.read())
        store.segments(APP).pack_one()
    while lines := following.read():
        found += numbers(lines)
    assert found == list(range(4000))
    assert not following.missed


def test_compressed_segments_are_read_by_usual_programs(store: LogStore) -> None:
    fill(store, 0, 2000, 'é "quoted"')
    segments = store.segments(APP)
    plain = segments.path(1).read_bytes()
    pack(segments)
    path = segments.folder / "00000001.log.gz"
    assert gzip.decompress(path.read_bytes()) == plain
    shown = subprocess.run(["zcat", path], capture_output=True, check=True)
    assert shown.stdout == plain


def test_a_segment_that_a_crash_left_twice_is_counted_once(
    store: LogStore, reader: LogReader
) -> None:
    fill(store, 0, 2000)
    segments = store.segments(APP)
    packed.pack(segments.path(1), segments.folder / "00000001.log.gz")
    (segments.folder / "00000002.log.gz.new").write_bytes(b"half")
    assert numbers(reader.tail(APP, 5000)) == list(range(2000))
    pack(segments)
    assert not segments.path(1).exists()
    assert numbers(reader.tail(APP, 5000)) == list(range(2000))


def test_what_the_disk_has_spoilt_costs_no_other_line(store: LogStore, reader: LogReader) -> None:
    fill(store, 0, 2000)
    segments = store.segments(APP)
    pack(segments)
    path = segments.folder / "00000001.log.gz"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    found = numbers(reader.tail(APP, 5000))
    assert 1800 < len(found) < 2000
    assert found[0] == 0
    assert found[-1] == 1999
    following = reader.follow(APP, START)
    read: list[int] = []
    while lines := following.read():
        read += numbers(lines)
    assert read == found


def test_compression_makes_room_for_more_lines(store: LogStore, reader: LogReader) -> None:
    for start in range(0, 30_000, 500):
        fill(store, start, start + 500)
        pack(store.segments(APP))
    assert numbers(reader.tail(APP, 40_000)) == list(range(30_000))
    sizes = [path.stat().st_size for path in store.segments(APP).folder.iterdir()]
    assert sum(sizes) <= SMALL


def test_a_follower_is_told_exactly_how_many_lines_it_missed(
    store: LogStore, reader: LogReader
) -> None:
    fill(store, 0, 10)
    following = reader.follow(APP, START)
    assert numbers(following.read()) == list(range(10))
    fill(store, 10, 30_000)
    first, *_ = numbers(following.read())
    assert first > 10
    assert (following.missed.lines, following.missed.gaps) == (first - 10, 0)


def test_who_comes_back_too_late_is_told_that_lines_are_missing(
    store: LogStore, reader: LogReader
) -> None:
    fill(store, 0, 10)
    cursor = reader.end(APP)
    fill(store, 10, 30_000)
    following = reader.follow(APP, cursor)
    following.read()
    assert (following.missed.lines, following.missed.gaps) == (0, 1)


def test_segments_of_an_earlier_version_are_read_and_followed(
    store: LogStore, reader: LogReader
) -> None:
    folder = store.segments(APP).folder
    folder.mkdir(parents=True)
    old = [LogLine(float(number), f"{number} old", "web", 1).encode() for number in range(5)]
    (folder / "00000003.log").write_bytes(b"".join(old))
    following = reader.follow(APP, Cursor(3, 0))
    fill(store, 5, 3000)
    found: list[int] = []
    while lines := following.read():
        found += numbers(lines)
    assert found == list(range(3000))
    assert not following.missed


def test_lines_that_are_too_old_go_and_cursors_stay_true(
    store: LogStore, reader: LogReader
) -> None:
    segments = store.segments(APP)
    now = time.time()
    store.append(APP, [LogLine(now - 9 * DAY, "1 old", "web", 1)])
    os.utime(segments.path(1), (now - 9 * DAY, now - 9 * DAY))
    end = reader.end(APP)
    store.age(APP, now)  # the newest is closed first, so that numbers go on
    store.age(APP, now)
    assert reader.tail(APP, 10) == []
    store.append(APP, [LogLine(now, "2 new", "web", 1)])
    assert numbers(reader.read(APP, end)[0]) == [2]


def test_a_quiet_app_begins_a_segment_after_an_eighth_of_the_age(
    store: LogStore, reader: LogReader
) -> None:
    now = time.time()
    store.append(APP, [LogLine(now - 1.5 * DAY, "1", "web", 1)])
    store.age(APP, now)
    store.append(APP, [LogLine(now, "2", "web", 1)])
    store.age(APP, now)
    assert store.segments(APP).numbers() == [1, 2]
    assert numbers(reader.tail(APP, 10)) == [1, 2]


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    ("only", "expected"),
    [
        (LogFilter(since=2500), range(2500, 3000)),
        (LogFilter(until=300), range(300)),
        (LogFilter(since=1200, until=1300), range(1200, 1300)),
        (LogFilter(text="77 x", since=1000, until=2000), range(1077, 2000, 100)),
    ],
)
def test_times_and_texts_choose_lines(
    store: LogStore, reader: LogReader, only: LogFilter, expected: range, compressed: bool
) -> None:
    fill(store, 0, 3000)
    if compressed:
        pack(store.segments(APP))
    assert numbers(reader.tail(APP, 5000, only)) == list(expected)
    assert numbers(reader.tail(APP, 7, only)) == list(expected)[-7:]


def test_a_look_at_a_time_leaves_other_members_compressed(
    store: LogStore, reader: LogReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, 0, 3000)
    pack(store.segments(APP))
    opened: list[int] = []
    decompress = packed.zlib.decompress

    def counted(data: bytes, wbits: int) -> bytes:
        opened.append(len(data))
        return decompress(data, wbits=wbits)

    monkeypatch.setattr(packed.zlib, "decompress", counted)
    assert len(reader.tail(APP, 10, LogFilter(since=500, until=510))) == 10
    assert len(opened) <= 2
