"""hythe backup FILE: all that cannot be made again, also while Hythe runs."""

import json
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

import hythe
from hythe.admin import rows
from hythe.admin.archive import MANIFEST, writing
from hythe.admin.reading import reading
from hythe.errors import PlatformError
from hythe.model import schema
from hythe.model.identity import require_own
from hythe.settings import Settings
from hythe.source.repository import Repository

FORMAT = 1
TRUST = ("tls/cert.pem", "tls/key.pem", "ssh/known_hosts")  # what others know it by, and it them
KEPT_OUT = {"home", "database_url"}  # settings that belong to the machine, or hold a password

Say = Callable[[str], None]


def backup(settings: Settings, path: Path, say: Say) -> None:
    """Write a backup; raises PlatformError. The rows are of one moment; a push that is taken in
    while the repositories are packed may be there in its repository only."""
    if not settings.key_file.exists():
        raise PlatformError(
            f"There is no installation in {settings.home}.", "Set HYTHE_HOME to the one you mean."
        )
    with tempfile.TemporaryDirectory(prefix=".hythe-backup-", dir=path.absolute().parent) as made:
        work = Path(made)
        say("Reading the database")
        manifest = _dump(settings, work)
        with writing(path.absolute()) as archive:
            archive.text(MANIFEST, json.dumps(manifest, indent=2))
            archive.file("key", settings.key_file)
            for name in TRUST:
                if (settings.home / name).exists():
                    archive.file(name, settings.home / name)
            for table in manifest["counts"]:
                archive.file(f"rows/{table}.jsonl", work / f"{table}.jsonl")
            repositories = list(_repositories(settings))
            for number, repository in enumerate(repositories, 1):
                say(f"Packing repository {number} of {len(repositories)}")
                bundle = work / "bundle"
                repository.git("bundle", "create", "--quiet", str(bundle), "--all")
                archive.file(f"repositories/{repository.app_id}.bundle", bundle)
                bundle.unlink()
            say("Reading it back")
    total = sum(manifest["counts"].values())
    size = path.stat().st_size / 1e6
    say(f"{path}: {manifest['counts']['apps']} apps, {total} rows, {size:.1f} MB, verified")


def _dump(settings: Settings, work: Path) -> dict[str, Any]:
    """Write each table to a file of its own, all of one moment; returns the manifest."""
    with reading(settings) as connection:
        _begin(connection)
        require_own(settings, connection)
        revision = schema.current(connection)
        counts: dict[str, int] = {}
        for table in rows.tables(connection):
            if table.name in rows.LEFT_OUT:
                continue
            with (work / f"{table.name}.jsonl").open("w") as file:
                counts[table.name] = 0
                for line in rows.dump(connection, table):
                    file.write(line + "\n")
                    counts[table.name] += 1
        changed = settings.changed()
        return {
            "format": FORMAT,
            "version": hythe.__version__,
            "revision": revision,
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "counts": counts,
            "highest_ids": rows.highest_ids(connection),
            "settings": {key: value for key, value in changed.items() if key not in KEPT_OUT},
        }


def _begin(connection: Connection) -> None:
    """Begin a transaction that sees one moment. SQLite's driver leaves SELECTs outside of it."""
    if connection.dialect.name == "sqlite":
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.isolation_level = None
        connection.execute(text("PRAGMA busy_timeout = 15000"))
        driver.execute("BEGIN")
    else:
        connection.execution_options(isolation_level="REPEATABLE READ")
        # It holds no lock, and may be busy with a large table for longer than writers may be.
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))


def _repositories(settings: Settings) -> list[Repository]:
    """Those that hold something; git makes no bundle of nothing."""
    found = (settings.home / "repositories").glob("*.git")
    ids = sorted(int(path.stem) for path in found if path.stem.isdecimal())
    every = (Repository(settings, app_id) for app_id in ids)
    return [repository for repository in every if repository.refs("refs/")]
