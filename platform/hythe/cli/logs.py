"""hythe logs."""

import json
from typing import Annotated

import typer

from hythe.cli.answers import Log
from hythe.cli.client import connect
from hythe.cli.failure import Misuse
from hythe.cli.output import print_json, time_of
from hythe.cli.registry import AppOption, JsonOption, chosen, cli

SOURCES = ("app", "router", "platform")


@cli.command("logs")
def show_logs(
    app: AppOption = None,
    num: Annotated[int, typer.Option("--num", "-n", min=0, max=10_000, help="Last lines.")] = 100,
    tail: Annotated[bool, typer.Option("--tail", "-t", help="Go on with new lines.")] = False,
    process: Annotated[str | None, typer.Option("--process", "-p", help="Such as web.")] = None,
    instance: Annotated[str | None, typer.Option("--instance", "-i", help="Such as web.1.")] = None,
    source: Annotated[
        str | None, typer.Option("--source", "-s", help="app, router or platform.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show an app's log.

    Example: hythe logs --tail --process web
    """
    if source is not None and source not in SOURCES:
        raise Misuse(f"'{source[:40]}' is not a source.", f"Use one of {', '.join(SOURCES)}.")
    client, name = connect(), chosen(app)
    only = {"process": process, "instance": instance, "source": source}
    if tail:
        for line in client.follow_logs(name, num, **only):
            print(json.dumps(line) if as_json else _line(line), flush=True)
        return
    lines = client.logs(name, num, **only)
    if as_json:
        return print_json(lines)
    for line in lines:
        print(_line(line))


def _line(line: Log) -> str:
    """`2026-03-01T09:30:12.123456+00:00 app[web.1]: text`"""
    time = time_of(line["time"]).isoformat(timespec="microseconds")
    return f"{time} {line['source']}[{line['instance']}]: {line['text']}"
