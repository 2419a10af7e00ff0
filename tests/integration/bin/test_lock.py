"""The pinned dependencies."""

import re
import tomllib
from importlib.util import cache_from_source
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from setup import environment, stamp
from setup.place import CHECKOUT

PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
RUN = PROJECT["project"]["dependencies"]
DEV = PROJECT["dependency-groups"]["dev"]


def pins(lock: str) -> dict[str, str]:
    text = (CHECKOUT / lock).read_text()
    return dict(re.findall(r"^([a-z0-9-]+)(?:\[[a-z,]+\])?==(\S+)", text, re.MULTILINE))


@pytest.mark.parametrize(
    ("lock", "wanted"), [("requirements.lock", RUN), ("requirements-dev.lock", [*RUN, *DEV])]
)
def test_lock_pins_what_pyproject_asks_for(lock: str, wanted: list[str]) -> None:
    pinned = pins(lock)
    for requirement in map(Requirement, wanted):
        version = pinned.get(requirement.name.lower())
        assert version and version in requirement.specifier, f"{requirement}: run bin/lock"


def test_both_locks_agree() -> None:
    run, dev = pins("requirements.lock"), pins("requirements-dev.lock")
    assert {name: dev.get(name) for name in run} == run


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_lock_is_hashed_and_names_no_index(lock: str) -> None:
    text = (CHECKOUT / lock).read_text()
    assert "://" not in text
    for line in re.findall(r"^[a-z].*", text, re.MULTILINE):
        assert line.endswith("\\"), f"{line} has no hash"


def test_the_code_is_compiled_ahead() -> None:
    environment.ensure(dev=True)  # it is ready: the test runs in it
    modules = list((CHECKOUT / "platform").rglob("*.py"))
    assert modules
    assert [path for path in modules if not Path(cache_from_source(str(path))).exists()] == []


def test_environment_is_stale_once_a_lock_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "STAMP", tmp_path / "hythe.json")
    assert not environment.ready()
    stamp.write(environment.STAMP, run="another digest")
    assert not environment.ready()
    stamp.write(environment.STAMP, run=environment._digest(environment.RUN_LOCK))
    assert environment.ready()
    assert not environment.ready(dev=True)
