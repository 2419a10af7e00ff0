import pytest

from hythe.errors import ProcfileError
from hythe.procfile import parse


def test_types_and_commands_in_order() -> None:
    text = "# comment\n\nweb: gunicorn app:app --bind 0.0.0.0:$PORT\nworker:  python w.py\n"
    assert list(parse(text).items()) == [
        ("web", "gunicorn app:app --bind 0.0.0.0:$PORT"),
        ("worker", "python w.py"),
    ]


def test_a_command_may_hold_colons_and_windows_line_ends() -> None:
    assert parse("web: run a:b:c\r\n") == {"web": "run a:b:c"}


@pytest.mark.parametrize(
    ("text", "line"),
    [("web run\n", 1), ("web: a\nworker:\n", 2), ("we b: a", 1), ("x" * 64 + ": a", 1)],
)
def test_a_bad_line_is_named(text: str, line: int) -> None:
    with pytest.raises(ProcfileError, match=f"line {line}"):
        parse(text)


def test_a_repeated_type_is_named() -> None:
    with pytest.raises(ProcfileError, match="line 3 declares `web` a second time"):
        parse("web: a\nworker: b\nweb: c\n")
