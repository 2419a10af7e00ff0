"""One-off runs: a command in the release that serves, or in a live instance."""

import json
import shlex
from datetime import datetime
from typing import Annotated, cast

from fastapi import APIRouter, Path, WebSocket
from pydantic import Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hythe import network
from hythe.api.auth import CurrentActor, needs
from hythe.api.context import Context, CurrentContext
from hythe.api.v1.apps import find_app
from hythe.api.v1.deployments import Limit
from hythe.api.v1.shapes import Answer, Body, Items
from hythe.errors import Conflict, InvalidValue, NotFound, TooManyRuns
from hythe.model import App, Deployment, Instance, Release, Run, Write
from hythe.model.run import RunKind, RunReason, RunState
from hythe.spec import RELEASE_PROCESS, ReleaseSpec

router = APIRouter(prefix="/apps/{app}/runs", tags=["runs"])

Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
Side = Annotated[int, Field(ge=1, le=10_000)]
LONGEST_COMMAND = 64 * 1024
LEAST_MEMORY = 16 * 1024**2  # bytes; an engine refuses less than 6 MiB

REASON = (
    "exited: by itself. stopped: somebody asked for it. timeout: it took too long. memory: over "
    "its limit. client-gone: who was attached went away. lost: its container, or the instance that "
    "it ran in, went away. failed: it never ran."
)
ATTACH = (
    "An attached run starts when a WebSocket comes to `/v1/apps/{app}/runs/{number}/attach`, "
    "within 30 s, and ends when that goes away. docs/how-to/one-off-runs.md says what it speaks."
)


class NewRun(Body):
    command: str | None = Field(
        None,
        min_length=1,
        max_length=LONGEST_COMMAND,
        description="A line for the app's shell, or a process type; only an exec may leave it out.",
    )
    attach: bool = Field(False, description="Whether a client will be at its input and output.")
    instance: str | None = Field(
        None, max_length=80, description="Run it inside this one (`web.1`): an exec, attached."
    )
    tty: bool = Field(False, description="Whether it gets a terminal.")
    rows: Side | None = Field(None, description="Of the terminal at its start.")
    columns: Side | None = None
    memory: int | None = Field(None, ge=LEAST_MEMORY, le=2**50, description="Limit, bytes.")
    cpus: float | None = Field(None, gt=0, le=1024, description="Limit, cores.")
    timeout: int | None = Field(None, ge=1, description="Longest time, seconds.")


class RunAnswer(Answer):
    name: str = Field(examples=["run.3"])
    number: int
    kind: RunKind
    state: RunState = Field(description="ready: its container waits for the client.")
    command: str
    instance: str | None = Field(description="Of an exec: where it runs.")
    release: int | None
    exit_code: int | None
    reason: RunReason | None = Field(description=REASON)
    detail: str | None = Field(description="The reason in words.")
    created_by: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


@router.get("", summary="List one-off runs", description="Newest first; kept for 30 days.")
def list_runs(app: str, context: CurrentContext, limit: Limit = 50) -> Items[RunAnswer]:
    with context.database.read() as session:
        row = find_app(session, app)
        rows = session.scalars(
            select(Run).where(Run.app_id == row.id).order_by(Run.number.desc()).limit(limit)
        ).all()
        return Items(items=[_answer(session, run) for run in rows])


@router.post(
    "",
    status_code=201,
    summary="Run a command",
    description=ATTACH,
    dependencies=[needs("manage")],  # a command sees the config
)
def create_run(app: str, body: NewRun, context: CurrentContext, actor: CurrentActor) -> RunAnswer:
    with context.database.write() as tx:
        row = find_app(tx, app)
        run = _new(tx, context, row, body, actor.name)
        tx.add(run)
        tx.flush()
        where = f" in {run.instance}" if run.instance else ""
        tx.note("run.start", f"{run.name}{where}: {run.command}", actor=actor.name, app_id=row.id)
        tx.poke(row.id)
        return _answer(tx, run)


@router.get("/{number}", summary="Show a one-off run")
def show_run(app: str, number: Number, context: CurrentContext) -> RunAnswer:
    with context.database.read() as session:
        return _answer(session, _find(session, app, number))


@router.post(
    "/{number}/stop",
    status_code=202,
    summary="Stop a one-off run",
    description="SIGTERM, then SIGKILL after HYTHE_STOP_TIMEOUT seconds.",
    dependencies=[needs("manage")],
)
def stop_run(app: str, number: Number, context: CurrentContext, actor: CurrentActor) -> RunAnswer:
    with context.database.write() as tx:
        run = _find(tx, app, number)
        if run.state != "ended" and run.stop is None:
            run.stop, run.detail = "stopped", f"Stopped by {actor.name}."
            tx.note("run.stop", f"Stop {run.name}", actor=actor.name, app_id=run.app_id)
            tx.poke(run.app_id)
        return _answer(tx, run)


