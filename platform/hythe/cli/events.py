"""hythe events."""

import json
import os
from typing import Annotated

import typer

from hythe.cli.answers import Event
from hythe.cli.client import connect
from hythe.cli.output import day, print_json
from hythe.cli.registry import AppOption, JsonOption, LimitOption, cli


@cli.command("events")
def show_events(
    app: AppOption = None,
    kind: Annotated[
        str | None, typer.Option("--kind", "-k", help="Such as deploy, or instance.crash.")
    ] = None,
    num: LimitOption = 50,
    tail: Annotated[bool, typer.Option("--tail", "-t", help="Go on with new ones.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what happened, and why.

    Of all apps and the machine, unless an app is named by --app or HYTHE_APP.

    Example: hythe events -a shop --kind deploy
    """
    client, name = connect(), app or os.environ.get("HYTHE_APP")
    if tail:
        for event in client.follow_events(num, app=name, kind=kind):
            print(json.dumps(event) if as_json else _lines(event), flush=True)
        return
    events = client.events(num, app=name, kind=kind)
    if as_json:
        return print_json(events)
    for event in events:
        print(_lines(event))
    if not events:
        print("No events.")


def _lines(event: Event) -> str:
    """`2026-03-01 09:30:12  shop  deploy.live  v3 is live (by alice)`, and the fix below it."""
    whose = event["app"] or "-"
    who = "" if event["actor"] == "hythe" else f" (by {event['actor']})"
    line = f"{day(event['at'])}  {whose}  {event['kind']}  {event['message']}{who}"
    return line + (f"\n                     -> {event['fix']}" if event["fix"] else "")
