"""hythe tokens, tokens:create, tokens:revoke."""

import sys
from typing import Annotated

import typer

from hythe.cli.client import connect
from hythe.cli.failure import Misuse
from hythe.cli.output import day, doing, print_json, table
from hythe.cli.registry import JsonOption, cli

ScopeOption = Annotated[str, typer.Option(help="read, deploy or manage.")]


@cli.command("tokens")
def list_tokens(as_json: JsonOption = False) -> None:
    """List API tokens."""
    tokens = connect().tokens()
    if as_json:
        return print_json(tokens)
    table(
        ("Token", "Name", "Scope", "Made", "Last used", ""),
        [
            (
                str(item["id"]),
                item["name"],
                item["scope"],
                day(item["created_at"]),
                day(item["last_used_at"]) if item["last_used_at"] else "never",
                "revoked" if item["revoked_at"] else "",
            )
            for item in tokens
        ],
    )


@cli.command("tokens:create")
def create_token(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    scope: ScopeOption = "manage",
    as_json: JsonOption = False,
) -> None:
    """Make an API token. It is shown once.

    Example: hythe tokens:create ci --scope deploy
    """
    if scope not in ("read", "deploy", "manage"):
        raise Misuse(f"'{scope[:40]}' is not a scope.", "Use read, deploy or manage.")
    token = connect().create_token(name, scope)
    if as_json:
        return print_json(token)
    print(token["token"])
    print("Keep it now: it is not shown again.", file=sys.stderr)


@cli.command("tokens:revoke")
def revoke_token(number: Annotated[int, typer.Argument(metavar="TOKEN")]) -> None:
    """Make a token useless."""
    with doing(f"Revoking token {number}"):
        connect().revoke_token(number)
