"""hythe ps:settings, ps:set, ps:unset."""

from typing import Annotated

import typer

from hythe.cli.client import connect
from hythe.cli.failure import Misuse
from hythe.cli.output import doing, print_json, table
from hythe.cli.registry import AppOption, JsonOption, chosen, cli

Process = Annotated[str, typer.Argument(metavar="TYPE")]
MaybeProcess = Annotated[str, typer.Argument(metavar="[TYPE]")]
Assignments = Annotated[list[str], typer.Argument(metavar="KEY=VALUE...")]
Keys = Annotated[list[str], typer.Argument(metavar="KEY...")]


@cli.command("ps:settings")
def show_settings(
    process: MaybeProcess = "web", app: AppOption = None, as_json: JsonOption = False
) -> None:
    """Show how instances are replaced and stopped."""
    name = chosen(app)
    found = connect().process_settings(name, process)
    if as_json:
        return print_json(found)
    print(f"=== {name} {process}")
    rows = [
        (
            one["key"],
            f"{one['value']} ({one['source']})" if one["value"] else f"{one['default']} (default)",
            one["about"],
        )
        for one in found["settings"]
    ]
    table(("Setting", "Value", "Meaning"), rows)


@cli.command("ps:set")
def set_settings(
    process: Process, assignments: Assignments, app: AppOption = None, as_json: JsonOption = False
) -> None:
    """Change how instances are replaced and stopped.

    Example: hythe ps:set web surge=25% min-healthy=75% drain-timeout=60s
    """
    values: dict[str, str | None] = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals or not key:
            raise Misuse(f"'{assignment[:60]}' is not KEY=VALUE.", "Write surge=25%.")
        values[key] = value
    _change(f"Setting {', '.join(values)} of {process}", chosen(app), process, values, as_json)


@cli.command("ps:unset")
def unset_settings(
    process: Process, keys: Keys, app: AppOption = None, as_json: JsonOption = False
) -> None:
    """Follow app.json again, or the default."""
    what = f"Unsetting {', '.join(keys)} of {process}"
    _change(what, chosen(app), process, dict.fromkeys(keys), as_json)


def _change(
    what: str, app: str, process: str, values: dict[str, str | None], as_json: bool
) -> None:
    with doing(what, as_json):
        found = connect().change_process_settings(app, process, values)
    if as_json:
        print_json(found)
