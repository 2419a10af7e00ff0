"""Two installations on one machine do not disturb each other, and one of them leaves no trace."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.installation import Installation, Project

pytestmark = [pytest.mark.docker, pytest.mark.e2e]

PROGRAMS = ("control-plane", "router", "collector", "supervisor")


@pytest.fixture
def other(installation: Installation, tmp_path: Path) -> Iterator[Installation]:
    other = Installation(tmp_path / "other")
    try:
        other.up("--no-example")
        yield other
    finally:
        other.remove()


def test_the_same_name_in_two_and_uninstall_leaves_nothing_of_the_one(
    other: Installation, make_project: Callable[[str], Project], tmp_path: Path
) -> None:
    mine = make_project("wsgi-bare")
    mine.push()
    theirs = other.project(mine.app, "hello", tmp_path / "theirs")
    theirs.push()
    assert mine.get("/x").text == "Hello from /x\n"
    assert "Hello from Hythe" in theirs.get().text

    name, pids = other.id, [other.pid(program) for program in PROGRAMS]
    assert traces(name)
    said = other.hythe("uninstall", fails=True)
    assert "--confirm" in said and "back up first" in said.lower(), said
    assert theirs.get().status == 200

    said = other.hythe("uninstall", "--confirm")

    for what in ("Debian packages", "hythe-stack", "net.ipv4.tcp_migrate_req"):
        assert what in said[said.index("What stays") :], said
    assert traces(name) == []
    assert not other.home.exists()
    assert not any(os.path.exists(f"/proc/{pid}/fd/0") for pid in pids)  # noqa: PTH110
    assert mine.get("/x").text == "Hello from /x\n"
    assert "There is no installation" in other.hythe("uninstall", "--confirm", fails=True)


def traces(name: str) -> list[str]:
    """Everything on this machine's engine and firewall that carries an installation's id."""
    asked = {
        "containers": ["ps", "-a", "--format", "{{.Names}} {{.Labels}}"],
        "networks": ["network", "ls", "--format", "{{.Name}} {{.Labels}}"],
        "volumes": ["volume", "ls", "--format", "{{.Name}} {{.Labels}}"],
        "images": ["images", "-a", "--format", "{{.Repository}}"],
    }
    found = [
        f"{what}: {line}"
        for what, words in asked.items()
        for line in output("docker", *words).splitlines()
        if name in line
    ]
    rules = [line for line in output("iptables-save").splitlines() if f"hy{name}" in line]
    links = [line for line in output("ip", "-o", "link").splitlines() if f"hy{name}" in line]
    return [*found, *rules, *links]


def output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
