"""hythe domains, domains:add, domains:remove."""

from typing import Annotated

import typer

from hythe.cli.client import connect
from hythe.cli.output import doing, print_json
from hythe.cli.registry import AppOption, JsonOption, chosen, cli

Host = Annotated[str, typer.Argument(metavar="DOMAIN")]


@cli.command("domains")
def list_domains(app: AppOption = None, as_json: JsonOption = False) -> None:
    """List an app's domains."""
    domains = connect().domains(chosen(app))
    if as_json:
        return print_json(domains)
    for domain in domains:
        print(domain["host"])


@cli.command("domains:add")
def add_domain(host: Host, app: AppOption = None, as_json: JsonOption = False) -> None:
    """Let an app answer to a domain as well."""
    name = chosen(app)
    with doing(f"Adding {host} to {name}", as_json):
        domain = connect().add_domain(name, host)
    if as_json:
        print_json(domain)


@cli.command("domains:remove")
def remove_domain(host: Host, app: AppOption = None) -> None:
    """Take a domain from an app."""
    name = chosen(app)
    with doing(f"Removing {host} from {name}"):
        connect().remove_domain(name, host)
