"""What the control plane and the router weigh with one app, and with a hundred that run."""

import tempfile
import time
from pathlib import Path

from sqlalchemy import func, select

from bench.figure import Figure
from bench.installation import Installation, until
from bench.memory import family, pss
from bench.push import note
from hythe.model import App, Build, Database, Deployment, Source

APPS = 100
REST_SECONDS = 30
MOST = 1.3  # times the memory with one app


def measure(store: str, database_url: str) -> list[Figure]:
    """On an installation of its own, which is removed afterwards; the URL is empty for SQLite."""
    with tempfile.TemporaryDirectory(prefix="hythe-bench-") as folder:
        installation = Installation(Path(folder) / "home", HYTHE_DATABASE_URL=database_url)
        try:
            note(f"starting an installation on {store}, with one app")
            installation.up("--no-example")
            installation.project("first", "wsgi-bare", Path(folder) / "first").push()
            one = idle(installation)
            note(f"starting {APPS - 1} more apps")
            url = database_url or f"sqlite:///{installation.home}/hythe.db"
            repeat(Database(url), APPS - 1)
            many = idle(installation)
        finally:
            installation.remove()
    ratios = [after / before for before, after in zip(one, many, strict=True)]
    return [
        Figure(f"idle memory, one app, {store}", one, "MiB"),
        Figure(f"idle memory, {APPS} apps, {store}", many, "MiB"),
        Figure(f"idle memory, {APPS} apps / one, {store}", ratios, "x", ("<=", MOST)),
    ]


def repeat(database: Database, times: int) -> None:
    """Give so many new apps the build of the one that there is, and wait until all are live.

    A push would make the same rows; the release stage takes it from here.
    """
    for number in range(times):
        with database.write() as tx:
            source, build = tx.scalars(select(Source)).first(), tx.scalars(select(Build)).first()
            assert source is not None and build is not None
            app = App(name=f"app-{number:03}")
            tx.add(app)
            tx.flush()
            new_source = Source(**_columns(source), app_id=app.id)
            tx.add(new_source)
            tx.flush()
            new_build = Build(**_columns(build), app_id=app.id, source_id=new_source.id)
            tx.add(new_build)
            tx.flush()
            tx.add(
                Deployment(
                    app_id=app.id,
                    kind="push",
                    status="built",
                    source_id=new_source.id,
                    build_id=new_build.id,
                    created_by="bench",
                )
            )

    def live() -> bool:
        with database.read() as session:
            count = session.scalar(
                select(func.count()).select_from(App).where(App.serving_id.is_not(None))
            )
        return count == times + 1

    until(live, 900)
    database.close()


def _columns(row: Source | Build) -> dict[str, object]:
    """The columns of a row that its copy for another app has too."""
    own = ("id", "app_id", "source_id")
    return {
        column.name: getattr(row, column.name)
        for column in row.__table__.columns
        if column.name not in own
    }


def idle(installation: Installation) -> list[float]:
    """MiB of both programs with all their processes, when nothing happened for a while."""
    time.sleep(REST_SECONDS)
    found = []
    for _ in range(5):
        pids = [*family(installation.pid("control-plane")), *family(installation.pid("router"))]
        found.append(pss(*pids))
        time.sleep(1)
    return found
