"""poetry.lock and Pipfile.lock: which packages they say, and whether they fit their project."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hythe_buildpack.report import Stop
from hythe_python import dependencies, pipenv, poetry
from hythe_python.constraint import Constraint
from hythe_python.lock import Lock, Pin
from locks import PIPFILE, PIPFILE_LOCK, POETRY_1, POETRY_2, PYPROJECT
from packaging.requirements import Requirement

MAIN = ["bottle==0.13.4", "certifi==2026.10.18", "h11==0.16.0", "httpcore==1.0.9", "socksio==1.0.0"]


def write(app: Path, **files: str) -> Path:
    for name, content in files.items():
        (app / name.replace("_", ".")).write_text(content)
    return app


def installed(lock: Lock) -> list[str]:
    """What uv installs of it on Linux with Python 3.11: it evaluates the markers."""
    environment = {"python_version": "3.11", "python_full_version": "3.11.2"}
    lines = [
        Requirement(f"{pin.requirement} ; {pin.marker}" if pin.marker else pin.requirement)
        for pin in lock.pins
    ]
    return [
        f"{line.name}{line.specifier}"
        for line in lines
        if line.marker is None or line.marker.evaluate({**environment, "extra": ""})
    ]


@pytest.mark.parametrize("text", [POETRY_1, POETRY_2], ids=["poetry 1", "poetry 2"])
def test_the_main_packages_of_poetry_lock_are_pinned_with_their_hashes(
    tmp_path: Path, text: str
) -> None:
    lock = poetry.read(write(tmp_path, pyproject_toml=PYPROJECT, poetry_lock=text), "3.11.2")
    assert installed(lock) == MAIN
    assert all(len(pin.hashes) == 2 for pin in lock.pins)
    assert "--require-hashes" in lock.options


def test_an_older_poetry_lock_is_walked_for_the_chosen_python(tmp_path: Path) -> None:
    app = write(tmp_path, pyproject_toml=PYPROJECT, poetry_lock=POETRY_1)
    names = {pin.requirement for pin in poetry.read(app, "3.10.4").pins}
    assert "tomli==2.5.0" in names
    assert not names.intersection({"iniconfig==2.3.1", "itsdangerous==2.2.0", "colorama==0.4.6"})


def test_a_package_locked_twice_is_chosen_by_python(tmp_path: Path) -> None:
    twice = """
[[package]]
name = "numpy"
version = "1.24.4"
python-versions = ">=3.8"
[[package]]
name = "numpy"
version = "2.1.0"
python-versions = ">=3.10"
[metadata]
lock-version = "2.0"
"""
    project = """
