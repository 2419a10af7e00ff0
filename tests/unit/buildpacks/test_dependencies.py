"""Which file counts, and what changes the environment's key."""

import sys
from pathlib import Path

import pytest
from hythe_buildpack.report import Stop
from hythe_python import dependencies, version
from hythe_python.environment import explain

STACK = "3.11"


def key(app: Path) -> str:
    return dependencies.find(app, STACK).key


def cause(app: Path) -> str:
    with pytest.raises(Stop) as stopped:
        dependencies.find(app, STACK)
    assert stopped.value.fix
    return stopped.value.cause


def test_code_does_not_change_the_key(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("flask\n")
    before = key(tmp_path)
    (tmp_path / "app.py").write_text("x")
    assert key(tmp_path) == before


def test_requirements_and_what_they_include_change_the_key(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("-r base.txt\n")
    (tmp_path / "base.txt").write_text("flask\n")
    first = key(tmp_path)
    (tmp_path / "base.txt").write_text("bottle\n")
    second = key(tmp_path)
    (tmp_path / "requirements.txt").write_text("-r base.txt\nflask\n")
    assert len({first, second, key(tmp_path)}) == 3


@pytest.mark.parametrize("line", ["-e .", ".", "./lib", "--editable ./lib"])
def test_code_changes_the_key_when_it_is_installed(tmp_path: Path, line: str) -> None:
    (tmp_path / "requirements.txt").write_text(line + "\n")
    before = key(tmp_path)
    (tmp_path / "app.py").write_text("x")
    assert key(tmp_path) != before


def test_files_that_include_each_other_end(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("-r a.txt\n")
    (tmp_path / "a.txt").write_text("-r requirements.txt\n")
    assert key(tmp_path)


def test_what_is_included_must_be_in_the_source(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("-r ../../etc/passwd\n")
    assert "not in the source" in cause(tmp_path)


def test_uv_lock_wins_nothing_it_must_be_alone(tmp_path: Path) -> None:
    for name in ("requirements.txt", "uv.lock", "pyproject.toml"):
        (tmp_path / name).write_text("")
    assert "both" in cause(tmp_path)
    (tmp_path / "requirements.txt").unlink()
    assert dependencies.find(tmp_path, STACK).file == "uv.lock"


def test_a_lock_needs_its_pyproject_and_the_other_way_round(tmp_path: Path) -> None:
    (tmp_path / "uv.lock").write_text("")
    assert "no pyproject.toml" in cause(tmp_path)
    (tmp_path / "uv.lock").unlink()
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["flask"]\n')
    assert "no lock" in cause(tmp_path)


def test_other_tools_locks_say_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "poetry.lock").write_text("")
    assert "poetry.lock" in cause(tmp_path)


def test_an_app_without_dependencies_is_fine(tmp_path: Path) -> None:
    assert dependencies.find(tmp_path, STACK).file is None


@pytest.mark.parametrize("text", ["3.99", "python-2.7.18", "three"])
def test_a_python_that_is_not_there_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / ".python-version").write_text(text + "\n")
    with pytest.raises(Stop):
        version.check(tmp_path)


@pytest.mark.parametrize("text", [f"{sys.version_info.major}", f"# mine\npython-{version.STACK}.1"])
def test_a_python_that_fits_is_used(tmp_path: Path, text: str) -> None:
    (tmp_path / "runtime.txt").write_text(text)
    version.check(tmp_path)


@pytest.mark.parametrize(
    ("output", "cause"),
    [
        ("Couldn't parse requirement in `requirements.txt` at position 0", "not a requirement"),
        ("╰─▶ Because flask was not found in the package registry and", "names flask"),
        ("╰─▶ Because there is no version of flask==99 and you", "flask==99, a version that"),
        ("The lockfile at `uv.lock` needs to be updated", "does not fit pyproject.toml"),
        ("  \u00d7 No solution found when resolving dependencies:", "contradict each other"),
        ("  \u00d7 Failed to fetch: `https://example`", "could not be downloaded"),
        ("  \u00d7 Failed to build `mysqlclient==2.2.4`", "mysqlclient==2.2.4 has no"),
        ("error: The build backend returned an error", "could not be built"),
        ("something else", "exit code 2"),
    ],
)  # fmt: skip
def test_what_uv_says_becomes_a_cause_and_a_fix(output: str, cause: str) -> None:
    told, fix = explain("requirements.txt", 2, output)
    assert cause in told
    assert fix
