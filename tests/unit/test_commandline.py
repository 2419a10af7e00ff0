import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hythe.commandline import words
from hythe.errors import NoShell


@pytest.mark.parametrize(
    ("line", "split"),
    [
        ("/server", ["/server"]),
        ("/server --port 80", ["/server", "--port", "80"]),
        ("/s 'a $b | c' \"d > e\" f\\ g", ["/s", "a $b | c", "d > e", "f g"]),
        ("/s a\\$b", ["/s", "a$b"]),
        ("/s --set=a=b", ["/s", "--set=a=b"]),
    ],
)
def test_plain_words(line: str, split: list[str]) -> None:
    assert words(line, "web") == split


@pytest.mark.parametrize(
    "line",
    [
        "/s $PORT", '/s "$PORT"', '/s "\\$PORT"', "/s `id`", '/s "`id`"', "/s | x", "/s && x",
        "/s; x",
        "/s > x",
        "/s < x", "(/s)", "/s *.py", "/s [a]", "/s {a,b}", "~/s", "A=1 /s", "/s 'open", "", "''x|",
    ],
)  # fmt: skip
def test_what_only_a_shell_understands_is_refused(line: str) -> None:
    with pytest.raises(NoShell):
        words(line, "web")


@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), min_size=1)
)
def test_quoted_words_come_back(given_words: list[str]) -> None:
    line = shlex.join(given_words)
    if "=" not in given_words[0]:
        assert words(line, "web") == given_words
