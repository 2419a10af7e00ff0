"""Which database belongs to which HYTHE_HOME.

HYTHE_HOME/installation says which installation the folder belongs to, how often its database was
moved, and where it is now; HYTHE_HOME/key seals its secrets. The database's installation row says
the same from the other side. Both are compared at each start, so that nobody acts on the
containers of one installation by the rows of another, or by rows that were left behind by a move.
"""

import json
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, inspect, select, text

from hythe import wholefile
from hythe.errors import OtherInstallation, PlatformError
from hythe.model.connect import shown
from hythe.model.database import Database
from hythe.model.platform import Installation
from hythe.settings import Settings
from hythe.vault import Vault

WORD = "hythe"


@dataclass(frozen=True, slots=True)
class Record:
    """What HYTHE_HOME says about its database."""

    id: str
    moves: int
    database: str  # without its password

    @classmethod
    def load(cls, settings: Settings) -> "Record | None":
        """None before the first start."""
        try:
            return cls(**json.loads(settings.installation_file.read_text()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            raise OtherInstallation(
                f"{settings.installation_file} cannot be read.",
                "Restore it from a backup of HYTHE_HOME, or delete it to adopt the database.",
            ) from None

    def save(self, settings: Settings) -> None:
        content = json.dumps(asdict(self)) + "\n"
        wholefile.write(settings.installation_file, content.encode(), 0o644)


def establish(settings: Settings, database: Database) -> tuple[Installation, Vault]:
    """The installation's row and key, made on the first start. Raises OtherInstallation."""
    record = Record.load(settings)
    with database.read() as session:
        row = session.scalar(select(Installation))
    if row is None and record is not None:
        raise _empty(database.url, record)
    if row is None and settings.key_file.exists() and (code := _repositories(settings)):
        raise OtherInstallation(
            f"{shown(database.url)} is empty, but {settings.home} has a key and the code of"
            f" {code} apps.",
            "Set HYTHE_DATABASE_URL to the database of these apps, or choose another HYTHE_HOME.",
        )
    if row is not None and row.key_check is not None:
        _compare(settings, row, record)
    row = database.installation()
    vault = Vault.open(settings.key_file)
    if row.key_check is None:
        with database.write() as tx:
            row = tx.scalars(select(Installation)).one()
            row.key_check = vault.seal(WORD)
    _note(settings, database, row, record)
    return row, vault


def recognise(settings: Settings, database: Database) -> tuple[Installation, Vault]:
    """The installation's row and key; makes and changes nothing. Raises OtherInstallation."""
    record = Record.load(settings)
    with database.read() as session:
        row = session.scalar(select(Installation))
    if row is None or row.key_check is None:
        raise PlatformError("The database has not been prepared.", "Run `bin/up`.")
    vault = _compare(settings, row, record)
    _note(settings, database, row, record)
    return row, vault


def require_own(settings: Settings, connection: Connection) -> str:
    """The installation's id, from a database of any revision; it is only read.

    Raises OtherInstallation, and PlatformError when there is none.
    """
    record = Record.load(settings)
    names = inspect(connection).get_table_names()
    found = None
    if Installation.__tablename__ in names:
        table = text(f"SELECT * FROM {Installation.__tablename__}")
        found = connection.execute(table).mappings().one_or_none()
    if found is None:
        if record is not None:
            raise _empty(connection.engine.url.render_as_string(hide_password=True), record)
        raise PlatformError("The database has not been prepared.", "Run `bin/up`.")
    row = Installation(
        id=found["id"], moves=found.get("moves", 0), key_check=found.get("key_check")
    )
    if row.key_check is not None or record is not None:
        _compare(settings, row, record)
    return row.id


def _empty(url: str, record: Record) -> OtherInstallation:
    return OtherInstallation(
        f"{shown(url)} is empty, but HYTHE_HOME has the installation {record.id}.",
        f"It lives in {record.database}: set HYTHE_DATABASE_URL to that, or copy it"
        " with `hythe db:move`.",
    )


def _compare(settings: Settings, row: Installation, record: Record | None) -> Vault:
    if record is not None and row.id != record.id:
        raise OtherInstallation(
            f"The database is of the installation {row.id}, HYTHE_HOME of {record.id}.",
            f"Set HYTHE_DATABASE_URL to {record.database}, or HYTHE_HOME to that of {row.id}.",
        )
    if record is not None and row.moves < record.moves:
        raise OtherInstallation(
            f"This database was left by `hythe db:move`: {row.id} lives in {record.database} now.",
            _way_to(record.database, settings),
        )
    if not settings.key_file.exists():
        raise OtherInstallation(
            f"The database is of the installation {row.id}, whose key is not in HYTHE_HOME.",
            f"Put its key file back as {settings.key_file}, or correct HYTHE_HOME.",
        )
    vault = Vault.open(settings.key_file)
    if row.key_check is None:  # of before there was one
        return vault
    try:
        vault.unseal(row.key_check)
    except PlatformError:
        raise OtherInstallation(
            f"{settings.key_file} is not the key of the database's installation {row.id}.",
            "Put the key file that belongs to this database back.",
        ) from None
    return vault


def _repositories(settings: Settings) -> int:
    return len(list((settings.home / "repositories").glob("*.git")))


def _way_to(database: str, settings: Settings) -> str:
    if database == shown(f"sqlite:///{settings.home / 'hythe.db'}"):
        return "Unset HYTHE_DATABASE_URL."
    return "Set HYTHE_DATABASE_URL to that, with its password."


def _note(settings: Settings, database: Database, row: Installation, old: Record | None) -> None:
    """Bring the record up to date: after the first start, a move, or a change of address."""
    new = Record(row.id, row.moves, shown(database.url))
    if new != old:
        new.save(settings)
