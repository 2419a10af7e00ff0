"""hythe buildpacks, buildpacks:add, buildpacks:set, buildpacks:remove, buildpacks:clear."""

import tempfile
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from hythe.cli.answers import Buildpack
from hythe.cli.client import connect
from hythe.cli.failure import Failure, Misuse
from hythe.cli.output import doing, print_json
from hythe.cli.registry import AppOption, JsonOption, chosen, cli

Which = Annotated[
    str, typer.Argument(metavar="BUILDPACK", help="A git URL with #REF, a path, or an id.")
]
MaybeWhich = Annotated[
    str | None, typer.Argument(metavar="[BUILDPACK]", help="As `hythe buildpacks` prints it.")
]
IndexOption = Annotated[
    int | None, typer.Option("--index", "-i", min=1, max=20, help="Its place; 1 comes first.")
]
NEXT = "The next deploy of {} builds with it."


@cli.command("buildpacks")
def list_buildpacks(app: AppOption = None, as_json: JsonOption = False) -> None:
    """List the buildpacks that an app is built with."""
    name = chosen(app)
    found = connect().buildpacks(name)
    if as_json:
        return print_json(found)
    _show(name, found)


@cli.command("buildpacks:add")
def add_buildpack(
    buildpack: Which,
    index: IndexOption = None,
    app: AppOption = None,
    as_json: JsonOption = False,
) -> None:
    """Build an app with a buildpack.

    Cloud Native or classic: a git URL, with a branch, tag or commit after #; the URL of a tarball;
    a folder or a tarball of this machine, which is sent; or the id of one of Hythe's own. Several
    run in their order. Whoever adds one lets it run in the app's builds.

    Examples: hythe buildpacks:add https://github.com/heroku/heroku-buildpack-ruby#v288;
    buildpacks:add ./my-buildpack --index 1; buildpacks:add hythe/python
    """
    _choose(buildpack, index, False, chosen(app), as_json)


@cli.command("buildpacks:set")
def set_buildpack(
    buildpack: Which,
    index: IndexOption = None,
    app: AppOption = None,
    as_json: JsonOption = False,
) -> None:
    """Replace a buildpack, the first without --index.

    Example: hythe buildpacks:set hythe/python
    """
    _choose(buildpack, index, True, chosen(app), as_json)


@cli.command("buildpacks:remove")
def remove_buildpack(
    buildpack: MaybeWhich = None,
    index: IndexOption = None,
    app: AppOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a buildpack from an app.

    Name it, or give its --index.
    """
    if (buildpack is None) == (index is None):
        raise Misuse("Which buildpack is meant?", "Name it, or give its --index.")
    name, client = chosen(app), connect()
    if index is None:
        assert buildpack is not None
        index = _place(client.buildpacks(name), buildpack, name)
    with doing(f"Removing buildpack {index} from {name}", as_json):
        found = client.remove_buildpack(name, index)
    if as_json:
        return print_json(found)
    _show(name, found)


@cli.command("buildpacks:clear")
def clear_buildpacks(app: AppOption = None) -> None:
    """Let detection choose again."""
    name = chosen(app)
    with doing(f"Clearing the buildpacks of {name}"):
        connect().clear_buildpacks(name)


def _choose(text: str, index: int | None, replace: bool, app: str, as_json: bool) -> None:
    client = connect()
    path = Path(text).expanduser()
    with doing(f"{'Setting' if replace else 'Adding'} {text} on {app}", as_json):
        if _is_path(text):
            with tempfile.TemporaryFile() as file:
                size = _pack(path, file)
                file.seek(0)
                found = client.send_buildpack(app, file, size, path.resolve().name, index, replace)
        else:
            found = client.add_buildpack(app, text, index, replace)
    if as_json:
        return print_json(found)
    _show(app, found)
    print(NEXT.format(app))


def _is_path(text: str) -> bool:
    """Whether a folder or file of this machine is meant; an id such as hythe/python is none."""
    return text.startswith(("/", "./", "../", "~")) or text in (".", "..")


def _pack(path: Path, file: BinaryIO) -> int:
    from hythe.cli import tarball

    if path.is_dir():
        return tarball.pack_whole(path, file)
    if not path.is_file():
        raise Failure(f"There is no {path}.", "Name a folder or a tarball.")
    with path.open("rb") as opened:
        while block := opened.read(1 << 20):
            file.write(block)
    return file.tell()


def _place(found: list[Buildpack], text: str, app: str) -> int:
    for one in found:
        if text in (one["buildpack"], one["buildpack"].partition("#")[0]):
            return one["index"]
    raise Failure(f"{app} has no buildpack {text}.", "List them: `hythe buildpacks`.")


def _show(app: str, found: list[Buildpack]) -> None:
    if not found:
        print(f"{app} has no buildpacks of its own: detection chooses.")
        return
    print(f"=== {app} Buildpacks")
    for one in found:
        digest = f"  ({one['digest'][:12]})" if one["digest"] else ""
        print(f"{one['index']}. {one['buildpack']}{digest}")
