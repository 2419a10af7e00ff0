"""The control plane's process.

    python -m hythe.serve init    make or migrate the database, the key, the first token
    python -m hythe.serve run     serve until SIGTERM
    python -m hythe.serve move    copy the database to another (`hythe db:move`)

Imports come late here, on purpose: the nursery is forked before the API and the database are
imported, so that it stays small.
"""

import argparse
import fcntl
import gc
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from hythe import homefile, logs, wholefile
from hythe.errors import HytheError, PlatformError
from hythe.settings import Settings


def init(settings: Settings) -> None:
    """Make what a first start needs; a later call changes nothing but the schema's version."""
    from hythe.api.tokens import mint
    from hythe.model import Database
    from hythe.model.home import guard
    from hythe.model.identity import establish
    from hythe.model.schema import migrate

    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    guard(settings)
    migrate(settings.database)
    database = Database(settings.database)
    establish(settings, database)
    if not (settings.home / "credentials").exists():
        with database.write() as tx:
            _, secret = mint(tx, "local user", "manage")
        _write_credentials(settings, [{"url": settings.api_url, "token": secret}])
    else:
        _follow_port(settings)
    if settings.public:
        from hythe.api import certificate

        certificate.ensure(settings, certificate.now())  # a bad one is told before anything starts
    database.close()


def run(settings: Settings, inherited: int | None = None) -> None:
    """Serve until SIGTERM or SIGINT. inherited: the API's socket, see plane.py."""
    from hythe.build import outcome
    from hythe.build.nursery import Nursery

    logs.configure("control")
    several = not settings.database.startswith("sqlite")  # the database says which one leads
    with _home_lock(settings, fcntl.LOCK_SH if several else fcntl.LOCK_EX):
        gc.freeze()  # a collection would write to the pages that both processes share
        nursery = Nursery.start(outcome.work)
        try:
            from hythe.plane import serve

            serve(settings, nursery, inherited)
        finally:
            nursery.stop()


def move(settings: Settings, target: str, *, check: bool, replace: bool) -> None:
    """Copy the database to another, or compare the two."""
    from hythe.model.move import Move

    with _home_lock(settings, fcntl.LOCK_EX):
        work = Move(settings, target)
        if check:
            work.compare()
        else:
            work.copy(replace=replace)


@contextmanager
def _home_lock(settings: Settings, kind: int) -> Iterator[None]:
    """Hold the home's lock; raises PlatformError when another control plane holds it."""
    path = settings.run_dir / "control.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise PlatformError(
                f"Another control plane already serves {settings.home} (process {file.read()}).",
                "Stop it with `bin/down`, or choose another HYTHE_HOME.",
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _follow_port(settings: Settings) -> None:
    """Let the local user's token name the API's port, when that is another than at the last start.

    People put logins to other machines before it (see hythe.cli.credentials), never after it.
    """
    path = settings.home / "credentials"
    try:
        entries = [json.loads(line) for line in path.read_text().splitlines() if line]
        urls = [str(entry["url"]) for entry in entries]
    except (ValueError, KeyError, TypeError):
        raise PlatformError(
            f"{path} is damaged.", "Remove it, and run it again: it makes another token."
        ) from None
    own = [entry for entry in entries if entry["url"].startswith("http://127.0.0.1:")]
    if own and settings.api_url not in urls:
        own[-1]["url"] = settings.api_url
        _write_credentials(settings, entries)


def _write_credentials(settings: Settings, entries: list[dict[str, str]]) -> None:
    """Only the file's owner reads it, and stays the same."""
    path = settings.home / "credentials"
    owner = path.stat() if path.exists() else None
    text = "".join(f"{json.dumps(entry)}\n" for entry in entries)
    wholefile.write(path, text.encode(), 0o600)
    if owner is not None:
        os.chown(path, owner.st_uid, owner.st_gid)


def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    try:
        homefile.fill(os.environ)
        settings = Settings.read()
        match options.command:
            case "init":
                init(settings)
            case "run":
                run(settings, options.socket)
            case "move":
                move(settings, options.target, check=options.check, replace=options.replace)
    except HytheError as error:
        print(f" !     {error.cause}\n !     {error.fix}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hythe serve", description="The control plane.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("init", help="make or migrate the database, the key, the first token")
    serving = commands.add_parser("run", help="serve until SIGTERM")
    serving.add_argument("--socket", type=int, help=argparse.SUPPRESS)
    moving = commands.add_parser(
        "move",
        prog="hythe db:move",
        description="Copy the installation's database to another one, SQLite or PostgreSQL, and "
        "check every row. The control plane must be stopped. The old database stays as it is.",
    )
    moving.add_argument("target", metavar="URL", help="postgresql://... or sqlite:////...")
    moving.add_argument("--check", action="store_true", help="compare the two, and copy nothing")
    moving.add_argument("--replace", action="store_true", help="delete what the target holds first")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
