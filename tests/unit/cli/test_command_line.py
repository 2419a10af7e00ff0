"""The command line without an API behind it."""

import subprocess
import sys

import pytest

from hythe.cli import main as main_module
from hythe.cli.main import main
from hythe.cli.registry import cli

NAMES = sorted(command.name or "" for command in cli.registered_commands)
OWN_HELP = ("router", "serve")  # other programs, which explain themselves


@pytest.mark.parametrize("name", [name for name in NAMES if name not in OWN_HELP])
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    colon = capsys.readouterr().out
    assert main([*name.split(":"), "--help"]) == 0
    assert capsys.readouterr().out == colon
    assert colon.startswith(f"Usage: hythe {name} ")


def test_help_lists_every_command_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"  {name} " in out for name in NAMES)
    assert "..." not in out.partition("Commands:")[2]


def test_help_of_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "ps", "scale"]) == 0
    assert "Usage: hythe ps:scale" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("ap", "apps"),
        ("ps:scael", "ps:scale"),
        ("ps scael", "ps:scale"),
        ("rollbak", "rollback"),
        ("confg:set", "config:set"),
        ("release", "releases"),
    ],
)
def test_a_mistyped_command_is_corrected(
    typed: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(typed.split()) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 2
    assert f"`hythe {meant}" in error


@pytest.mark.parametrize(
    "typed", [["--what"], ["apps", "--what"], ["what"], ["config:get"], ["logs", "-n", "x"]]
)
def test_misuse_is_said_in_two_lines_and_exits_2(
    typed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(typed) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith(" !    ") for line in lines)


def test_it_imports_nothing_slow_until_it_must() -> None:
    slow = {"rich", "httpx", "pydantic", "sqlalchemy", "asyncio", "http.client", "tarfile"}
    code = f"import sys, hythe.cli.main; print(*{slow!r} & sys.modules.keys())"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    assert ran.stdout.split() == []


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "Permission denied", "app.py"), "Permission denied: app.py."),
        (EOFError(), "The input ended before the answer."),
    ],
)
def test_a_file_or_an_input_that_fails_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, said: str
) -> None:
    def failing(**_: object) -> None:
        raise error

    monkeypatch.setattr(main_module, "_only", lambda _names: failing)
    assert main_module.main(["deploy"]) == 1
    assert said in capsys.readouterr().err
