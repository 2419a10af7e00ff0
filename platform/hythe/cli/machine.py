"""Commands for the machine on which Hythe runs: they work on HYTHE_HOME, not through the API.

Each becomes a program of its own, so that this one need not import what they need.
"""

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from hythe.cli.failure import Failure
from hythe.cli.registry import JsonOption, cli

SETUP = Path(__file__).parents[3] / "bin"  # of the checkout

File = Annotated[str, typer.Argument(metavar="FILE")]
StackArgument = Annotated[str | None, typer.Argument(metavar="[STACK]", help="bookworm or trixie.")]


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


@cli.command("upgrade:check")
def check_upgrade() -> None:
    """Say what this code would do with the data.

    It changes nothing. Exit code 1: something must be done before the upgrade.
    """
    administer("upgrade:check")


def build_stack(*arguments: str) -> NoReturn:
    os.execv(sys.executable, [sys.executable, "-m", "hythe.build", *arguments])


@cli.command("stack")
def list_stack(as_json: JsonOption = False) -> None:
    """List the stacks and their base images.

    Buildpacks build on them. All installations on a machine share them; apps keep the one on which
    they were built. An app chooses with BP_STACK, or `stack` in its app.json.
    """
    build_stack("list-stack", *["--json"] * as_json)


@cli.command("stack:build")
def make_stack(stack: StackArgument = None) -> None:
    """Make a stack's base images of this version.

    Unless they are there; from a registry, else with mmdebstrap, in some minutes. Without a name
    it is the default's.

    Example: hythe stack:build trixie
    """
    build_stack("ensure-stack", *filter(None, [stack]))


@cli.command("stack:update")
def update_stack(stack: StackArgument = None) -> None:
    """Bring base images up to date with Debian.

    They are made anew when it has newer packages, and it says which those are. Without a name all
    that are there. Apps run on as they are; the next build of each is on the
    new ones.
    """
    build_stack("update-stack", *filter(None, [stack]))


DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the files, change nothing.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@cli.command("service:install")
def install_service(dry_run: DryRun = False, yes: Yes = False) -> None:
    """Let systemd keep Hythe up.

    Writes units, kernel values and log limits, and starts them at every boot.
    """
    set_up("service:install", *_flags(dry_run, yes))


@cli.command("service:uninstall")
def uninstall_service() -> None:
    """Remove what service:install wrote."""
    set_up("service:uninstall", "--yes")


@cli.command("uninstall")
def uninstall(
    confirm: Annotated[bool, typer.Option("--confirm", help="Do it; nothing undoes it.")] = False,
) -> None:
    """Remove this installation.

    Its programs, services, containers, networks, images, rules and HYTHE_HOME; others are left
    alone. The engine and the Debian packages stay.
    """
    set_up("uninstall", *["--confirm"] * confirm)


def _flags(dry_run: bool, yes: bool) -> list[str]:
    return ["--dry-run"] * dry_run + ["--yes"] * yes
