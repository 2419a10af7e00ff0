"""hythe deploy."""

import json
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from hythe.cli.answers import Deployment
from hythe.cli.client import Client, connect
from hythe.cli.failure import Failure, Misuse
from hythe.cli.output import print_json
from hythe.cli.registry import AppOption, JsonOption, chosen, cli
from hythe.cli.waiting import succeeded

LARGEST_FILE = 64 * 1024  # bytes

MessageOption = Annotated[str, typer.Option("--message", "-m", help="For the release list.")]
ImageOption = Annotated[
    str | None,
    typer.Option("--image", metavar="REF", help="Run an image instead: [HOST/]NAME[:TAG]."),
]
GitOption = Annotated[
    str | None, typer.Option("--git", metavar="URL", help="Build a repository: https or ssh.")
]
RefOption = Annotated[
    str | None, typer.Option("--ref", help="The branch, tag or commit of --git; else its default.")
]
CommitOption = Annotated[
    str | None,
    typer.Option("--commit", metavar="ID", help="Build a commit that was pushed before."),
]
ProcfileOption = Annotated[
    Path | None,
    typer.Option("--procfile", metavar="FILE", help="Instead of the source's Procfile."),
]
AppJsonOption = Annotated[
    Path | None,
    typer.Option("--app-json", metavar="FILE", help="Instead of the source's app.json."),
]
PortOption = Annotated[
    int | None, typer.Option("--port", min=1, max=65535, help="Where the image serves HTTP.")
]


@cli.command("deploy")
def deploy(
    app: AppOption = None,
    message: MessageOption = "",
    image: ImageOption = None,
    git: GitOption = None,
    ref: RefOption = None,
    commit: CommitOption = None,
    procfile: ProcfileOption = None,
    app_json: AppJsonOption = None,
    port: PortOption = None,
    as_json: JsonOption = False,
) -> None:
    """Deploy the working directory as it is.

    What .gitignore names stays here; what is not committed goes too. Or an image, a git URL, or a
    commit that was pushed before.

    Example: hythe deploy -a shop --image ghcr.io/me/shop:1.2
    """
    if sum(each is not None for each in (image, git, commit)) > 1:
        raise Misuse("There is more than one source.", "Name --image, --git or --commit.")
    if ref is not None and git is None:
        raise Misuse("--ref belongs to --git.", "Write `hythe deploy --git URL --ref REF`.")
    name = chosen(app)
    sent = _sent(message, procfile, app_json, port)
    source: dict[str, Any] | None = None
    if image is not None:
        source = {"type": "image", "image": image}
    elif git is not None:
        source = {"type": "git", "url": git, "ref": ref}
    elif commit is not None:
        source = {"type": "commit", "commit": commit}
    client = connect()
    if source is not None:
        deployment = client.deploy(name, {"source": source, **sent})
    else:
        deployment = _upload(client, name, sent)
    ended = follow(client, name, deployment, quiet=as_json)
    if as_json:
        print_json(ended)
    succeeded(ended)


def follow(client: Client, app: str, deployment: Deployment, *, quiet: bool) -> Deployment:
    """Print the transcript as it grows; returns the deployment as it ended."""
    following = client.follow_deployment(app, deployment["id"])
    for line in following:
        if not quiet:
            print(line, flush=True)
    return following.end()


def _upload(client: Client, app: str, sent: dict[str, Any]) -> Deployment:
    from hythe.cli import tarball

    with tempfile.TemporaryFile() as file:
        size = tarball.pack(Path.cwd(), file)
        file.seek(0)
        return client.upload(app, file, size, sent)


def _sent(
    message: str, procfile: Path | None, app_json: Path | None, port: int | None
) -> dict[str, Any]:
    """What goes along with the source."""
    sent: dict[str, Any] = {"message": message or None}
    if procfile is not None:
        sent["procfile"] = _text(procfile)
    document: dict[str, Any] | None = None
    if app_json is not None:
        try:
            document = json.loads(_text(app_json))
        except ValueError as error:
            raise Failure(f"{app_json} is not valid JSON: {error}.", "Correct it.") from None
    if port is not None:
        document = {} if document is None else document
        if "healthchecks" in document:
            raise Misuse(
                "--port and healthchecks of app.json say the same.", "Put `port` into healthchecks."
            )
        document["healthchecks"] = {"web": [{"port": port}]}
    if document is not None:
        sent["app_json"] = document
    return {key: value for key, value in sent.items() if value is not None}


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        if len(data) > LARGEST_FILE:
            raise Failure(f"{path} is over {LARGEST_FILE // 1024} KiB.", "Make it smaller.")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror}.", "Check the path.") from None
    except UnicodeDecodeError:
        raise Failure(f"{path} is not UTF-8.", "Save it as UTF-8.") from None