@router.websocket("/{number}/attach")
async def attach_run(websocket: WebSocket, app: str, number: Number) -> None:
    from anyio.to_thread import run_sync

    from hythe.api import attach  # with the first terminal, since most control planes see none

    context: Context = websocket.app.state.context
    websocket.state.actor.require("manage")

    def find() -> int:
        with context.database.read() as session:
            return _find(session, app, number).id

    def encode(run_id: int) -> str:
        with context.database.read() as session:
            answer = _answer(session, session.get_one(Run, run_id))
        return json.dumps({"ended": answer.model_dump(mode="json")})

    run_id = await run_sync(find)
    await attach.attach(websocket, context, run_id, websocket.state.recheck, encode)


def _find(session: Session, app: str, number: int) -> Run:
    row = find_app(session, app)
    wanted = select(Run).where(Run.app_id == row.id, Run.number == number)
    run: Run | None = session.scalar(wanted)
    if run is None:
        raise NotFound(f"{app} has no run.{number}.", "List them: `hythe runs`.")
    return run


def _new(tx: Write, context: Context, app: App, body: NewRun, actor: str) -> Run:
    """The row; raises InvalidValue, Conflict, NotFound, TooManyRuns."""
    limit = context.settings.run_timeout
    timeout = min(body.timeout or limit, 2**31 - 1)
    if timeout > limit:
        raise InvalidValue(
            f"{timeout} s is more than a run may take ({limit} s).",
            "Choose less; HYTHE_RUN_TIMEOUT sets the limit.",
        )
    number = tx.scalar(select(func.max(Run.number)).where(Run.app_id == app.id)) or 0
    run = Run(
        app_id=app.id,
        number=number + 1,
        kind="attached" if body.attach else "detached",
        tty=body.tty,
        rows=body.rows,
        columns=body.columns,
        memory=body.memory,
        cpus=body.cpus,
        timeout=timeout,
        created_by=actor,
    )
    if body.tty and not (body.attach or body.instance):
        raise InvalidValue("A detached run has no terminal.", "Leave `tty` out, or attach.")
    if body.instance is not None:
        spec = _place(tx, context, app, run, body.instance)
    else:
        spec = _release(tx, app, run)
    run.command = _line(spec, body.command, is_exec=body.instance is not None)
    return run


def _release(tx: Write, app: App, run: Run) -> ReleaseSpec:
    """Let it run in the release that serves."""
    if app.serving_id is None:
        raise Conflict(f"{app.name} has no release yet.", "Deploy first: `git push hythe main`.")
    under_way = select(func.count()).where(
        Run.app_id == app.id, Run.state != "ended", Run.kind != "exec"
    )
    if (tx.scalar(under_way) or 0) >= network.RUN_ROOM:
        raise TooManyRuns(f"{network.RUN_ROOM} one-off runs of {app.name} are under way.")
    run.deployment_id = app.serving_id
    return _spec(tx, app.serving_id)


def _place(tx: Write, context: Context, app: App, run: Run, name: str) -> ReleaseSpec:
    """Let it run inside an instance."""
    process, _, index = name.partition(".")
    wanted = select(Instance).where(
        Instance.app_id == app.id,
        Instance.process == process,
        Instance.index == (int(index) if index.isdecimal() and len(index) < 9 else 0),
        Instance.state.in_(["starting", "up"]),
    )
    found = tx.scalars(wanted.order_by(Instance.id)).all()
    serving = [each for each in found if each.deployment_id == app.serving_id]
    if not found:
        raise NotFound(f"{app.name} has no running instance {name}.", "List them: `hythe ps`.")
    chosen = (serving or found)[-1]
    run.kind, run.state, run.instance = "exec", "ready", name
    run.container = context.names.instance(app.name, process, chosen.index, chosen.id)
    run.deployment_id = chosen.deployment_id
    return _spec(tx, chosen.deployment_id)


def _spec(tx: Write, deployment_id: int) -> ReleaseSpec:
    deployment = tx.get_one(Deployment, deployment_id)
    return ReleaseSpec.of(tx.get_one(Release, deployment.release_id))


def _line(spec: ReleaseSpec, command: str | None, *, is_exec: bool) -> str:
    """The line to run; a process type stands for its command."""
    if command is None:
        if not is_exec:
            raise InvalidValue("There is no command.", "Name one.")
        return "bash" if spec.kind == "buildpacks" else "sh"
    if "\0" in command or not command.strip():
        raise InvalidValue("The command is not valid.", "Use a line of text.")
    line = command
    if command in spec.processes and command != RELEASE_PROCESS and not is_exec:
        line = spec.processes[command] or command
    if not spec.launch:
        try:
            shlex.split(line)
        except ValueError:
            raise InvalidValue("A quote is left open in the command.", "Close it.") from None
    return line


def _answer(session: Session, run: Run) -> RunAnswer:
    deployment = session.get(Deployment, run.deployment_id)
    release = session.get(Release, deployment.release_id) if deployment is not None else None
    return RunAnswer(
        name=run.name,
        number=run.number,
        kind=cast(RunKind, run.kind),
        state=cast(RunState, run.state),
        command=run.command,
        instance=run.instance,
        release=release.version if release is not None else None,
        exit_code=run.exit_code,
        reason=cast(RunReason | None, run.reason),
        detail=run.detail,
        created_by=run.created_by,
        created_at=run.created_at,
        started_at=run.started_at,
        ended_at=run.ended_at,
    )
