"""hythe domains, domains:add, domains:remove."""

from typing import Annotated

import typer

from hythe.cli.client import connect
from hythe.cli.output import doing, print_json
from hythe.cli.registry import AppOption, JsonOption, chosen, cli

Host = Annotated[str, typer.Argument(metavar="DOMAIN")]
Place = Annotated[str, typer.Argument(metavar="DOMAIN", help="As `hythe domains` prints it.")]
PathOption = Annotated[str, typer.Option("--path", metavar="PATH", help="Only below this path.")]


@cli.command("domains")
def list_domains(app: AppOption = None, as_json: JsonOption = False) -> None:
    """List an app's domains."""
    domains = connect().domains(chosen(app))
    if as_json:
        return print_json(domains)
    for domain in domains:
        print(domain["host"])


@cli.command("domains:add")
def add_domain(
    host: Host, path: PathOption = "", app: AppOption = None, as_json: JsonOption = False
) -> None:
    """Let an app answer to a domain as well.

    Examples: hythe domains:add shop.example.com; domains:add "*.example.com";
    domains:add example.com --path /shop
    """
    name = chosen(app)
    with doing(f"Adding {host}{path} to {name}", as_json):
        domain = connect().add_domain(name, host, path)
    if as_json:
        print_json(domain)


@cli.command("domains:remove")
def remove_domain(host: Place, app: AppOption = None) -> None:
    """Take a domain from an app."""
    name = chosen(app)
    with doing(f"Removing {host} from {name}"):
        connect().remove_domain(name, host)
