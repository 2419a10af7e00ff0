"""Certificates that apps show by TLS."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hythe.model.base import Base, now


class Certificate(Base):
    """A certificate of an app, with its chain and its private key."""

    __tablename__ = "certificates"
    __table_args__ = (UniqueConstraint("app_id", "fingerprint"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    app_id: Mapped[int] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"))
    fingerprint: Mapped[str]  # SHA-256 of the certificate, hexadecimal
    names: Mapped[list[Any]]  # what it is good for, lower-case; "*.example.com" too
    chain: Mapped[str]  # PEM, the app's own first
    key: Mapped[bytes]  # PEM, encrypted, see hythe/vault.py
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(default=now)

    def covers(self, host: str) -> bool:
        """Whether it is good for a host name, or for that wildcard (RFC 9525, 6.3)."""
        return host in self.names or f"*.{host.partition('.')[2]}" in self.names
