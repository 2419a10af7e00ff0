"""hythe routing, routing:set, routing:unset, routing:pause, routing:resume, maintenance."""

from typing import Annotated

import typer

from hythe.cli.client import connect
from hythe.cli.failure import Misuse
from hythe.cli.output import doing, print_json, table
from hythe.cli.registry import AppOption, JsonOption, chosen, cli

Assignments = Annotated[list[str], typer.Argument(metavar="KEY=VALUE...")]
Keys = Annotated[list[str], typer.Argument(metavar="KEY...")]


@cli.command("routing")
def show_routing(app: AppOption = None, as_json: JsonOption = False) -> None:
    """Show how an app's requests are handled."""
    name = chosen(app)
    routing = connect().routing(name)
    if as_json:
        return print_json(routing)
    print(f"=== {name} Routing ({routing['mode']})")
    rows = [
        (one["key"], one["value"] or f"{one['default']} (default)", one["about"])
        for one in routing["settings"]
    ]
    table(("Setting", "Value", "Meaning"), rows)


@cli.command("routing:set")
def set_routing(
    assignments: Assignments, app: AppOption = None, as_json: JsonOption = False
) -> None:
    """Change how an app's requests are handled, at once.

    Example: hythe routing:set body-limit=10M first-byte=60s sticky=on
    """
    values: dict[str, str | None] = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals or not key:
            raise Misuse(f"'{assignment[:60]}' is not KEY=VALUE.", "Write body-limit=10M.")
        values[key] = value
    _change(f"Setting {', '.join(values)}", chosen(app), None, values, as_json)


@cli.command("routing:unset")
def unset_routing(keys: Keys, app: AppOption = None, as_json: JsonOption = False) -> None:
    """Go back to the router's defaults."""
    _change(f"Unsetting {', '.join(keys)}", chosen(app), None, dict.fromkeys(keys), as_json)


@cli.command("routing:pause")
def pause(app: AppOption = None) -> None:
    """Let an app's requests wait, up to the setting `hold`."""
    name = chosen(app)
    _change(f"Pausing {name}", name, "hold", {}, False)


@cli.command("routing:resume")
def resume(app: AppOption = None) -> None:
    """Let the requests of a paused app pass."""
    name = chosen(app)
    _change(f"Resuming {name}", name, "serve", {}, False)


@cli.command("maintenance")
def show_maintenance(app: AppOption = None, as_json: JsonOption = False) -> None:
    """Say whether an app is in maintenance mode."""
    routing = connect().routing(chosen(app))
    on = routing["mode"] == "maintenance"
    print_json({"maintenance": on}) if as_json else print("on" if on else "off")


@cli.command("maintenance:on")
def maintenance_on(app: AppOption = None) -> None:
    """Answer an app's requests with a maintenance page."""
    name = chosen(app)
    _change(f"Enabling maintenance mode for {name}", name, "maintenance", {}, False)


@cli.command("maintenance:off")
def maintenance_off(app: AppOption = None) -> None:
    """Serve an app again."""
    name = chosen(app)
    _change(f"Disabling maintenance mode for {name}", name, "serve", {}, False)


def _change(
    doing_what: str, app: str, mode: str | None, values: dict[str, str | None], as_json: bool
) -> None:
    with doing(doing_what, as_json):
        routing = connect().change_routing(app, mode, values)
    if as_json:
        print_json(routing)
