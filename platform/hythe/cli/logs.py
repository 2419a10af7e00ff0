"""hythe logs."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from hythe.cli.answers import Log
from hythe.cli.client import connect
from hythe.cli.failure import Misuse
from hythe.cli.output import print_json, time_of
from hythe.cli.registry import AppOption, JsonOption, chosen, cli, version_of

SOURCES = ("app", "build", "router", "platform", "all")
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@cli.command("logs")
def show_logs(
    app: AppOption = None,
    num: Annotated[int, typer.Option("--num", "-n", min=0, max=10_000, help="Last lines.")] = 100,
    tail: Annotated[bool, typer.Option("--tail", "-t", help="Go on with new lines.")] = False,
    process: Annotated[str | None, typer.Option("--process", "-p", help="Such as web.")] = None,
    instance: Annotated[str | None, typer.Option("--instance", "-i", help="Such as web.1.")] = None,
    source: Annotated[
        str | None,
        typer.Option("--source", "-s", help="app, build, router, platform, or all; else no build."),
    ] = None,
    release: Annotated[str | None, typer.Option("--release", "-r", help="Such as v7.")] = None,
    request: Annotated[
        str | None, typer.Option("--request-id", metavar="ID", help="Lines that name a request.")
    ] = None,
    text: Annotated[str | None, typer.Option("--text", help="Lines that hold this text.")] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="WHEN", help="Such as 10m, 2h, 1d or 2026-03-01T09:30."),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="WHEN", help="Lines before that.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show an app's log.

    Example: hythe logs --tail --process web --text error
    """
    if source is not None and source not in SOURCES:
        raise Misuse(f"'{source[:40]}' is not a source.", f"Use one of {', '.join(SOURCES)}.")
    only = {
        "process": process,
        "instance": instance,
        "source": source,
        "release": None if release is None else f"v{version_of(release)}",
        "request_id": request,
        "text": text,
        "since": None if since is None else _moment(since),
        "until": None if until is None else _moment(until),
    }
    client, name = connect(), chosen(app)
    if tail:
        for line in client.follow_logs(name, num, **only):
            print(json.dumps(line) if as_json else _line(line), flush=True)
        return
    lines = client.logs(name, num, **only)
    if as_json:
        return print_json(lines)
    for line in lines:
        print(_line(line))


def _moment(text: str) -> str:
    """`10m` (ago), or a time as ISO 8601 writes it, in the user's zone unless it says one."""
    span = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
    try:
        if span:
            ago = timedelta(seconds=int(span[1]) * UNITS[span[2]])
            return (datetime.now(UTC) - ago).isoformat()
        return datetime.fromisoformat(text).astimezone().isoformat()
    except (ValueError, OverflowError):
        raise Misuse(
            f"'{text[:40]}' is not a time.", "Write 30s, 10m, 2h, 1d, or 2026-03-01T09:30."
        ) from None


def _line(line: Log) -> str:
    """`2026-03-01T09:30:12.123456+00:00 app[web.1]: text`"""
    time = time_of(line["time"]).isoformat(timespec="microseconds")
    return f"{time} {line['source']}[{line['instance']}]: {line['text']}"
