"""Which file counts, and what changes the environment's key."""

from pathlib import Path

import pytest
from hythe_buildpack.report import Stop
from hythe_python import dependencies
from hythe_python.explain import explain

PYTHON = "3.11.2"


def key(app: Path) -> str:
    return dependencies.find(app, PYTHON).key


def cause(app: Path) -> str:
    with pytest.raises(Stop) as stopped:
        dependencies.find(app, PYTHON)
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
    assert dependencies.find(tmp_path, PYTHON).file == "uv.lock"


def test_a_lock_needs_its_pyproject_and_the_other_way_round(tmp_path: Path) -> None:
    (tmp_path / "uv.lock").write_text("")
    assert "no pyproject.toml" in cause(tmp_path)
    (tmp_path / "uv.lock").unlink()
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["flask"]\n')
    assert "no lock" in cause(tmp_path)


@pytest.mark.parametrize(
    ("files", "told", "fix"),
    [
        ({"uv.lock": "", "poetry.lock": ""}, "both uv.lock and poetry.lock", "Keep uv.lock"),
        (
            {"requirements.txt": "", "poetry.lock": "", "pyproject.toml": "[tool.poetry]"},
            "both poetry.lock and requirements.txt",
            "Keep poetry.lock and delete requirements.txt",
        ),
        (
            dict.fromkeys(["uv.lock", "poetry.lock", "requirements.txt"], "")
            | {"pyproject.toml": "[tool.poetry]"},
            "uv.lock and poetry.lock and requirements.txt",
            "Keep poetry.lock and delete uv.lock and requirements.txt",
        ),
        ({"poetry.lock": ""}, "but no pyproject.toml", "Commit"),
        ({"Pipfile.lock": "{}"}, "but no Pipfile", "Commit"),
        ({"Pipfile": '[packages]\nflask = "*"'}, "a Pipfile, but no lock", "pipenv lock"),
        (
            {"pyproject.toml": '[tool.poetry.dependencies]\npython = "*"\nflask = "*"'},
            "no lock",
            "poetry lock",
        ),
        ({"requirement.txt": "flask"}, "nothing reads", "git mv requirement.txt requirements.txt"),
        ({"Poetry.lock": ""}, "nothing reads", "git mv Poetry.lock poetry.lock"),
    ],
)  # fmt: skip
def test_a_declaration_that_cannot_decide_says_what_to_do(
    tmp_path: Path, files: dict[str, str], told: str, fix: str
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(Stop) as stopped:
        dependencies.find(tmp_path, PYTHON)
    assert told in stopped.value.cause
    assert fix in stopped.value.fix


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "cp1252"])
def test_another_encoding_is_named(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "requirements.txt").write_bytes("# é\nflask\n".encode(encoding))
    assert "not UTF-8" in cause(tmp_path)


def test_a_merge_conflict_in_a_lock_is_named(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("<<<<<<< HEAD\n[project]\n")
    (tmp_path / "uv.lock").write_text("")
    assert "merge conflict" in cause(tmp_path)


def test_an_app_without_dependencies_is_fine(tmp_path: Path) -> None:
    assert dependencies.find(tmp_path, PYTHON).file is None


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
        ("cause: Hash mismatch for `flask==3`", "flask==3 does not have the hash"),
        ("cc1plus: Killed signal terminated program cc1plus", "needs more memory"),
        ("something else", "exit code 2"),
    ],
)  # fmt: skip
def test_what_uv_says_becomes_a_cause_and_a_fix(output: str, cause: str) -> None:
    told, fix = explain("requirements.txt", 2, output)
    assert cause in told
    assert fix


def test_the_fix_for_a_lock_is_in_its_projects_file() -> None:
    output = "Because flask was not found in the package registry"
    assert explain("poetry.lock", 1, output)[1] == (
        "Correct the name in pyproject.toml, or remove it, and run `poetry lock`."
    )
