"""Which Python an app asks for, and which it gets."""

from pathlib import Path

import pytest
from hythe_buildpack.report import Stop
from hythe_python import version
from hythe_python.bytecode import compile_with

from hythe.suite import SUITES

STACK = "3.11.2"
OTHERS = ["3.14.2", "3.13.9", "3.13.1", "3.12.8", "3.12.1", "3.11.9", "3.9.25"]


def chosen(app: Path) -> str | None:
    asked = version.asked(app)
    if asked:
        version.refuse_old(asked)
    return version.choose(asked, STACK, OTHERS)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("README", "", STACK),
        (".python-version", "3.11", STACK),
        (".python-version", "\ufeff# ours\n3.12\n", "3.12.8"),
        (".python-version", "3", STACK),
        ("runtime.txt", "python-3.11.7", STACK),
        ("runtime.txt", "python-3.12.1", "3.12.1"),
        ("runtime.txt", "python-3.12.99", None),
        (".python-version", "3.99", None),
        ("pyproject.toml", '[project]\nrequires-python = ">=3.10"', STACK),
        ("pyproject.toml", '[project]\nrequires-python = ">=3.12"', "3.12.8"),
        ("pyproject.toml", '[project]\nrequires-python = "<3.11"', None),
        ("pyproject.toml", '[tool.poetry.dependencies]\npython = "^3.13"', "3.13.9"),
        ("Pipfile", '[requires]\npython_version = "3.13"', "3.13.9"),
        ("Pipfile", '[requires]\npython_full_version = "3.12.1"', "3.12.1"),
    ],
)
def test_the_stacks_python_where_it_fits_else_the_oldest_that_does(
    tmp_path: Path, name: str, content: str, expected: str | None
) -> None:
    (tmp_path / name).write_text(content)
    assert chosen(tmp_path) == expected


def test_what_needs_no_download_is_that_of_every_stack() -> None:
    assert {each.name: each.python for each in SUITES.values()} == version.STACKS
    assert version.without_download(STACK) == (
        "3.11, 3.13 on the stack trixie (`hythe config:set BP_STACK=trixie`)"
    )


def test_the_version_file_counts_before_the_project(tmp_path: Path) -> None:
    (tmp_path / ".python-version").write_text("3.12")
    (tmp_path / "pyproject.toml").write_text('[project]\nrequires-python = ">=3.13"')
    assert chosen(tmp_path) == "3.12.8"


@pytest.mark.parametrize(
    ("name", "content", "told", "fix"),
    [
        (".python-version", b"three", "does not name a Python version: three", "such as 3.13"),
        (".python-version", "3.12".encode("utf-16"), "is UTF-16", "Save .python-version as UTF-8"),
        ("runtime.txt", b"python-2.7.18", "last security fix was in April 2020", "runtime.txt"),
        (".python-version", b"3.9", "last security fix was in October 2025", "such as 3.13"),
        (
            "runtime.text",
            b"python-3.12.1",
            "which nothing reads",
            "git mv runtime.text runtime.txt",
        ),
        (".python_version", b"3.12", "which nothing reads", ".python_version .python-version"),
        ("pyproject.toml", b"[project]\nrequires-python = 'new'", "not a version constraint", ">="),
    ],
)
def test_what_names_no_python_says_what_to_write(
    tmp_path: Path, name: str, content: bytes, told: str, fix: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Stop) as stopped:
        chosen(tmp_path)
    assert told in stopped.value.cause
    assert fix in stopped.value.fix


def test_another_pythons_bytecode_is_compiled_by_it(tmp_path: Path) -> None:
    other = tmp_path / "python"  # a program of its own, whichever version it is
    other.write_text('#!/bin/sh\nexec /usr/bin/python3 "$@"\n')
    other.chmod(0o755)
    (tmp_path / "shop.py").write_text("x = 1\n")
    compile_with(other, tmp_path)
    compiled = list((tmp_path / "__pycache__").glob("shop.*.pyc"))
    assert compiled
    assert compiled[0].read_bytes()[4:8] == (1).to_bytes(4, "little")  # hash-based, unchecked
