"""How long a Node is kept, and what a Procfile says to a buildpack."""

import subprocess
from pathlib import Path

import pytest
from hythe_buildpack import layer
from hythe_buildpack.procfile import declared
from hythe_node import runtime
from hythe_node.build import _drop_committed_modules
from hythe_node.manager import Manager
from hythe_node.modules import explain

NPM = Manager("npm", "package-lock.json")
DETECT = Path(__file__).parents[3] / "buildpacks" / "static" / "bin" / "detect"


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [("24", False), ("22.x", False), (">=20", False), ("*", False), ("22.1.0", True)],
)
def test_a_range_of_nodes_is_looked_up_again_after_a_week(
    wanted: str, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = runtime.key_of(wanted, None)
    assert runtime.key_of(wanted, None) == before
    assert runtime.key_of(wanted, "pnpm@9") != before
    now = layer.time.time()
    monkeypatch.setattr(layer.time, "time", lambda: now + layer.WEEK)
    assert (runtime.key_of(wanted, None) == before) is kept


@pytest.mark.parametrize(("version", "told"), [
    ("18.20.4", "Node.js 18 was in April 2025"), ("12.1.0", "Node.js 12 was in old times"),
    ("24.1.0", None), ("26.0.0", None),
])  # fmt: skip
def test_a_node_without_security_fixes_is_warned_of(version: str, told: str | None) -> None:
    lines = runtime.end_of_life(version, ".nvmrc")
    assert (told is None) == (lines == ())
    if told is not None:
        assert told in lines[0]
        assert ".nvmrc, such as 24.x" in lines[1]


@pytest.mark.parametrize(
    ("text", "web"),
    [
        ("web: node .\n", True),
        ("  web : node .\n", True),
        ("worker: x\nweb:node .", True),
        ("web:\n", False),
        ("web:\nworker: x\n", False),
        ("# web: node .\n", False),
        ("website: x\n", False),
    ],
)
def test_all_buildpacks_agree_whether_a_procfile_declares_web(
    text: str, web: bool, tmp_path: Path
) -> None:
    (tmp_path / "Procfile").write_text(text)
    (tmp_path / "index.html").touch()
    assert ("web" in declared(text)) is web
    plan = str(tmp_path / "plan")
    detected = subprocess.run([str(DETECT), "platform", plan], cwd=tmp_path).returncode
    assert detected == (100 if web else 0)


CONFLICT = """\
npm error code ERESOLVE
npm error ERESOLVE unable to resolve dependency tree
npm error Found: react@17.0.2
npm error Could not resolve dependency:
npm error peer react@"^18.0.0" from some-lib@2.0.0
"""


@pytest.mark.parametrize(
    ("code", "output", "cause", "fix"),
    [
        (1, CONFLICT, 'contradict: peer react@"^18.0.0" from some-lib', "commit both files"),
        (1, "`npm ci` can only install packages when ...", "does not fit", "npm install"),
        (1, "npm error code ENOTFOUND", "could not be downloaded", "NPM_CONFIG_REGISTRY"),
        (137, "", "more memory than a build may use", "HYTHE_BUILD_MEMORY"),
        (134, "JavaScript heap out of memory", "more memory than", "HYTHE_BUILD_MEMORY"),
        (1, "something else", "npm ended with exit code 1", "lines of npm above"),
    ],
)
def test_what_npm_says_becomes_a_cause_and_a_fix(
    code: int, output: str, cause: str, fix: str
) -> None:
    told = explain(NPM, code, output)
    assert cause in told[0]
    assert fix in told[1]


def test_committed_modules_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "node_modules" / "cookie").mkdir(parents=True)
    _drop_committed_modules(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert "Add it to .gitignore" in capsys.readouterr().out
