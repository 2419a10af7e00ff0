"""launch.toml of both generations, and the file that the launcher sources."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hythe.build.launch import Launch, command_line
from hythe.build.layers import Layer
from hythe.build.profile import profile
from hythe.errors import BuildError


@pytest.mark.parametrize(
    ("process", "api", "line"),
    [
        ({"command": "run $PORT"}, (0, 8), "run $PORT"),
        ({"command": "run $X", "args": ["a b"]}, (0, 8), "run $X 'a b'"),
        ({"command": "run", "args": ["$X"], "direct": True}, (0, 8), "run '$X'"),
        ({"command": ["run", "$X"], "args": ["y"]}, (0, 9), "run '$X' y"),
        ({"command": ["bash", "-c", "run $X"]}, (0, 9), "run $X"),
        ({"command": ["run"], "working-dir": "/a b"}, (0, 9), "cd '/a b' && run"),
        ({"command": "run", "working-dir": "/a"}, (0, 7), "run"),
    ],
)
def test_processes_become_command_lines(
    process: dict[str, Any], api: tuple[int, int], line: str
) -> None:
    assert command_line(process, api) == line


@pytest.mark.parametrize(
    ("document", "api", "words"),
    [
        ({"processes": [{"type": "web", "command": ["x"], "direct": True}]}, (0, 9), "direct"),
        ({"processes": [{"type": "web", "command": "x"}]}, (0, 9), "a list since API 0.9"),
        ({"processes": [{"type": "web", "command": ["x"]}]}, (0, 8), "a string before API 0.9"),
        ({"processes": [{"type": "a b", "command": ["x"]}]}, (0, 9), "valid type"),
        ({"processes": [{"type": "web"}]}, (0, 9), "command"),
        ({"processes": "web"}, (0, 9), "not what the specification says"),
        ({"processes": [{"type": t, "command": ["x"], "default": True} for t in "ab"]}, (0, 9),
         "2 default processes"),
    ],
)  # fmt: skip
def test_what_launch_toml_must_not_say(
    document: dict[str, Any], api: tuple[int, int], words: str
) -> None:
    with pytest.raises(BuildError, match=words):
        Launch().add(document, api, "a/b")


def test_the_last_default_wins_and_redefining_it_clears_it() -> None:
    def process(kind: str, default: bool) -> dict[str, Any]:
        return {"processes": [{"type": kind, "command": ["x"], "default": default}]}

    launch = Launch()
    launch.add(process("web", True), (0, 9))
    launch.add(process("worker", True), (0, 9))
    assert launch.default == "worker"
    launch.add(process("web", False), (0, 9))
    assert launch.default == "worker"
    launch.add(process("worker", False), (0, 9))
    assert launch.default is None


def test_labels_of_the_installation_are_not_for_buildpacks() -> None:
    labels = [{"key": "io.hythe.app", "value": "7"}, {"key": "a", "value": "b"}]
    launch = Launch()
    launch.add({"labels": labels}, (0, 9))
    assert launch.labels == {"a": "b"}


def sourced(text: str, kind: str, tmp_path: Path) -> dict[str, str]:
    """The environment after bash sourced the file, as the launcher does."""
    file = tmp_path / "profile.sh"
    file.write_text(text)
    env = {"PATH": os.environ["PATH"], "HYTHE_INSTANCE": f"{kind}.1"}
    done = subprocess.run(
        ["bash", "-c", f". {file}; env -0"], env=env, capture_output=True, text=True, check=True
    )
    return dict(pair.split("=", 1) for pair in done.stdout.split("\0") if "=" in pair)


def test_exec_d_and_profile_d_run_for_all_types_and_then_for_one(tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    quoted = 'q = "it is \\"so\\" $HOME"'
    for name, text in {
        "exec.d/b": f"#!/bin/sh\necho noise; printf '%s\\n' 'ONE = \"1\"' '{quoted}' >&3",
        "exec.d/web/c": '#!/bin/sh\nprintf \'TWO = "%s2"\' "$ONE" >&3',
        "profile.d/a.sh": "export SEEN=$TWO",
        "profile.d/worker/z.sh": "export SEEN=worker",
    }.items():
        file = layer / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)
    text = profile([(str(layer), Layer("x", layer, launch=True))], Launch())
    web = sourced(text, "web", tmp_path)
    assert (web["ONE"], web["TWO"], web["SEEN"], web["q"]) == ("1", "12", "12", 'it is "so" $HOME')
    assert sourced(text, "worker", tmp_path)["SEEN"] == "worker"


def test_a_failing_exec_d_ends_the_process(tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    (layer / "exec.d").mkdir(parents=True)
    (layer / "exec.d" / "bad").write_text("#!/bin/sh\nexit 3\n")
    (layer / "exec.d" / "bad").chmod(0o755)
    text = profile([(str(layer), Layer("x", layer, launch=True))], Launch())
    with pytest.raises(subprocess.CalledProcessError):
        sourced(text, "web", tmp_path)
