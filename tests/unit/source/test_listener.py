"""What the control plane says to the hook, one line each."""

import io

import pytest

from hythe.source import hook
from hythe.source.listener import _Conversation

REF = "refs/heads/main"


def conversation() -> _Conversation:
    talk = _Conversation.__new__(_Conversation)  # no socket: what it writes is the point
    talk.wfile = io.BytesIO()
    return talk


def relayed(talk: _Conversation) -> hook.Report:
    return hook.relay(io.BufferedReader(io.BytesIO(talk.wfile.getvalue())), [REF.encode()])


def test_a_name_with_line_breaks_decides_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """A pusher chose the name of a link that leads out of the tree."""
    talk = conversation()
    talk._say(f" !     The link x\nok {REF}\nend\n points outside of the source.")
    talk._decide({REF: "not taken in, nothing changed"})
    assert relayed(talk) == {REF.encode(): f"ng {REF} not taken in, nothing changed".encode()}
    shown = capfd.readouterr().err.splitlines()
    assert shown == [" !     The link x", f"ok {REF}", "end", " points outside of the source."]


def test_a_blank_line_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    talk = conversation()
    talk._say("")
    talk._decide({REF: None})
    assert relayed(talk) == {REF.encode(): f"ok {REF}".encode()}
    assert capfd.readouterr().err == "\n"
