"""What a one-off run needs next: a pure function of its row, its container and the time.

A step may be repeated, so whoever carries it out may die anywhere. At the fixed point it is None.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from hythe.engine.port import Container
from hythe.model.run import Run, RunReason

CLIENT = timedelta(seconds=30)
"""How long a client may be silent, or a run wait for it; it says every 5 s that it is there."""
EXEC_OVER = timedelta(seconds=10)
"""When the instance of an exec has ended, who served its client tells the exit code first."""


@dataclass(frozen=True, slots=True)
class Create:
    """Make the container, without starting it."""


@dataclass(frozen=True, slots=True)
class Ready:
    """Say that the container is made."""


@dataclass(frozen=True, slots=True)
class Start:
    pass


@dataclass(frozen=True, slots=True)
class Ask:
    """Say that it shall end, and why."""

    reason: RunReason
    detail: str


@dataclass(frozen=True, slots=True)
class Stop:
    """End the program."""


@dataclass(frozen=True, slots=True)
class End:
    """It has ended: say so, then remove its container."""

    reason: RunReason
    detail: str | None = None
    exit_code: int | None = None


Step = Create | Ready | Start | Ask | Stop | End


def next_step(run: Run, container: Container | None, now: datetime) -> Step | None:
    """container: the run's own; of an exec the instance's."""
    if run.state == "ended":
        return None
    if run.kind == "exec":
        return _of_exec(run, container, now)
    if container is None:
        if run.state == "queued" and run.stop is None:
            return Create()
        return _stopped(run) or End("lost", "Its container was removed by somebody else.")
    if container.state == "created":
        return _before_start(run, now)
    if container.state in ("exited", "dead"):
        return _after(run, container)
    if run.state != "running":
        return Start()  # it was started, and nobody wrote it down
    return Stop() if run.stop else _limit(run, now)


def _before_start(run: Run, now: datetime) -> Step | None:
    if run.stop:
        return _stopped(run)
    if run.state == "queued":
        return Ready()
    if run.kind == "attached" and run.seen_at is None:
        return _no_client(run, now)
    return Start()


def _after(run: Run, container: Container) -> End:
    if run.stop:
        return End(reason_of(run), run.detail, container.exit_code)
    if container.oom_killed:
        detail = "Error R15 (Memory quota vastly exceeded): it was killed over its memory limit."
        return End("memory", detail, container.exit_code)
    return End("exited", None, container.exit_code)


def _of_exec(run: Run, container: Container | None, now: datetime) -> Step | None:
    if run.state != "running":
        return _stopped(run) or _no_client(run, now)
    if container is None or container.state != "running":
        if now - (run.seen_at or run.created_at) < EXEC_OVER:
            return None
        return End("lost", f"{run.instance} ended.")
    return Stop() if run.stop else _limit(run, now)


def _limit(run: Run, now: datetime) -> Ask | None:
    if now - (run.started_at or now) > timedelta(seconds=run.timeout):
        return Ask("timeout", f"It took longer than its limit of {run.timeout} s.")
    if run.kind != "detached" and now - (run.seen_at or run.created_at) > CLIENT:
        return Ask("client-gone", "Its client went away.")
    return None


def _no_client(run: Run, now: datetime) -> End | None:
    if now - (run.ready_at or run.created_at) > CLIENT:
        return End("client-gone", "Its client never came.")
    return None


def _stopped(run: Run) -> End | None:
    return End(reason_of(run), run.detail) if run.stop else None


def reason_of(run: Run) -> RunReason:
    """Why it shall end."""
    reason: RunReason = run.stop  # type: ignore[assignment]  # the column holds nothing else
    return reason
