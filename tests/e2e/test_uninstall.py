"""An installation that is removed leaves nothing of its own, and another one is not touched."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.installation import Installation, Project

pytestmark = [pytest.mark.docker, pytest.mark.e2e]

PROGRAMS = ("control-plane", "router", "supervisor")


def test_uninstall_leaves_nothing_and_spares_the_neighbour(
    make_project: Callable[[str], Project], tmp_path: Path
) -> None:
    neighbour = make_project("wsgi-bare")
    neighbour.push()
    mine = Installation(tmp_path / "mine")
    mine.up("--no-example")
    try:
        mine.project("shop", "wsgi-bare", tmp_path / "shop").push()
        name, pids = mine.id, [mine.pid(program) for program in PROGRAMS]
        assert traces(name)

        said = mine.hythe("uninstall", fails=True)
        assert "--confirm" in said and "back up first" in said.lower(), said
        assert mine.get("shop").status == 200

        said = mine.hythe("uninstall", "--confirm")
    finally:
        mine.remove()
    for what in ("Debian packages", "hythe-stack", "net.ipv4.tcp_migrate_req"):
        assert what in said[said.index("What stays") :], said
    assert traces(name) == []
    assert not mine.home.exists()
    assert not any(os.path.exists(f"/proc/{pid}/fd/0") for pid in pids)  # noqa: PTH110
    assert neighbour.get("/x").text == "Hello from /x\n"
    assert "There is no installation" in mine.hythe("uninstall", "--confirm", fails=True)


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
