"""A control plane with only its source stage, a pusher, and the later stages played by the test."""

import os
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from sqlalchemy import func, select
from starlette.requests import Request
from starlette.responses import Response

from hythe.errors import HytheError
from hythe.model import App, Database, Deployment, Release, Vault, now, supersede
from hythe.settings import Settings
from hythe.source import git_http
from hythe.source.repository import Repository
from hythe.source.stage import SourceStage
from hythe.transcript import Transcript

SECONDS = 20  # within which anything happens here


def eventually(condition: Callable[[], object], what: str) -> None:
    """Wait until condition() is true; fail with what was waited for."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited {SECONDS} s: {what}"
        time.sleep(0.01)


class LaterStages:
    """What build, release and run do to the rows and the transcript, one step at a call."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        self.database = database

    def claim(self) -> Deployment:
        """Wait for a queued deployment and begin to build it."""
        found: list[Deployment] = []

        def claimed() -> bool:
            with self.database.write() as tx:
                for row in tx.scalars(select(Deployment).where(Deployment.status == "queued")):
                    row.status = "building"
                    found.append(row)
            return bool(found)

        eventually(claimed, "a queued deployment")
        return found[0]

    def say(self, deployment: Deployment, line: str) -> None:
        Transcript.of(self.settings, deployment.id).step(line)

    def release(self, deployment: Deployment) -> int:
        """Make the deployment's release; return its version."""
        with self.database.write() as tx:
            newest = tx.scalar(
                select(func.max(Release.version)).where(Release.app_id == deployment.app_id)
            )
            release = Release(
                app_id=deployment.app_id,
                version=(newest or 0) + 1,
                description="",
                image="sha256:0",
                source_id=deployment.source_id,
                config=b"",
                spec={},
                created_by="test",
            )
            tx.add(release)
            tx.flush()
            row = tx.get_one(Deployment, deployment.id)
            row.release_id, row.status = release.id, "rolling"
            return release.version

    def set_config(self, deployment: Deployment) -> Deployment:
        """A config var is set during a rollout: a release of the same code takes over."""
        with self.database.write() as tx:
            old = tx.get_one(Deployment, deployment.id)
            heir = Deployment(
                app_id=old.app_id,
                kind="config",
                status="rolling",
                source_id=old.source_id,
                created_by="test",
            )
            line = supersede(tx, [old], heir)
            Transcript.of(self.settings, old.id).warn(line)
        return heir

    def go_live(self, deployment: Deployment) -> int:
        version = self.release(deployment)
        Transcript.of(self.settings, deployment.id).done(f"deployed (v{version})")
        with self.database.write() as tx:
            row = tx.get_one(Deployment, deployment.id)
            row.status, row.ended_at = "live", now()
            tx.get_one(App, row.app_id).serving_id = row.id
            tx.poke(row.app_id)
        return version

    def fail(self, deployment: Deployment, code: str, cause: str = "It broke.") -> None:
        Transcript.of(self.settings, deployment.id).warn(cause)
        with self.database.write() as tx:
            row = tx.get_one(Deployment, deployment.id)
            row.status, row.ended_at = "failed", now()
            row.error_code, row.error_cause = code, cause
            tx.poke(row.app_id)


class Push:
    """A `git push` that runs beside the test."""

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            text=True,
            errors="replace",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.output = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.output += line

    def shows(self, text: str) -> None:
        eventually(lambda: text in self.output, f"{text!r} in {self.output!r}")

    def end(self) -> int:
        code = self.process.wait(SECONDS)
        self._reader.join(SECONDS)
        return code

    def kill(self) -> None:
        os.killpg(self.process.pid, 9)
        self.process.wait(SECONDS)


class WorkingCopy:
    """A pusher's repository with a remote `hythe`."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder.parent),
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_AUTHOR_NAME": "Ada",
            "GIT_AUTHOR_EMAIL": "ada@example.com",
            "GIT_COMMITTER_NAME": "Ada",
            "GIT_COMMITTER_EMAIL": "ada@example.com",
        }
        folder.mkdir()
        self.git("init", "-q", "-b", "main")
        self.git("remote", "add", "hythe", url)

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env=self.environment,
            text=True,
            capture_output=True,
            timeout=SECONDS,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit(self, files: dict[str, str | bytes] | None = None, message: str = "Change") -> str:
        for name, content in (files or {}).items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def push(self, *arguments: str) -> Push:
        command = ["git", "push", "--no-progress", "hythe", *(arguments or ("main",))]
        return Push(command, self.folder, self.environment)


@dataclass
class Place:
    """A control plane that has only its source stage."""

    settings: Settings
    database: Database
    stage: SourceStage
    later: LaterStages
    url: str
    folder: Path

    def another_stage(self) -> SourceStage:
        """A source stage after a restart; not started."""
        vault = Vault.open(self.settings.key_file)
        return SourceStage(self.settings, self.database, vault)

    def app(self, name: str = "shop", **columns: str) -> App:
        with self.database.write() as tx:
            app = App(name=name, **columns)
            tx.add(app)
        return app

    def copy(self, app: App, name: str = "copy") -> WorkingCopy:
        return WorkingCopy(self.folder / name, f"{self.url}/{app.name}.git")

    def repository(self, app: App) -> Repository:
        return Repository(self.settings, app.id)

    def refs(self, app: App) -> dict[str, str]:
        return self.repository(app).refs("refs/")

    def row(self, deployment: Deployment) -> Deployment:
        with self.database.read() as session:
            return session.get_one(Deployment, deployment.id)


def web_app(settings: Settings, database: Database, stage: SourceStage) -> FastAPI:
    """The two routes that git needs."""

    def repository(request: Request) -> Repository:
        with database.read() as session:
            app = session.scalar(select(App).where(App.name == request.path_params["app"]))
        assert app is not None
        return stage.repository(app)

    async def advertise(request: Request) -> Response:
        service = git_http.service(request.query_params["service"])
        protocol = request.headers.get("git-protocol", "")
        body = await git_http.advertise(repository(request), service, protocol)
        return Response(body, media_type=git_http.advertisement_type(service))

    async def rpc(request: Request) -> git_http.Exchange:
        return git_http.Exchange(
            settings,
            repository(request),
            git_http.service(request.path_params["service"]),
            actor="ada",
            protocol=request.headers.get("git-protocol", ""),
            encoding=request.headers.get("content-encoding", ""),
        )

    async def problem(_request: Request, error: HytheError) -> Response:
        return PlainTextResponse(f"{error.cause}\n{error.fix}\n", error.status)

    web = FastAPI(exception_handlers={HytheError: problem})
    web.add_route("/{app}.git/info/refs", advertise)
    web.add_route("/{app}.git/{service}", rpc, methods=["POST"])
    return web
