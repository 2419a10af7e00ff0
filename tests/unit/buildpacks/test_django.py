"""Django's collectstatic and the app's hooks, run as the build runs them."""

from pathlib import Path

import pytest
from hythe_buildpack.report import Stop
from hythe_python import django
from hythe_python.build import _drop_committed_environments
from hythe_python.django import collect_static, explain
from hythe_python.hooks import run_hook

UNSET = "You're using the staticfiles app without having set the STATIC_ROOT setting to a path."


def manage(app: Path, says: str, code: int) -> dict[str, str]:
    """A manage.py that says this and ends so; returns the environment to run it with."""
    (app / "manage.py").write_text(f"import sys\nprint({says!r})\nsys.exit({code})\n")
    python = app / "python"
    python.write_text('#!/bin/sh\nexec /usr/bin/python3 "$@"\n')
    python.chmod(0o755)
    return {"PATH": f"{app}:/usr/bin:/bin"}


@pytest.mark.parametrize(
    ("says", "code", "told"),
    [
        ("130 static files copied to 'x'.", 0, "130 static files copied"),
        (f"django.core.exceptions.ImproperlyConfigured: {UNSET}", 1, "STATIC_ROOT = BASE_DIR"),
        ("Unknown command: 'collectstatic'", 1, "not among the INSTALLED_APPS"),
    ],
)
def test_what_cannot_be_collected_is_no_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], says: str, code: int, told: str
) -> None:
    collect_static(tmp_path, manage(tmp_path, says, code))
    assert told in capsys.readouterr().out


def test_a_failure_stops_with_its_last_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    env = manage(tmp_path, "Traceback\nValueError: no", 1)
    with pytest.raises(Stop) as stopped:
        collect_static(tmp_path, env)
    assert stopped.value.cause == "collectstatic failed: ValueError: no"
    assert "       ValueError: no" in capsys.readouterr().out
    monkeypatch.setenv(django.SKIP, "1")
    collect_static(tmp_path, env)
    assert "DISABLE_COLLECTSTATIC is set" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("last", "cause", "fix"),
    [
        ("KeyError: 'DATABASE_URL'", "need DATABASE_URL", "config:set --build DATABASE_URL="),
        ("ModuleNotFoundError: No module named 'silk'", "no module silk", "dependencies"),
        ("ValueError: The file 'a.png' could not be found with <x>", "'a.png'", "correct the path"),
        ("ValueError: anything", "ValueError: anything", "DISABLE_COLLECTSTATIC=1"),
    ],
)
def test_causes_and_fixes(last: str, cause: str, fix: str) -> None:
    told = explain(1, f"Traceback (most recent call last):\n{last}\n")
    assert cause in told[0]
    assert fix in told[1]


def test_a_collectstatic_that_is_killed_is_about_memory() -> None:
    assert "HYTHE_BUILD_MEMORY" in explain(-9, "")[1]


@pytest.mark.parametrize(
    ("content", "mode", "told"),
    [
        ("#!/bin/sh\nexit 0", 0o644, "is not executable"),
        ("#!/bin/nothing\n", 0o755, "cannot be started"),
        ("#!/bin/sh\r\nexit 0\r\n", 0o755, "cannot be started"),
        ("#!/bin/sh\necho oh; exit 7", 0o755, "failed with exit code 7: oh"),
        ("#!/bin/sh\nkill -9 $$", 0o755, "needs more memory"),
    ],
)
def test_a_hook_that_fails_fails_the_build(
    tmp_path: Path, content: str, mode: int, told: str
) -> None:
    (tmp_path / "bin").mkdir()
    hook = tmp_path / "bin" / "pre_compile"
    hook.write_text(content, newline="")
    hook.chmod(mode)
    with pytest.raises(Stop) as stopped:
        run_hook(tmp_path, "pre_compile", {})
    assert told in stopped.value.cause
    assert stopped.value.fix


def test_a_committed_environment_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "myenv").mkdir()
    (tmp_path / "myenv" / "pyvenv.cfg").write_text("")
    (tmp_path / "env").mkdir()
    _drop_committed_environments(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["env"]
    assert "git rm -r --cached myenv" in capsys.readouterr().out
