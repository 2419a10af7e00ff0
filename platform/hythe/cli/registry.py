"""Where commands register themselves, and the options that they share."""

import os
from typing import Annotated

import typer

from hythe.cli import git
from hythe.cli.failure import Misuse

cli = typer.Typer(
    name="hythe",
    help="Deploy apps with `git push`, and look after them. Colon and space both work.",
    no_args_is_help=True,
    rich_markup_mode=None,  # Rich takes longer to import than all the rest
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)

AppOption = Annotated[
    str | None,
    typer.Option(
        "--app",
        "-a",
        metavar="NAME",
        help="The app; else that of the git remote `hythe`, else HYTHE_APP.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
LimitOption = Annotated[int, typer.Option("--num", "-n", min=1, max=1000, help="How many.")]


def chosen(app: str | None) -> str:
    """The app that a command is about; raises Misuse when nothing names one."""
    name = app or git.app_of_remote() or os.environ.get("HYTHE_APP")
    if not name:
        raise Misuse(
            "No app was named.",
            "Add -a NAME, or run this in a folder with a git remote"
            " named hythe (`hythe git:remote -a NAME`).",
        )
    return name


def version_of(text: str) -> int:
    """`v12` or `12` as a number; raises Misuse."""
    digits = text.removeprefix("v")
    if not digits.isascii() or not digits.isdigit() or not 0 < int(digits) < 2**31:
        raise Misuse(f"'{text}' is not a release.", "Write it as v12; `hythe releases` lists them.")
    return int(digits)
