"""hythe config, config:get, config:set, config:unset."""

import shlex
from typing import Annotated

import typer

from hythe.cli.client import connect
from hythe.cli.failure import Failure, Misuse
from hythe.cli.output import doing, print_json
from hythe.cli.registry import AppOption, JsonOption, chosen, cli
from hythe.cli.waiting import release_name, until_live

Assignments = Annotated[list[str], typer.Argument(metavar="KEY=VALUE...")]
Keys = Annotated[list[str], typer.Argument(metavar="KEY...")]
ShellOption = Annotated[bool, typer.Option("--shell", "-s", help="Print lines that a shell reads.")]
BuildOption = Annotated[bool, typer.Option("--build", help="Builds may see these keys too.")]


@cli.command("config")
def show_config(
    app: AppOption = None, shell: ShellOption = False, as_json: JsonOption = False
) -> None:
    """Show all config vars."""
    name = chosen(app)
    values = connect().config(name)["vars"]
    if as_json:
        return print_json(values)
    if shell:
        for key, value in values.items():
            print(f"{key}={shlex.quote(value)}")
        return
    print(f"=== {name} Config Vars")
    width = max(map(len, values), default=0) + 1
    for key, value in values.items():
        print(f"{f'{key}:':<{width}} {value}")


@cli.command("config:get")
def get_config(
    key: str, app: AppOption = None, shell: ShellOption = False, as_json: JsonOption = False
) -> None:
    """Print the value of one config var."""
    name = chosen(app)
    values = connect().config(name)["vars"]
    if key not in values:
        raise Failure(f"{name} has no config key {key}.", "List them: `hythe config`.")
    if as_json:
        return print_json({key: values[key]})
    print(f"{key}={shlex.quote(values[key])}" if shell else values[key])


@cli.command("config:set")
def set_config(
    assignments: Assignments,
    app: AppOption = None,
    build: BuildOption = False,
    as_json: JsonOption = False,
) -> None:
    """Set config vars, and restart the app with them.

    Example: hythe config:set DEBUG=1 GREETING="good morning"
    """
    values: dict[str, str | None] = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals or not key:
            raise Misuse(f"'{assignment[:60]}' is not KEY=VALUE.", "Write `hythe config:set A=1`.")
        values[key] = value
    _change("Setting", chosen(app), values, build, as_json)


@cli.command("config:unset")
def unset_config(keys: Keys, app: AppOption = None, as_json: JsonOption = False) -> None:
    """Unset config vars, and restart the app without them."""
    _change("Unsetting", chosen(app), dict.fromkeys(keys), False, as_json)


def _change(verb: str, app: str, values: dict[str, str | None], build: bool, as_json: bool) -> None:
    client = connect()
    with doing(f"{verb} config vars and restarting {app}", as_json) as line:
        answer = client.change_config(app, values, build)
        deployment = answer["deployment"]
        if deployment is not None:
            deployment = until_live(client, app, deployment)
            line.done(release_name(deployment))
    if as_json:
        print_json({**answer, "deployment": deployment})