[tool.poetry.dependencies]
python = "^3.8"
numpy = [{version = "^1.24", python = "<3.10"}, {version = "^2.1", python = ">=3.10"}]
"""
    app = write(tmp_path, pyproject_toml=project, poetry_lock=twice)
    assert [pin.requirement for pin in poetry.read(app, "3.9.1").pins] == ["numpy==1.24.4"]
    assert [pin.requirement for pin in poetry.read(app, "3.12.1").pins] == ["numpy==2.1.0"]


def test_packages_from_git_folders_and_other_indexes(tmp_path: Path) -> None:
    package = '[[package]]\nname = "{}"\nversion = "1"\ngroups = ["main"]\n[package.source]\n{}\n'
    text = "".join(
        package.format(name, "\n".join(f'{key} = "{value}"' for key, value in origin.items()))
        for name, origin in {
            "a": {"type": "git", "url": "https://git.example/a", "resolved_reference": "c0ffee"},
            "b": {"type": "directory", "url": "libs/b"},
            "c": {"type": "legacy", "url": "https://own.example/simple", "reference": "own"},
        }.items()
    )
    lock = poetry.read(write(tmp_path, pyproject_toml="", poetry_lock=text), "3.11.2")
    assert [pin.requirement for pin in lock.pins] == [
        "a @ git+https://git.example/a@c0ffee", f"{tmp_path}/libs/b", "c==1",
    ]  # fmt: skip
    assert "--require-hashes" not in lock.options
    assert lock.options[1:3] == ["--extra-index-url", "https://own.example/simple"]


@pytest.mark.parametrize(
    ("old", "new", "fits"),
    [('bottle = "^0.13"', 'bottle = "^0.12"', False), ('"1.0.0"', '"1.0.1"', True)],
)
def test_poetry_lock_must_fit_what_pyproject_asks_for(
    tmp_path: Path, old: str, new: str, fits: bool
) -> None:
    project = PYPROJECT.replace(old, new)
    app = write(tmp_path, pyproject_toml=project, poetry_lock=POETRY_2)
    if fits:
        assert poetry.read(app, "3.11.2").pins
        return
    with pytest.raises(Stop) as stopped:
        poetry.read(app, "3.11.2")
    assert stopped.value.cause == "poetry.lock does not fit pyproject.toml."
    assert "`poetry lock`" in stopped.value.fix


def test_the_default_packages_of_a_pipfile_lock(tmp_path: Path) -> None:
    lock = pipenv.read(write(tmp_path, Pipfile=PIPFILE, Pipfile_lock=PIPFILE_LOCK))
    assert installed(lock) == ["bottle==0.13.4"]
    assert lock.options == ["--no-deps"]  # colorama has no hash, for another system
    assert len(re.findall("--hash=sha256:", lock.requirements)) == 2


@pytest.mark.parametrize(
    ("old", "new"),
    [('Bottle = "*"', 'Bottle = ">=0.12"'), ("3.11", "3.12"), ("verify_ssl = true", "")],
)
def test_a_pipfile_lock_must_fit_its_pipfile(tmp_path: Path, old: str, new: str) -> None:
    app = write(tmp_path, Pipfile=PIPFILE.replace(old, new), Pipfile_lock=PIPFILE_LOCK)
    with pytest.raises(Stop) as stopped:
        pipenv.read(app)
    assert "`pipenv lock`" in stopped.value.fix


def test_without_a_source_the_names_of_a_pipfile_must_be_locked(tmp_path: Path) -> None:
    lock = PIPFILE_LOCK
    write(tmp_path, Pipfile='[packages]\nBottle = "*"\n', Pipfile_lock=lock)
    assert pipenv.read(tmp_path).pins
    write(tmp_path, Pipfile='[packages]\nBottle = "*"\nflask = "*"\n')
    with pytest.raises(Stop):
        pipenv.read(tmp_path)


def test_a_pipfiles_own_index_takes_its_secret_from_the_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = json.loads(PIPFILE_LOCK)
    lock["_meta"]["sources"] = [{"name": "own", "url": "https://me:$INDEX_KEY@own.example/simple"}]
    write(tmp_path, Pipfile="", Pipfile_lock=json.dumps(lock))
    with pytest.raises(Stop) as stopped:
        pipenv.read(tmp_path)
    assert "config:set --build INDEX_KEY" in stopped.value.fix
    monkeypatch.setenv("INDEX_KEY", "sesame")
    assert pipenv.read(tmp_path).indexes == ("https://me:sesame@own.example/simple",)


def test_a_package_in_the_source_makes_code_count(tmp_path: Path) -> None:
    entry = {"default": {"shop": {"path": ".", "editable": True}}}
    write(tmp_path, Pipfile="", Pipfile_lock=json.dumps(entry, indent=4))
    assert pipenv.read(tmp_path).pins == (Pin(f"-e {tmp_path}"),)
    before = dependencies.find(tmp_path, "3.11.2").key
    (tmp_path / "shop.py").write_text("x")
    assert dependencies.find(tmp_path, "3.11.2").key != before


@pytest.mark.parametrize(
    ("constraint", "allowed", "refused"),
    [
        ("^3.11", "3.13.1", "4.0"), ("^0.2.3", "0.2.9", "0.3.0"), ("^0.0.3", "0.0.3", "0.0.4"),
        ("^0", "0.9", "1.0"), ("~3.11", "3.11.9", "3.12.0"), ("~3", "3.99", "4.0"),
        ("~=3.11", "3.12", "4.0"), (">=3.9,<3.12", "3.11.9", "3.12.0"),
        (">= 3.9, < 3.12", "3.9.0", "3.8.9"), ("<3.10 || >=3.12", "3.12.1", "3.11.0"),
        ("3.11.*", "3.11.4", "3.12.4"), ("3.11.2", "3.11.2", "3.11.3"),
        ("!=3.9.1", "3.9.2", "3.9.1"),
        (">=3.9 <4", "3.9", "4.1"),
    ],
)  # fmt: skip
def test_constraints_of_poetry(constraint: str, allowed: str, refused: str) -> None:
    assert Constraint(constraint).allows(allowed)
    assert not Constraint(constraint).allows(refused)


@pytest.mark.parametrize("text", ["^", "~x", "three", ">>1", "^a.b"])
def test_a_constraint_that_is_none(text: str) -> None:
    with pytest.raises(ValueError):
        Constraint(text)


NUMBERS = st.lists(st.integers(0, 30), min_size=1, max_size=4)


@given(NUMBERS, st.sampled_from(["^", "~", ">=", "==", ""]))
def test_a_constraint_allows_the_version_it_names(numbers: list[int], operator: str) -> None:
    version = ".".join(map(str, numbers))
    assert Constraint(operator + version).allows(version)


@given(NUMBERS)
def test_a_caret_ends_before_the_next_breaking_version(numbers: list[int]) -> None:
    assert not Constraint("^" + ".".join(map(str, numbers))).allows(f"{numbers[0] + 1}.0")
