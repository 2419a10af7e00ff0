"""hythe setup:link."""

from hythe.cli.client import connect
from hythe.cli.output import print_json
from hythe.cli.registry import JsonOption, cli


@cli.command("setup:link")
def create_setup_link(as_json: JsonOption = False) -> None:
    """Make a link that opens the dashboard once.

    It makes the first user, or sets a new password for one who forgot it.
    """
    link = connect().create_setup_link()
    if as_json:
        return print_json(link)
    print(link["url"])
