"""How long a Node is kept, and what a Procfile says to a buildpack."""

import subprocess
from pathlib import Path

import pytest
from hythe_buildpack import layer
from hythe_buildpack.procfile import declared
from hythe_node import runtime

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
