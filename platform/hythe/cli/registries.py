"""hythe registry, registry:login, registry:logout; git:deploy-key."""

import getpass
import sys
from typing import Annotated

import typer

from hythe.cli.client import connect
from hythe.cli.failure import Misuse
from hythe.cli.output import day, doing, print_json, table
from hythe.cli.registry import AppOption, JsonOption, chosen, cli

Host = Annotated[str, typer.Argument(metavar="HOST", help="HOST or HOST:PORT, or docker.io.")]


@cli.command("registry")
def list_registries(as_json: JsonOption = False) -> None:
    """List registries with stored credentials."""
    found = connect().registries()
    if as_json:
        return print_json(found)
    if not found:
        print("None yet. Log in: `hythe registry:login HOST -u USER`.", file=sys.stderr)
        return
    rows = [(item["host"], item["username"], day(item["created_at"])) for item in found]
    table(("Registry", "User", "Since"), rows)


@cli.command("registry:login")
def login_registry(
    host: Host,
    username: Annotated[str, typer.Option("--username", "-u", help="The user there.")],
    from_input: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    unchecked: Annotated[
        bool, typer.Option("--no-verify", help="Store them without asking the registry.")
    ] = False,
) -> None:
    """Store credentials for a registry.

    The registry checks them first.

    Example: hythe registry:login ghcr.io -u me --password-stdin < token
    """
    if not from_input and not sys.stdin.isatty():
        raise Misuse("There is no terminal to ask for the password.", "Add --password-stdin.")
    password = sys.stdin.read().rstrip("\r\n") if from_input else getpass.getpass("Password: ")
    if not password:
        raise Misuse("The password is empty.", "Send it: `... --password-stdin < FILE`.")
    with doing(f"Logging in to {host}") as line:
        connect().login_registry(host, username, password, verify=not unchecked)
        if unchecked:
            line.done("checked at the next pull")


@cli.command("registry:logout")
def logout_registry(host: Host) -> None:
    """Forget the credentials for a registry."""
    with doing(f"Forgetting the credentials for {host}"):
        connect().logout_registry(host)


@cli.command("git:deploy-key")
def deploy_key(
    app: AppOption = None,
    rotate: Annotated[bool, typer.Option("--rotate", help="Make a new one.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Print an app's public SSH key.

    It is made at the first time. With it `hythe deploy --git` reads a private repository.
    """
    key = connect().deploy_key(chosen(app), rotate)
    if as_json:
        return print_json(key)
    print(key["public"])
    print("Add it to the repository as a deploy key; reading is enough.", file=sys.stderr)
