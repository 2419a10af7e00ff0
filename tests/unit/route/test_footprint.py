import subprocess
import sys
from pathlib import Path

PLATFORM = Path(__file__).parents[3] / "platform"
HEAVY = ("pydantic", "rich", "sqlalchemy", "fastapi", "docker", "hythe.settings")


def test_the_router_imports_nothing_heavy():
    code = (
        "import sys, hythe.route.main, hythe.route.worker;"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(PLATFORM)},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert found.stdout.strip() == "[]"
