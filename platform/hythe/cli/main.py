"""The entry point of `hythe`."""

import copy
import sys
from collections.abc import Sequence

import click
import typer

from hythe.cli import (  # noqa: F401 - importing registers the commands
    account,
    apply,
    apps,
    autoscale,
    buildpacks,
    builds,
    certs,
    config,
    deploy,
    disk,
    domains,
    drains,
    events,
    logs,
    machine,
    metrics,
    programs,
    ps,
    ps_settings,
    registries,
    releases,
    routing,
    run,
    setup,
    sleep,
    tokens,
)
from hythe.cli.failure import Failure
from hythe.cli.registry import cli

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit code: 0, 1 failed, 2 misused, 3 out of reach."""
    typed = list(sys.argv[1:] if arguments is None else arguments)
    try:
        arguments = _joined(typed)
        code = _only(arguments[:1])(args=arguments, prog_name="hythe", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except Failure as failure:
        return _complain(failure.cause, failure.fix, failure.exit_code)
    except click.ClickException as misuse:
        cause = misuse.format_message().partition(" Did you mean")[0]  # our hint knows more
        return _complain(cause, _hint(typed), misuse.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        sys.stderr.close()
        return 0
    except EOFError:
        return _complain("The input ended before the answer.", _hint(typed), Failure.exit_code)
    except OSError as error:  # of a file: the API's are failures
        said = error.strerror or str(error)
        where = f": {error.filename}" if error.filename else ""
        return _complain(f"{said}{where}.", "Check the file and who may use it.", Failure.exit_code)


def _joined(typed: list[str]) -> list[str]:
    """`ps scale web=3` as `ps:scale web=3`; `help ps` as `ps --help`."""
    names = _names()
    if typed[:1] == ["help"]:
        return [*_joined(typed[1:]), "--help"]
    if len(typed) > 1 and f"{typed[0]}:{typed[1]}" in names:
        return [f"{typed[0]}:{typed[1]}", *typed[2:]]
    return typed


def _only(names: list[str]) -> typer.Typer:
    """The command line with no other commands than these: making all of them takes a while."""
    chosen = [command for command in cli.registered_commands if command.name in names]
    if not chosen:
        return cli
    only = copy.copy(cli)
    only.registered_commands = chosen
    only.callback()(lambda: None)  # else Typer leaves the name of a single command out
    return only


def _names() -> list[str]:
    return [command.name for command in cli.registered_commands if command.name]


def _hint(typed: list[str]) -> str:
    """What to try after a misuse."""
    import difflib

    names = _names()
    joined = _joined(typed)
    if not joined or joined[0].startswith("-"):
        return "See `hythe --help`."
    known = joined[0] in names
    below = [name for name in names if name.startswith(f"{joined[0]}:")] if known else names
    spelled = [":".join(joined[:2]), *([] if known else joined[:1])]
    for word in spelled:
        for name in difflib.get_close_matches(word, below, 1):
            return f"Did you mean `hythe {name}`?"
    return f"See `hythe {joined[0]} --help`." if known else "See `hythe --help`."


def _complain(cause: str, fix: str, code: int) -> int:
    sys.stdout.flush()
    for line in (cause, fix):
        if line:
            print(f" !    {line}", file=sys.stderr)
    return code
