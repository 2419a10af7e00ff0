"""hythe router, serve and db:move: programs of their own, in this process's place."""

import os
import sys
from typing import Annotated, NoReturn

import typer

from hythe.cli.registry import cli

PROGRAMS = {"router": "hythe.route", "serve": "hythe.serve"}
_REST = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def become(program: str, arguments: list[str]) -> NoReturn:
    """Replace this process by a program, with the same arguments."""
    os.execv(sys.executable, [sys.executable, "-m", PROGRAMS[program], *arguments])


@cli.command("router", context_settings=_REST)
def router(context: typer.Context) -> None:
    """Run the router alone, on a table file."""
    become("router", context.args)


@cli.command("serve", context_settings=_REST)
def serve(context: typer.Context) -> None:
    """Run the control plane, as `bin/up` does."""
    become("serve", context.args or ["run"])


@cli.command("db:move")
def move_database(
    target: Annotated[
        str,
        typer.Argument(metavar="URL", help="postgresql://USER:PASSWORD@HOST/NAME, sqlite:////FILE"),
    ],
    check: Annotated[
        bool, typer.Option("--check", help="Compare the two, and copy nothing.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Delete what the target holds first.")
    ] = False,
) -> None:
    """Copy this machine's installation to another database.

    Every row is checked. The control plane must be stopped; the old database stays as it is.
    """
    flags = ["--check"] * check + ["--replace"] * replace
    become("serve", ["move", *flags, "--", target])
