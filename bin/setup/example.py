"""The first app: examples/hello, deployed as anybody would, by a git push."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from .output import Problem, say
from .place import CHECKOUT, Place

NAME = "hello"


def deployed(place: Place) -> bool:
    """Whether that was done once; somebody who destroys the app does not get it back."""
    return _marker(place).exists()


def deploy(place: Place) -> None:
    """Create the app and push it. The commit is always the same one, so a repeat is harmless."""
    say("-----> First start: deploying examples/hello with `git push`")
    hythe = str(CHECKOUT / "bin" / "hythe")
    with tempfile.TemporaryDirectory(prefix="hythe-hello-") as temporary:
        folder = Path(temporary) / NAME
        shutil.copytree(CHECKOUT / "examples" / NAME, folder)
        if _run(place, folder, hythe, "apps:info", "-a", NAME, "--json", quiet=True) != 0:
            _require(place, folder, hythe, "apps:create", NAME)
        _require(place, folder, "git", "init", "-q", "-b", "main")
        _require(place, folder, "git", "add", ".")
        _require(place, folder, "git", "commit", "-q", "-m", "Say hello")
        _require(place, folder, hythe, "git:remote", "-a", NAME, quiet=True)
        _require(place, folder, "git", "push", "--force", "hythe", "main")
    _marker(place).touch()


def _marker(place: Place) -> Path:
    return place.home / "hello-deployed"


def _require(place: Place, folder: Path, *command: str, quiet: bool = False) -> None:
    if _run(place, folder, *command, quiet=quiet) != 0:
        typed = " ".join([Path(command[0]).name, *command[1:]])
        raise Problem(
            f"The example app was not deployed: `{typed}` failed.",
            f"Hythe itself runs. Logs are in {place.logs}; bin/up tries the example again.",
        )


def _run(place: Place, folder: Path, *command: str, quiet: bool = False) -> int:
    output = subprocess.DEVNULL if quiet else None
    return subprocess.run(
        command,
        cwd=folder,
        env=_environment(place),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
    ).returncode


def _environment(place: Place) -> dict[str, str]:
    """Git with an author and a date of our own, and none of the user's configuration."""
    date = "2020-01-01T00:00:00Z"
    return {
        **place.environment(),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        **{f"GIT_{who}_NAME": "Hythe" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "hythe@localhost" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_DATE": date for who in ("AUTHOR", "COMMITTER")},
    }
