"""Instances of processes, and the routers that send requests to them."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from hythe.model.base import Base, now


class Instance(Base):
    """One instance of a process type of a deployment; it holds an address until it is gone.

    pending -> starting -> up -> draining -> gone; `crashed` is parked until retry_at.
    """

    __tablename__ = "instances"
    __table_args__ = (
        Index(
            "one_holder_an_address",
            "app_id",
            "address",
            unique=True,
            sqlite_where=text("state != 'gone'"),
            postgresql_where=text("state != 'gone'"),
        ),
        Index("ix_instances_app_state", "app_id", "state"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    app_id: Mapped[int] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"))
    deployment_id: Mapped[int] = mapped_column(ForeignKey("deployments.id"))
    process: Mapped[str]
    index: Mapped[int]
    address: Mapped[str]
    state: Mapped[str] = mapped_column(default="pending")
    created_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None]
    ready_at: Mapped[datetime | None]
    draining_at: Mapped[datetime | None]
    left_epoch: Mapped[int | None]  # the first table version that no longer routes to it
    left_sequence: Mapped[int | None]
    crashes: Mapped[int] = mapped_column(default=0)  # in a row
    restarts: Mapped[int] = mapped_column(default=0)  # of the container, as last seen
    retry_at: Mapped[datetime | None]
    exit_code: Mapped[int | None]
    gone_at: Mapped[datetime | None]


class Table(Base):
    """A published route table; the newest counts."""

    __tablename__ = "route_tables"

    epoch: Mapped[int] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    document: Mapped[str]  # wire.RouteTable as JSON
    created_at: Mapped[datetime] = mapped_column(default=now)
