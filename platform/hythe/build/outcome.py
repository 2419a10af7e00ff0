"""How a build's process hands its result back: a JSON file beside the build's folders.

{"result": Result.as_json()} or {"error": Failure as JSON}; no file: it was killed.
"""

import json
import os
import threading
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from hythe import logs
from hythe.build.clock import Clock
from hythe.build.container import build_uid
from hythe.build.job import Job, Request
from hythe.build.living import living
from hythe.build.watch import Watch
from hythe.build.workspace import Workspace
from hythe.engine import docker
from hythe.engine.port import Engine
from hythe.errors import BuildError, HytheError, PlatformError
from hythe.settings import Settings

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a build failed, as rows and people get it, and where its time went."""

    code: str
    cause: str
    fix: str
    steps: list[dict[str, Any]] = field(default_factory=list)  # Step.as_json() of each

    @classmethod
    def of(cls, error: HytheError) -> "Failure":
        return cls(error.code, error.cause, error.fix)


KILLED = Failure.of(
    BuildError("The build's process was killed.", "Deploy again; is the machine out of memory?")
)


def work(request: dict[str, Any]) -> None:
    """What a nursery's child does: build what the request says, write the outcome."""
    known = Request(**request)
    with living(Settings(**known.settings)):
        _work(known, docker.connect())


def read(workspace: Workspace) -> dict[str, Any] | Failure:
    """Result.as_json() of a build whose process has ended, or why it failed."""
    try:
        document = json.loads(workspace.outcome.read_text())
    except FileNotFoundError:
        return KILLED
    if "error" in document:
        return Failure(**document["error"])
    result: dict[str, Any] = document["result"]
    return result


def _work(request: Request, engine: Engine) -> None:
    settings = Settings(**request.settings)
    workspace = Workspace.of(settings, request.build_id)
    if request.spare is None:
        workspace.remove()  # of an attempt that was interrupted
        workspace.lay_out(build_uid())
    clock, last_word = Clock(), threading.Lock()

    def seize(error: HytheError) -> None:
        """From the watch: nothing else is said, and nothing goes on; too late after the result."""
        last_word.acquire()
        _write(workspace, _failure(clock, error))
        os._exit(0)

    watch = Watch(settings, workspace, engine, clock, seize)
    job = Job(request, engine, clock)
    job.enters = watch.container
    watch.start()
    document = _run(job, watch)
    last_word.acquire()
    _write(workspace, document)


def _run(job: Job, watch: Watch) -> dict[str, Any]:
    try:
        return {"result": job.run().as_json()}
    except HytheError as error:
        job.output.flush()
        return _failure(job.clock, watch.explain(job.output.explain(error)))
    except Exception as error:  # the pusher is told, whatever it was
        log.error("build broke", build=job.request.build_id, exc_info=error)
        text = f"The build broke inside Hythe: {type(error).__name__}: {error}"[:300]
        return _failure(job.clock, PlatformError(text))


def _write(workspace: Workspace, document: dict[str, Any]) -> None:
    temporary = workspace.outcome.with_suffix(".new")
    temporary.write_text(json.dumps(document))
    temporary.rename(workspace.outcome)


def _failure(clock: Clock, error: HytheError) -> dict[str, Any]:
    steps = [step.as_json() for step in clock.steps]
    return {"error": asdict(replace(Failure.of(error), steps=steps))}
