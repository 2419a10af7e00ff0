"""People: who may sign in to the dashboard, and where they are signed in."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from hythe.model.base import Base, now


class User(Base):
    """Somebody with a password."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str]  # argon2id, in the PHC format
    scope: Mapped[str] = mapped_column(default="manage")  # read | deploy | manage, as of tokens
    created_at: Mapped[datetime] = mapped_column(default=now)


class UserSession(Base):
    """A browser in which somebody is signed in; of its cookie only the hash is kept."""

    __tablename__ = "user_sessions"
    __table_args__ = (Index("ix_user_sessions_user", "user_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    hash: Mapped[str] = mapped_column(unique=True)  # SHA-256 of a 256-bit random secret, hex
    created_at: Mapped[datetime] = mapped_column(default=now)
    last_used_at: Mapped[datetime] = mapped_column(default=now)


class SetupCode(Base):
    """The code of a set-up link; only its hash is kept, and a new one replaces the others."""

    __tablename__ = "setup_codes"

    hash: Mapped[str] = mapped_column(primary_key=True)  # SHA-256 of a 256-bit random code, hex
    created_at: Mapped[datetime] = mapped_column(default=now)
    used_at: Mapped[datetime | None]
