"""The installation itself: its id, its tokens, what happened."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from hythe.model.base import Base, now


class Installation(Base):
    """The one row that names this installation."""

    __tablename__ = "installation"

    id: Mapped[str] = mapped_column(primary_key=True)  # six characters of a-z0-9
    epoch: Mapped[int]  # of route tables: new for each history of this database
    created_at: Mapped[datetime] = mapped_column(default=now)
    generation: Mapped[int] = mapped_column(default=0)  # of the lead, see lead.py
    moves: Mapped[int] = mapped_column(default=0)  # from one database to another, see identity.py
    key_check: Mapped[bytes | None]  # a word that only the right key file unseals


class Token(Base):
    """An API token; only its hash is kept."""

    __tablename__ = "tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    hash: Mapped[str] = mapped_column(unique=True)  # SHA-256 of a 256-bit random token, hex
    scope: Mapped[str] = mapped_column(default="manage")  # read | deploy | manage
    created_at: Mapped[datetime] = mapped_column(default=now)
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class Event(Base):
    """Something that happened: the audit log and the app's history."""

    __tablename__ = "events"
    __table_args__ = (Index("ix_events_app", "app_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    app_id: Mapped[int | None] = mapped_column(ForeignKey("apps.id", ondelete="SET NULL"))
    kind: Mapped[str]  # app.create, deploy.live, instance.crash, ...
    actor: Mapped[str]
    message: Mapped[str]
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=now)


class Registry(Base):
    """Credentials for pulling images from a registry."""

    __tablename__ = "registries"

    id: Mapped[int] = mapped_column(primary_key=True)
    host: Mapped[str] = mapped_column(unique=True)  # HOST or HOST:PORT, see imagename.py
    username: Mapped[str]
    password: Mapped[bytes]  # sealed
    created_at: Mapped[datetime] = mapped_column(default=now)
