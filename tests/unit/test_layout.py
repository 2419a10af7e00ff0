"""The shape of the repository."""

import platform
import subprocess
import sys
from pathlib import Path

import hythe

ROOT = Path(__file__).parents[2]


def test_platform_folder_is_not_a_package() -> None:
    """platform/ is a source root. With an __init__.py it would be a package named `platform`.

    Python puts the current folder first on its path, so anybody who ran Python in the root of the
    checkout would import it instead of the standard library's `platform`, which half of the world
    (pip, uvicorn, ssl, ...) calls at import.
    """
    assert not (ROOT / "platform" / "__init__.py").exists()
    assert platform.python_version()
    assert Path(hythe.__file__).parent == ROOT / "platform" / "hythe"


def test_python_files_stay_readable_in_one_sitting() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for folder in ("platform", "buildpacks", "bin", "bench", "migrations/env.py")
        for path in ([ROOT / folder] if folder.endswith(".py") else (ROOT / folder).rglob("*.py"))
        if (lines := len(path.read_text().splitlines())) > 400
    }
    assert long == {}


def test_builds_load_no_database() -> None:
    """The nursery, whose forks they are, stays in memory for as long as the control plane."""
    script = "import sys, hythe.build.outcome, hythe.build.job; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded & {"sqlalchemy", "fastapi", "cryptography", "asyncio", "uvicorn"} == set()
