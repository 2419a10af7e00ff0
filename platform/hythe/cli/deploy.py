"""hythe deploy."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from hythe.cli.client import connect
from hythe.cli.output import print_json
from hythe.cli.registry import AppOption, JsonOption, chosen, cli
from hythe.cli.waiting import succeeded


@cli.command("deploy")
def deploy(
    app: AppOption = None,
    message: Annotated[str, typer.Option("--message", "-m", help="For the release list.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Deploy the working directory as it is.

    What .gitignore names stays here; what is not committed goes too.

    Example: hythe deploy -a shop -m "try the new page"
    """
    from hythe.cli import tarball

    client, name = connect(), chosen(app)
    with tempfile.TemporaryFile() as file:
        size = tarball.pack(Path.cwd(), file)
        file.seek(0)
        deployment = client.upload(name, file, size, message)
    following = client.follow_deployment(name, deployment["id"])
    for line in following:
        if not as_json:
            print(line, flush=True)
    ended = following.end()
    if as_json:
        print_json(ended)
    succeeded(ended)
