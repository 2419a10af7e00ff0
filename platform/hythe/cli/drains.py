"""hythe drains, drains:add, drains:remove."""

from typing import Annotated

import typer

from hythe.cli.answers import Drain
from hythe.cli.client import connect
from hythe.cli.failure import Misuse
from hythe.cli.output import doing, print_json, span, table
from hythe.cli.registry import AppOption, JsonOption, chosen, cli

Url = Annotated[
    str,
    typer.Argument(metavar="URL", help="syslog://HOST:PORT, syslog+tls://HOST:PORT or https://..."),
]
Which = Annotated[
    str, typer.Argument(metavar="DRAIN", help="Its number or its URL, as `hythe drains` prints it.")
]


@cli.command("drains")
def list_drains(app: AppOption = None, as_json: JsonOption = False) -> None:
    """List where an app's log is sent to, and how that goes."""
    drains = connect().drains(chosen(app))
    if as_json:
        return print_json(drains)
    if drains:
        table(
            ("Drain", "URL", "Sent", "Behind", "Dropped", "Status"), [_row(one) for one in drains]
        )


@cli.command("drains:add")
def add_drain(url: Url, app: AppOption = None, as_json: JsonOption = False) -> None:
    """Send an app's log elsewhere, too, from now on.

    Examples: hythe drains:add syslog+tls://logs.example.com:6514;
    drains:add "https://user:password@logs.example.com/shop"
    """
    name = chosen(app)
    with doing(f"Adding a drain to {name}", as_json) as line:
        drain = connect().add_drain(name, url)
        line.done(f"drain {drain['id']} sends to {drain['url']}")
    if as_json:
        print_json(drain)


@cli.command("drains:remove")
def remove_drain(which: Which, app: AppOption = None) -> None:
    """Send an app's log there no more."""
    client, name = connect(), chosen(app)
    number = _number(which, client.drains(name))
    with doing(f"Removing drain {number} from {name}"):
        client.remove_drain(name, number)


def _number(which: str, drains: list[Drain]) -> int:
    for drain in drains:
        if which in (str(drain["id"]), drain["url"]):
            return drain["id"]
    raise Misuse("There is no such drain.", "Name it as `hythe drains` prints it.")


def _row(drain: Drain) -> tuple[str, ...]:
    status: str = drain["status"]
    if drain["failing_since"]:
        status = f"failing for {span(drain['failing_since'])}: {drain['error']}"
    behind = "" if drain["behind"] is None else str(drain["behind"])
    return (
        str(drain["id"]),
        drain["url"],
        str(drain["sent"]),
        behind,
        str(drain["dropped"]),
        status,
    )
