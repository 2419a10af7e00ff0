"""From the engine's entries to log lines."""

import json

import pytest

from hythe import names as n
from hythe.observe.container_log import PIECE, ContainerLog
from hythe.observe.line import CUT_MARK, LINE_LIMIT, LogLine
from hythe.observe.origin import Origin

STAMP = "2025-11-22T15:42:00.612493084Z"
ORIGIN = Origin(app_id=3, process="web", index=2, release="v7", deployment=12)


def entry(text: str, stream: str = "stdout", time: str = STAMP) -> bytes:
    return json.dumps({"log": text, "stream": stream, "time": time}).encode()


def decode(log: ContainerLog, *entries: bytes) -> list[LogLine]:
    return log.decode(entries).get(3, [])


def test_an_entry_becomes_a_line() -> None:
    (line,) = decode(ContainerLog(ORIGIN), entry("hello\n", "stderr"))
    assert (line.text, line.stream, line.source) == ("hello", "stderr", "app")
    assert (line.instance, line.release, line.deployment) == ("web.2", "v7", 12)
    assert line.time == pytest.approx(1763826120.612493)


def test_pieces_of_a_long_line_are_joined_stream_by_stream() -> None:
    log = ContainerLog(ORIGIN)
    lines = decode(
        log, entry("a" * PIECE), entry("warning\n", "stderr"), entry("b" * PIECE), entry("end\r\n")
    )
    assert [line.text for line in lines] == ["warning", "a" * PIECE + "b" * PIECE + "end"]
    assert log.state == {}


def test_output_without_a_newline_at_a_process_s_end_is_a_line() -> None:
    lines = decode(ContainerLog(ORIGIN), entry("no newline"), entry("after restart\n"))
    assert [line.text for line in lines] == ["no newline", "after restart"]


def test_a_line_over_the_limit_is_cut_and_marked() -> None:
    log = ContainerLog(ORIGIN)
    lines = decode(log, *[entry("x" * PIECE) for _ in range(9)], entry("end\n"), entry("next\n"))
    assert [line.text for line in lines] == ["x" * LINE_LIMIT + CUT_MARK, "next"]


def test_a_later_decoder_goes_on_within_a_line() -> None:
    first = ContainerLog(ORIGIN)
    assert decode(first, entry("a" * PIECE)) == []
    second = ContainerLog(ORIGIN, json.loads(json.dumps(first.state)))
    (line,) = decode(second, entry("end\n"))
    assert line.text == "a" * PIECE + "end"


def test_a_piece_without_an_end_is_given_out_when_the_container_has_ended() -> None:
    log = ContainerLog(ORIGIN)
    decode(log, entry("a" * PIECE))
    assert [line.text for line in log.flush()[3]] == ["a" * PIECE]
    assert log.flush() == {}


def test_entries_that_cannot_be_read_are_counted() -> None:
    log = ContainerLog(ORIGIN)
    bad = [b"not json", b"\0\0\0", b"{}", b"[]", b'{"log":1,"stream":"stdout","time":"x"}']
    assert decode(log, *bad) == []
    assert log.loss.lines == len(bad)


def test_an_entry_behind_a_torn_one_is_read() -> None:
    (line,) = decode(ContainerLog(ORIGIN), entry("torn\n")[:20] + entry("whole\n"))
    assert line.text == "whole"


def test_only_containers_of_apps_have_an_origin() -> None:
    labels = {n.LABEL_KIND: "instance", n.LABEL_APP: "3", n.LABEL_PROCESS: "web"}
    assert Origin.of(labels) == Origin(3, "web", 1, "", 0)
    more = {**labels, n.LABEL_INDEX: "2", n.LABEL_RELEASE: "7", n.LABEL_DEPLOYMENT: "12"}
    assert Origin.of(more) == ORIGIN
    assert Origin.of({**labels, n.LABEL_KIND: "build"}) is None
    assert Origin.of({}) is None
