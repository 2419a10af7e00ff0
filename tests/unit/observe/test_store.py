"""The store: bounded, shared by threads, whole after a crash."""

import errno
import os
import threading
from pathlib import Path

import pytest

from hythe.observe.line import CUT_MARK, LINE_LIMIT, Cursor, LogLine, cut
from hythe.observe.reader import LogReader
from hythe.observe.store import LogStore
from hythe.settings import Settings

SMALL = 1024 * 1024


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, log_bytes=SMALL)


def line(text: str) -> LogLine:
    return LogLine(time=1.5, text=text, process="web", index=1, release="v1", stream="stdout")


def texts(settings: Settings, n: int = 1_000_000) -> list[str]:
    return [line.text for line in LogReader(settings).tail(7, n)]


def folder(settings: Settings) -> Path:
    return settings.log_dir / "apps" / "7"


def test_lines_come_back_as_they_went_in(settings: Settings) -> None:
    wanted = LogLine(
        time=1763826120.612493,
        text='naïve "quotes" \\ \t \x1b[31m red \u2028 end',
        process="web",
        index=2,
        release="v7",
        deployment=12,
        stream="stderr",
    )
    LogStore(settings).append(7, [wanted])
    (found,) = LogReader(settings).tail(7, 1)
    assert LogLine(**{**_fields(found), "cursor": None}) == wanted
    assert found.instance == "web.2"


def _fields(line: LogLine) -> dict[str, object]:
    return {name: getattr(line, name) for name in line.__slots__}


def test_an_app_s_log_stays_within_its_size_and_loses_its_oldest_lines(settings: Settings) -> None:
    store = LogStore(settings)
    for start in range(0, 20_000, 500):
        store.append(7, [line(f"{number} " + "x" * 50) for number in range(start, start + 500)])
    sizes = [path.stat().st_size for path in folder(settings).iterdir()]
    assert SMALL * 0.8 < sum(sizes) <= SMALL
    numbers = [int(text.split()[0]) for text in texts(settings)]
    assert numbers == list(range(numbers[0], 20_000))


def test_threads_and_processes_append_without_mixing(settings: Settings) -> None:
    def write(name: int) -> None:
        store = LogStore(settings)
        for number in range(100):
            store.append(7, [line(f"{name}:{number}:{part}") for part in range(3)])

    if (child := os.fork()) == 0:
        write(9)
        os._exit(0)
    threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.waitpid(child, 0)
    found = texts(settings)
    for name in (0, 1, 2, 3, 9):
        own = [text for text in found if text.startswith(f"{name}:")]
        assert own == [f"{name}:{number}:{part}" for number in range(100) for part in range(3)]


@pytest.mark.parametrize("left", [30, -1])
def test_a_line_that_a_crash_left_torn_is_skipped(settings: Settings, left: int) -> None:
    store = LogStore(settings)
    store.append(7, [line("one")])
    (segment,) = folder(settings).iterdir()
    with segment.open("ab") as file:
        file.write(line("two").encode()[:left])
    assert texts(settings) == ["one"]
    end = store.end(7)
    store.append(7, [line("three")])
    assert texts(settings) == ["one", "three"]
    lines, _ = LogReader(settings).read(7, end)
    assert [line.text for line in lines] == ["three"]


def test_a_full_disk_leaves_nothing_half_done(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LogStore(settings)
    store.append(7, [line("one")])
    write = os.write

    def full(fd: int, data: bytes) -> int:
        if len(data) > 40:
            return write(fd, bytes(data)[:40])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        store.append(7, [line("two"), line("three")])
    store.say(7, "web.1", "v1", "must not stop the reconcile loop")
    monkeypatch.undo()
    assert texts(settings) == ["one"]
    store.append(7, [line("two")])
    assert texts(settings) == ["one", "two"]


def test_a_platform_line_names_its_instance(settings: Settings) -> None:
    LogStore(settings).say(7, "web.2", "v3", "State changed from starting to up")
    (found,) = LogReader(settings).tail(7, 1)
    assert (found.source, found.instance, found.release) == ("platform", "web.2", "v3")
    assert found.text == "State changed from starting to up"


def test_a_removed_log_is_gone_and_can_begin_again(settings: Settings) -> None:
    store = LogStore(settings)
    store.append(7, [line("one")])
    assert store.apps() == {7}
    store.remove(7)
    store.remove(7)
    assert store.apps() == set()
    assert texts(settings) == []
    store.append(7, [line("two")])
    assert texts(settings) == ["two"]


@pytest.mark.parametrize("text", ["x" * LINE_LIMIT, "é" * (LINE_LIMIT // 2), "short", ""])
def test_text_within_the_limit_is_not_cut(text: str) -> None:
    assert cut(text) == text


def test_text_over_the_limit_is_cut_between_characters() -> None:
    assert cut("x" + "é" * LINE_LIMIT) == "x" + "é" * (LINE_LIMIT // 2 - 1) + CUT_MARK


def test_a_cursor_is_read_back_from_its_text() -> None:
    assert Cursor.parse(str(Cursor(7, 1234))) == Cursor(7, 1234)
    for bad in ("", "7", "a:b", "-1:0", "1:2:3", f"1:{2**70}"):
        with pytest.raises(ValueError):
            Cursor.parse(bad)
