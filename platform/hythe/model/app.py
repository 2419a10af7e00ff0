"""Apps, and what belongs to an app but not to a release."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hythe.model.base import Base, now


class App(Base):
    """An app: what should be running under a name."""

    __tablename__ = "apps"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - ids appear in names

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    deploy_branch: Mapped[str] = mapped_column(default="main")
    subnet: Mapped[str | None] = mapped_column(unique=True)  # of its network, once that exists
    serving_id: Mapped[int | None] = mapped_column(
        ForeignKey("deployments.id", use_alter=True)
    )  # the deployment whose instances get the traffic
    destroyed_at: Mapped[datetime | None]  # the loop removes containers, then the row
    created_at: Mapped[datetime] = mapped_column(default=now)


class ConfigVar(Base):
    """A config key of an app; a release takes a snapshot."""

    __tablename__ = "config_vars"
    __table_args__ = (UniqueConstraint("app_id", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    app_id: Mapped[int] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"))
    key: Mapped[str]
    value: Mapped[bytes]  # encrypted, see hythe/vault.py
    build: Mapped[bool] = mapped_column(default=False)  # also visible to builds
    current: Mapped[bool] = mapped_column(default=False)  # a rollback leaves it as it is now
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class Formation(Base):
    """How many instances of a process type should run; not part of a release."""

    __tablename__ = "formation"
    __table_args__ = (UniqueConstraint("app_id", "process"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    app_id: Mapped[int] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"))
    process: Mapped[str]
    quantity: Mapped[int]
    settings: Mapped[dict[str, Any] | None]  # what ps:set has set, see process_settings.py


class Domain(Base):
    """Where an app answers besides APP.HYTHE_DOMAIN, as the route table has it: a host name, a
    wildcard such as `*.example.com`, either perhaps with a path, `example.com/shop`."""

    __tablename__ = "domains"

    id: Mapped[int] = mapped_column(primary_key=True)
    app_id: Mapped[int] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"))
    host: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(default=now)


class DeployKey(Base):
    """The SSH key pair with which an app's sources are fetched from git servers."""

    __tablename__ = "deploy_keys"

    id: Mapped[int] = mapped_column(primary_key=True)
    app_id: Mapped[int] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"), unique=True)
    public: Mapped[str]  # ssh-ed25519 AAAA... hythe-APP
    private: Mapped[bytes]  # sealed, in OpenSSH's format
    created_at: Mapped[datetime] = mapped_column(default=now)


class Drain(Base):
    """Where an app's log is sent to, besides being kept here."""

    __tablename__ = "drains"
    __table_args__ = (
        Index("ix_drains_app", "app_id"),
        {"sqlite_autoincrement": True},  # the collector keeps how far each is, by its id
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    app_id: Mapped[int] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"))
    shown: Mapped[str]  # the URL without what is secret in it
    url: Mapped[bytes]  # sealed
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)


class ChosenBuildpack(Base):
    """A buildpack that an app is built with; without any, detection chooses."""

    __tablename__ = "buildpacks"
    __table_args__ = (Index("ix_buildpacks_app", "app_id", "position"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    app_id: Mapped[int] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"))
    position: Mapped[int]  # 1 is first
    kind: Mapped[str]  # buildpackpin.Kind: own, git, archive or upload
    name: Mapped[str]  # an id, a URL without its password, or what was uploaded
    ref: Mapped[str | None]  # git: the branch, tag or commit asked for
    login: Mapped[bytes | None]  # of a URL: sealed USER:PASSWORD
    tree: Mapped[str | None]  # upload: its tree in the app's repository
    created_at: Mapped[datetime] = mapped_column(default=now)


class Autoscale(Base):
    """Between how many instances a process type is scaled, and by what: p95 or cpu."""

    __tablename__ = "autoscales"
    __table_args__ = (UniqueConstraint("app_id", "process"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    app_id: Mapped[int] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"))
    process: Mapped[str]
    low: Mapped[int]
    high: Mapped[int]
    p95: Mapped[float | None]  # seconds
    cpu: Mapped[int | None]  # percent of an instance's limit
    changed_at: Mapped[datetime | None]  # when the formation was last changed by it


class Sleep(Base):
    """An app whose web instances stop when no request comes for a while; the next one wakes it.

    awake -> drowsy (requests are held, instances still run) -> asleep -> awake.
    """

    __tablename__ = "sleeps"

    app_id: Mapped[int] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"), primary_key=True)
    after: Mapped[int]  # seconds without a request
    state: Mapped[str] = mapped_column(default="awake")
    since: Mapped[datetime] = mapped_column(default=now)  # of the state


class Routing(Base):
    """How the router handles an app's requests; without a row as it does by default."""

    __tablename__ = "routing"

    app_id: Mapped[int] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"), primary_key=True)
    mode: Mapped[str] = mapped_column(default="serve")  # wire.MODES
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)  # RouteSettings.to_json
