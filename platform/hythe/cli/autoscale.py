"""hythe ps:autoscale."""

import re
from typing import Annotated

import typer

from hythe.cli.answers import Autoscale
from hythe.cli.client import connect
from hythe.cli.failure import Misuse
from hythe.cli.output import doing, print_json
from hythe.cli.registry import AppOption, JsonOption, chosen, cli

_RANGE = re.compile(r"([A-Za-z0-9_-]+)=(\d{1,4})-(\d{1,4})")
_TIME = re.compile(r"(\d+(?:\.\d+)?)(ms|s)")

Range = Annotated[str | None, typer.Argument(metavar="TYPE=LOW-HIGH", help="None: show.")]


@cli.command("ps:autoscale")
def autoscale(
    between: Range = None,
    p95: Annotated[str | None, typer.Option("--p95", help="Of requests: 200ms, 1.5s.")] = None,
    cpu: Annotated[int | None, typer.Option("--cpu", help="Percent of its limit.")] = None,
    off: Annotated[str | None, typer.Option("--off", metavar="TYPE", help="By hand.")] = None,
    app: AppOption = None,
    as_json: JsonOption = False,
) -> None:
    """Scale a process type by its load.

    Example: hythe ps:autoscale web=1-10 --p95 200ms
    """
    client, name = connect(), chosen(app)
    if off is not None:
        with doing(f"Scaling {off} by hand", as_json):
            shown = client.scale_by_hand(name, off)
    elif between is not None:
        body = _body(between, p95, cpu)
        process = between.partition("=")[0]
        with doing(f"Scaling {process} by its load", as_json) as line:
            shown = [client.autoscale(name, process, body)]
            line.done(_line(shown[0]))
    else:
        shown = client.autoscales(name)
        if not as_json:
            print("\n".join(map(_line, shown)) or "Nothing is scaled by itself.")
    if as_json:
        print_json(shown)


def _body(between: str, p95: str | None, cpu: int | None) -> dict[str, float | int | None]:
    match = _RANGE.fullmatch(between)
    if match is None:
        raise Misuse(f"'{between[:60]}' is not TYPE=LOW-HIGH.", "Write it as web=1-10.")
    if (p95 is None) == (cpu is None):
        raise Misuse("It is not clear what to scale by.", "Give either --p95 200ms or --cpu 70.")
    time = _TIME.fullmatch(p95) if p95 is not None else None
    if p95 is not None and time is None:
        raise Misuse(f"'{p95[:20]}' is not a time.", "Write it as 200ms or 1.5s.")
    seconds = float(time[1]) * (0.001 if time[2] == "ms" else 1) if time else None
    return {"low": int(match[2]), "high": int(match[3]), "p95": seconds, "cpu": cpu}


def _line(one: Autoscale) -> str:
    """`web=1-10 --p95 200ms`, which can be typed back."""
    by = f"--cpu {one['cpu']}" if one["p95"] is None else f"--p95 {1000 * one['p95']:g}ms"
    return f"{one['process']}={one['low']}-{one['high']} {by}"
