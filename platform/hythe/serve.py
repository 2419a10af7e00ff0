"""The control plane's process.

    python -m hythe.serve init    make or migrate the database, the key, the first token
    python -m hythe.serve run     serve until SIGTERM

Imports come late here, on purpose: the nursery is forked before the API and the database are
imported, so that it stays small.
"""

import fcntl
import gc
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hythe import logs
from hythe.errors import HytheError, PlatformError
from hythe.settings import Settings


def init(settings: Settings) -> None:
    """Make what a first start needs; a later call changes nothing but the schema's version."""
    from hythe.api.tokens import mint
    from hythe.model import Database, Vault
    from hythe.model.schema import migrate

    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    migrate(settings.database)
    Vault.open(settings.key_file)
    database = Database(settings.database)
    database.installation()
    credentials = settings.home / "credentials"
    if not credentials.exists():
        with database.write() as tx:
            _, secret = mint(tx, "local user", "manage")
        _write_private(credentials, json.dumps({"url": settings.api_url, "token": secret}))
    if settings.public:
        from hythe.api import certificate

        certificate.ensure(settings, certificate.now())  # a bad one is told before anything starts
    database.close()


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    from hythe.build import outcome
    from hythe.build.nursery import Nursery

    logs.configure("control")
    with _only_one(settings.run_dir / "control.lock"):
        gc.freeze()  # a collection would write to the pages that both processes share
        nursery = Nursery.start(outcome.work)
        try:
            from hythe.plane import serve

            serve(settings, nursery)
        finally:
            nursery.stop()


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Hold the home's lock; raises PlatformError when another control plane holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PlatformError(
                f"Another control plane already serves {path.parent.parent}.",
                "Stop it with `bin/down`, or choose another HYTHE_HOME.",
            ) from None
        yield


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads; whole or not at all."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)


def main(arguments: list[str]) -> int:
    commands = {"init": init, "run": run}
    if len(arguments) != 1 or arguments[0] not in commands:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        commands[arguments[0]](Settings())
    except HytheError as error:
        print(f" !     {error.cause}\n !     {error.fix}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
