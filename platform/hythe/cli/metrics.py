"""hythe metrics."""

from typing import Annotated

import typer

from hythe.cli.answers import Rate, Series, Usage
from hythe.cli.client import connect
from hythe.cli.failure import Misuse
from hythe.cli.output import print_json, span_of, table
from hythe.cli.registry import AppOption, JsonOption, chosen, cli

_MIB = 1024**2

Name = Annotated[
    str | None, typer.Argument(metavar="NAME", help="`requests` or web.1: its history.")
]
Since = Annotated[str, typer.Option("--since", help="How long ago: 30m, 6h, 7d.")]


@cli.command("metrics")
def show_metrics(
    name: Name = None, app: AppOption = None, since: Since = "1h", as_json: JsonOption = False
) -> None:
    """Show what an app's instances use, and its requests.

    Kept for a day by 10 seconds, and for 30 days by 5 minutes.

    Example: hythe metrics web.1 --since 6h
    """
    client, of = connect(), chosen(app)
    if name is not None:
        seconds = span_of(since)
        if seconds is None:
            raise Misuse(f"'{since[:20]}' is not a time.", "Write it as 30m, 6h or 7d.")
        series = client.series(of, name, seconds)
        return print_json(series) if as_json else _history(series)
    metrics = client.metrics(of)
    if as_json:
        return print_json(metrics)
    print(_traffic(metrics["traffic"]))
    if metrics["instances"]:
        print()
        table(
            ("Instance", "CPU", "Memory", "Of", "In", "Out", "Restarts", "OOM kills"),
            [_row(each) for each in metrics["instances"]],
        )


def usage(each: Usage) -> str:
    """`12 % CPU, 134 of 512 MiB`"""
    memory = f"{each['memory'] / _MIB:.0f}"
    limit = f" of {each['limit'] / _MIB:.0f}" if each["limit"] else ""
    return f"{each['cpu']:.0%} CPU, {memory}{limit} MiB"


def _traffic(rate: Rate | None) -> str:
    if rate is None:
        return "Requests: none since the router started, or it is away"
    times = ", ".join(f"{key} {1000 * float(rate[key]):.3g} ms" for key in ("p50", "p95", "p99"))
    failed = f", {rate['failed']:.1f} failed" if rate["failed"] else ""
    return f"Requests: {rate['requests']:.1f} a second{failed}, {rate['in_flight']} now; {times}"


def _row(each: Usage) -> tuple[str, ...]:
    return (
        each["name"],
        f"{each['cpu']:.0%}",
        f"{each['memory'] / _MIB:.0f} MiB",
        f"{each['limit'] / _MIB:.0f} MiB" if each["limit"] else "no limit",
        f"{each['received'] / 1000:.1f} kB/s",
        f"{each['sent'] / 1000:.1f} kB/s",
        str(each["restarts"]),
        str(each["oom_kills"]),
    )


def _history(series: Series) -> None:
    from datetime import datetime

    rows = [
        (
            datetime.fromtimestamp(time).strftime("%Y-%m-%d %H:%M:%S"),
            *(f"{value:.6g}" for value in values),
        )
        for time, *values in series["points"]
    ]
    table(("Time", *series["fields"]), rows)
