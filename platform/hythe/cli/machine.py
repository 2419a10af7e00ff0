"""Commands for the machine on which Hythe runs: they work on HYTHE_HOME, not through the API.

Each becomes a program of its own, so that this one need not import what they need.
"""

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from hythe.cli.failure import Failure
from hythe.cli.registry import cli

SETUP = Path(__file__).parents[3] / "bin"  # of the checkout

File = Annotated[str, typer.Argument(metavar="FILE")]


def administer(*arguments: str) -> NoReturn:
    os.execv(sys.executable, [sys.executable, "-m", "hythe.admin", *arguments])


def set_up(*arguments: str) -> NoReturn:
    """Become the set-up, which knows what `bin/up` started; raises Failure without a checkout."""
    if not (SETUP / "setup" / "__main__.py").exists():
        raise Failure("This Hythe does not run from a checkout.", "Use the one that `bin/up` runs.")
    environment = {**os.environ, "PYTHONPATH": str(SETUP)}
    os.execve(sys.executable, [sys.executable, "-m", "setup", *arguments], environment)


@cli.command("backup")
def backup(file: File) -> None:
    """Save all that cannot be made again.

    Apps, config, releases, code and the key, in one file; also while Hythe runs.

    Example: hythe backup /var/backups/hythe.tar.gz
    """
    administer("backup", file)


@cli.command("restore")
def restore(file: File) -> None:
    """Make an installation from a backup.

    In an empty HYTHE_HOME; start it with `bin/up` then.

    Example: HYTHE_HOME=/srv/hythe hythe restore hythe.tar.gz
    """
    administer("restore", file)
