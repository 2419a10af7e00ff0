"""One-off runs: a command beside the instances of an app, once."""

from datetime import datetime
from typing import Literal

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from hythe.model.base import Base, now

RunKind = Literal["attached", "detached", "exec"]
RunState = Literal["queued", "ready", "running", "ended"]
RunReason = Literal[
    "exited",  # by itself
    "stopped",  # somebody asked for it
    "timeout",
    "memory",  # over its limit
    "client-gone",  # who was attached went away, or never came
    "lost",  # its container, or the instance that it ran in, went away
    "failed",  # it never ran
]


class Run(Base):
    """A run of a command; its name is `run.N`, N counted for each app.

    attached: in a container of its own, for a client at its input and output. detached: the same
    without one. exec: in the container of a live instance, for a client.

    queued -> ready (its container is made and waits for the client) -> running -> ended. `stop`
    says that it shall end, and why; run/oneoffs.py carries that out, and it is the reason then.
    """

    __tablename__ = "runs"
    __table_args__ = (
        UniqueConstraint("app_id", "number"),
        Index(
            "one_run_an_address",
            "app_id",
            "address",
            unique=True,
            sqlite_where=text("state != 'ended'"),
            postgresql_where=text("state != 'ended'"),
        ),
        Index(
            "ix_runs_under_way",
            "state",
            sqlite_where=text("state != 'ended'"),
            postgresql_where=text("state != 'ended'"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    app_id: Mapped[int] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"))
    number: Mapped[int]
    kind: Mapped[str]  # RunKind
    state: Mapped[str] = mapped_column(default="queued")  # RunState
    command: Mapped[str]  # a line for the shell of the image
    deployment_id: Mapped[int] = mapped_column(ForeignKey("deployments.id"))  # whose release it has
    instance: Mapped[str | None]  # exec: "web.1"
    container: Mapped[str | None]  # exec: the name of that instance's container
    address: Mapped[str | None]  # in the app's network; exec has none
    tty: Mapped[bool] = mapped_column(default=False)
    rows: Mapped[int | None]  # of the terminal at its start
    columns: Mapped[int | None]
    memory: Mapped[int | None] = mapped_column(BigInteger)  # bytes; None: as an instance's
    cpus: Mapped[float | None]
    timeout: Mapped[int]  # seconds from its start
    stop: Mapped[str | None]  # RunReason
    reason: Mapped[str | None]  # RunReason, once it has ended
    detail: Mapped[str | None]  # the reason in words, unless it just exited
    exit_code: Mapped[int | None]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
    ready_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    seen_at: Mapped[datetime | None]  # when its client was there last
    ended_at: Mapped[datetime | None]

    @property
    def name(self) -> str:
        return f"run.{self.number}"
