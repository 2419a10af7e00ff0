"""hythe upgrade:check: what this code would do with the data that is there, before it does it.

It reads, and changes nothing. An upgrade never restarts an app: a release keeps its spec, and the
containers are not the control plane's children.
"""

import ast
import json
import shutil
import socket
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, func, select

import hythe
from hythe.admin.reading import reading
from hythe.engine import docker
from hythe.errors import HytheError, PlatformError
from hythe.model import Release, Table, schema
from hythe.model.identity import require_own
from hythe.model.lead import planes
from hythe.names import LABEL_KIND, Names
from hythe.settings import Settings
from hythe.spec import FORMAT
from hythe.wire import BadTable, RouteTable

OLDEST_ENGINE = (20, 10)
SPARE_BYTES = 100 * 1000**2
NARROWING = frozenset({"drop_table", "drop_column", "rename_table", "drop_constraint"})

Say = Callable[[str], None]


@dataclass(frozen=True)
class Finding:
    """A line of the report; one that is not well must be seen to before the upgrade."""

    text: str
    fix: str = ""  # what to do; empty: all is well


def check(settings: Settings, say: Say) -> bool:
    """Report what an upgrade to this code means; returns whether it can be done."""
    say(f"This code is Hythe {hythe.__version__}; {_running(settings)}")
    well = True
    for finding in _findings(settings):
        say(f"{' !  ' if finding.fix else 'ok  '} {finding.text}")
        if finding.fix:
            well = False
            say(f"      {finding.fix}")
    if well:
        say("Take a backup (`hythe backup FILE`), then run `bin/up --restart`. No app restarts.")
    return well


def _running(settings: Settings) -> str:
    try:
        with urllib.request.urlopen(f"{settings.api_url}/healthz", timeout=3) as answer:
            return f"{json.load(answer)['version']} runs"
    except (OSError, ValueError, KeyError):
        return "no control plane runs"


def _findings(settings: Settings) -> Iterator[Finding]:
    if not settings.key_file.exists():
        yield Finding("No installation is there yet; bin/up makes one")
        return
    try:
        with reading(settings) as connection:
            names = Names(require_own(settings, connection))
            yield from _schema(connection)
            yield from _specs(connection)
            yield from _tables(settings, connection)
            yield from _others(settings, connection)
    except PlatformError as error:
        yield Finding(error.cause, error.fix)
        return
    yield from _engine(names)
    yield from _disk(settings)


def _schema(connection: Connection) -> Iterator[Finding]:
    try:
        revision = schema.current(connection)
    except HytheError as error:
        yield Finding(error.cause, error.fix)
        return
    pending = [known for known in schema.revisions() if known > (revision or "")]
    if not pending:
        yield Finding(f"The database is at revision {revision}; there is nothing to migrate")
    for known in pending:
        path = next((schema.folder() / "versions").glob(f"{known}_*.py"))
        what = path.stem.partition("_")[2].replace("_", " ")
        narrowing = sorted(narrows(path.read_text()))
        if narrowing:
            yield Finding(
                f"Migration {known}, {what}: {', '.join(narrowing)}; the code before cannot go on",
                "Take a backup: only a restore leads back to the code before.",
            )
        else:
            yield Finding(f"Migration {known}, {what}: it only adds")


def narrows(revision: str) -> set[str]:
    """What a revision's upgrade takes away; one that expands first does nothing of that kind."""
    upgrade = next(
        node
        for node in ast.parse(revision).body
        if isinstance(node, ast.FunctionDef) and node.name == "upgrade"
    )
    calls = (node.func for node in ast.walk(upgrade) if isinstance(node, ast.Call))
    return {call.attr for call in calls if isinstance(call, ast.Attribute)} & NARROWING


def _specs(connection: Connection) -> Iterator[Finding]:
    formats = {int(spec.get("format", 1)) for spec in connection.scalars(select(Release.spec))}
    count = connection.scalar(select(func.count()).select_from(Release))
    if formats and max(formats) > FORMAT:
        yield Finding(
            f"Releases have specs of format {max(formats)}; this code reads up to {FORMAT}",
            "Use the newer Hythe that made them.",
        )
    else:
        yield Finding(f"{count} releases keep their specs; this code reads them")


def _tables(settings: Settings, connection: Connection) -> Iterator[Finding]:
    newest = select(Table.document).order_by(Table.epoch.desc(), Table.sequence.desc()).limit(1)
    documents: dict[str, str | bytes] = {}
    if (document := connection.scalar(newest)) is not None:
        documents["the newest route table"] = document
    snapshot = settings.home / "router" / "snapshot.json"
    if snapshot.exists():
        documents["the router's snapshot"] = snapshot.read_bytes()
    for name, text in documents.items():
        try:
            RouteTable.loads(text)
        except BadTable as error:
            yield Finding(f"This code cannot read {name}: {error}", "Use the Hythe that wrote it.")
        else:
            yield Finding(f"This code reads {name}")


def _others(settings: Settings, connection: Connection) -> Iterator[Finding]:
    """Control planes that `bin/up --restart` does not restart."""
    mine = {(socket.gethostname()[:24], pid) for pid in _own_process(settings)}
    for plane in planes(connection):
        if (plane.host, plane.pid) not in mine:
            role = "leads" if plane.leads else "stands by"
            yield Finding(
                f"Another control plane {role}: Hythe {plane.version} on {plane.host}, process"
                f" {plane.pid}",
                "Stop it first; start it again with the new code after the upgrade.",
            )


def _own_process(settings: Settings) -> Iterator[int]:
    """The control plane that `bin/up` or systemd keeps for this home."""
    with suppress(OSError, ValueError, IndexError):
        yield int((settings.run_dir / "control-plane.pid").read_text().split()[0])


def _engine(names: Names) -> Iterator[Finding]:
    try:
        instances = docker.connect().instances
        version = instances.ping()
        running = [
            one
            for one in instances.list({**names.labels, LABEL_KIND: "instance"})
            if one.state == "running"
        ]
    except HytheError as error:
        yield Finding(error.cause, error.fix)
        return
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < OLDEST_ENGINE:
        yield Finding(f"The engine is {version}", "Hythe needs Docker 20.10 or newer.")
    else:
        yield Finding(f"The engine is {version}; {len(running)} instances run, and run on")


def _disk(settings: Settings) -> Iterator[Finding]:
    """A migration of SQLite may need the database once more."""
    database = settings.home / "hythe.db"
    size = database.stat().st_size if database.exists() else 0
    free = shutil.disk_usage(_there(settings.home)).free
    if free < size + SPARE_BYTES:
        need = (size + SPARE_BYTES) / 1e6
        yield Finding(f"{free / 1e6:.0f} MB are free", f"A migration may need {need:.0f} MB.")
    else:
        yield Finding(f"{free / 1e9:.1f} GB are free")


def _there(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())
