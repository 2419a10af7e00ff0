"""Reading the last lines, and new ones as they come."""

import threading
import time
from pathlib import Path

import pytest

from hythe.observe.line import START, LogFilter, LogLine, LogSource
from hythe.observe.reader import LogReader
from hythe.observe.store import LogStore
from hythe.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, log_bytes=1024 * 1024)


@pytest.fixture
def store(settings: Settings) -> LogStore:
    return LogStore(settings)


@pytest.fixture
def reader(settings: Settings) -> LogReader:
    return LogReader(settings)


def line(
    text: str,
    process: str = "web",
    index: int = 1,
    release: str = "v1",
    deployment: int = 1,
    source: LogSource = "app",
) -> LogLine:
    return LogLine(1.0, text, process, index, release, deployment, "stdout", source)


def texts(lines: list[LogLine]) -> list[str]:
    return [line.text for line in lines]


def test_tail_gives_the_last_lines_across_segments(store: LogStore, reader: LogReader) -> None:
    for start in range(0, 3000, 100):
        store.append(1, [line(f"{number} " + "x" * 100) for number in range(start, start + 100)])
    for n in (0, 1, 7, 900, 2500):
        found = [int(text.split()[0]) for text in texts(reader.tail(1, n))]
        assert found == list(range(3000 - n, 3000))


def test_tail_reads_lines_longer_than_a_block(store: LogStore, reader: LogReader) -> None:
    wanted = ["a" * 60_000, "b" * 65_000, "", "c" * 64_000, "end"]
    store.append(1, [line(text) for text in wanted])
    assert texts(reader.tail(1, 10)) == wanted


def test_an_app_without_a_log_has_no_lines(reader: LogReader) -> None:
    assert reader.tail(1, 10) == []
    assert reader.end(1) == START


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        (LogFilter(process="web"), ["a", "b"]),
        (LogFilter(instance="web.2"), ["b"]),
        (LogFilter(source="platform"), ["d"]),
        (LogFilter(release="v2", source="app"), ["c"]),
        (LogFilter(deployment=9), ["c"]),
        (LogFilter(text="c"), ["c"]),
        (LogFilter(text='"'), []),
        (LogFilter(since=0.5, until=1.5), ["a", "b", "c", "d"]),
        (LogFilter(until=1.0), []),
        (LogFilter(), ["a", "b", "c", "d"]),
    ],
)
def test_a_filter_shows_only_what_passes(
    store: LogStore, reader: LogReader, only: LogFilter, expected: list[str]
) -> None:
    store.append(
        1,
        [
            line("a"),
            line("b", index=2),
            line("c", process="worker", release="v2", deployment=9),
            line("d", process="worker", release="v2", source="platform"),
        ],
    )
    assert texts(reader.tail(1, 10, only)) == expected
    lines, _ = reader.read(1, START, only)
    assert texts(lines) == expected


def test_reading_goes_on_from_any_line_s_cursor(store: LogStore, reader: LogReader) -> None:
    store.append(1, [line(str(number)) for number in range(5)])
    for number, found in enumerate(reader.tail(1, 5)):
        assert found.cursor is not None
        rest, end = reader.read(1, found.cursor)
        assert texts(rest) == [str(later) for later in range(number + 1, 5)]
        assert end == reader.end(1)


def test_no_gap_and_no_repeat_between_the_last_lines_and_new_ones(
    store: LogStore, reader: LogReader
) -> None:
    """Appends go on all the while, through several segments, of which none is dropped yet."""
    total = 4000

    def write() -> None:
        for number in range(total):
            store.append(1, [line(f"{number} " + "x" * 40)])

    writer = threading.Thread(target=write)
    writer.start()
    deadline = time.monotonic() + 60
    shown: list[str] = []
    while not shown:
        cursor = reader.end(1)
        shown = texts(reader.tail(1, 50, end=cursor))
    while not shown[-1].startswith(f"{total - 1} "):
        assert time.monotonic() < deadline
        lines, cursor = reader.read(1, cursor)
        shown += texts(lines)
    writer.join()
    numbers = [int(text.split()[0]) for text in shown]
    assert numbers == list(range(numbers[0], total))


def test_a_reader_who_was_left_behind_goes_on_with_the_oldest_line_there_is(
    store: LogStore, reader: LogReader
) -> None:
    store.append(1, [line("first")])
    cursor = reader.end(1)
    store.append(1, [line(f"{number} " + "x" * 1000) for number in range(2000)])
    oldest = reader.tail(1, 5000)[0].text
    assert oldest != "0 " + "x" * 1000
    lines, _ = reader.read(1, cursor)
    assert lines[0].text == oldest


def test_reading_a_log_that_was_removed_finds_nothing(store: LogStore, reader: LogReader) -> None:
    store.append(1, [line("one")])
    lines, cursor = reader.read(1, START)
    assert texts(lines) == ["one"]
    store.remove(1)
    assert reader.read(1, cursor) == ([], cursor)


def test_a_request_is_found_by_its_id(store: LogStore, reader: LogReader) -> None:
    """In the router's line it is a field; an app may print it."""
    routed = [
        LogLine(1.0, f"at=info request_id={name}", "router", source="router", request_id=name)
        for name in ("abc-1", "abc-12")
    ]
    store.append(1, [*routed, line("handled abc-1"), line("handled abc")])
    found = reader.tail(1, 10, LogFilter(request_id="abc-1"))
    assert texts(found) == ["at=info request_id=abc-1", "handled abc-1"]
    assert found[0].request_id == "abc-1"


def test_builds_are_left_out_unless_they_are_asked_for(store: LogStore, reader: LogReader) -> None:
    store.append(1, [line("a"), line("b", process="build", index=0, source="build")])
    assert texts(reader.tail(1, 10, LogFilter(builds=False))) == ["a"]
    assert texts(reader.tail(1, 10, LogFilter(builds=False, source="build"))) == ["b"]
    assert texts(reader.tail(1, 10)) == ["a", "b"]
