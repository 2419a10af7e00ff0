"""From code to release: sources, builds, releases, and the deployments that carry them through."""

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from hythe.model.base import Base, now

DeploymentStatus = Literal[
    "fetching",
    "queued",
    "building",
    "built",
    "releasing",
    "rolling",  # on the way
    "live",
    "failed",
    "superseded",
    "canceled",  # ended
]
UNDER_WAY = ("fetching", "queued", "building", "built", "releasing", "rolling")
ENDED: frozenset[str] = frozenset({"live", "failed", "superseded", "canceled"})
DeploymentKind = Literal[
    "push", "upload", "image", "git", "commit", "config", "rollback", "redeploy", "restart",
    "rebuild",
]  # fmt: skip
BuildStatus = Literal["queued", "running", "succeeded", "failed", "canceled"]
SourceKind = Literal["git", "tarball", "image", "url"]


class Source(Base):
    """What a deployment is made from.

    git (a commit of the app's repository), tarball and url (a git URL) are a tree of the app's
    repository, laid out in a folder; a url has none until it is fetched. An image has neither.
    """

    __tablename__ = "sources"

    id: Mapped[int] = mapped_column(primary_key=True)
    app_id: Mapped[int] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"))
    kind: Mapped[str]  # SourceKind
    tree: Mapped[str] = mapped_column(default="")  # git tree id: the digest of the files
    path: Mapped[str] = mapped_column(default="")  # folder with the files, relative to HYTHE_HOME
    commit: Mapped[str | None]
    ref: Mapped[str | None]  # refs/heads/main; of a git URL: the branch, tag or commit asked for
    previous: Mapped[str | None]  # the commit that the pusher saw on the ref, see stale.py
    message: Mapped[str | None]  # first line of the commit message
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
    location: Mapped[str | None]  # the image's name, or the git URL without its password
    login: Mapped[bytes | None]  # of a git URL: sealed USER:PASSWORD
    procfile: Mapped[str | None]  # sent along; replaces that of the files
    app_json: Mapped[bytes | None]  # sealed text: sent along, else that of the files
    buildpacks: Mapped[list[Any] | None]  # chosen ones as BuildpackPin.as_json(); None: detected

    @property
    def folders(self) -> list[str]:
        """The folders that a build of it reads, relative to HYTHE_HOME; an image has none."""
        if not self.path:
            return []
        trees = (pin.get("tree") for pin in self.buildpacks or ())
        beside = self.path.rpartition("/")[0]
        return [self.path, *(f"{beside}/{tree}" for tree in trees if tree)]

    @property
    def trees(self) -> list[str]:
        """The git trees that those folders hold."""
        return [folder.rpartition("/")[2] for folder in self.folders]

    @property
    def kept(self) -> str:
        """The object that keeps its files in the repository; of a git URL only the tree is."""
        return self.tree if self.kind == "url" else self.commit or self.tree


class Deployment(Base):
    """One attempt to make an app run something.

    fetching -> queued -> building -> built -> releasing -> rolling -> live; or failed, superseded
    or canceled. The stage that owns a status moves deployments out of it: source/ owns fetching,
    build/ queued and building, release/ built and releasing, run/ rolling; a newer deployment
    supersedes one that is fetching, queued or rolling, a rollback and the end of its app any. A git
    URL, and a source with buildpacks of other servers, starts at fetching, others at queued, and a
    deployment without a build (config, rollback, redeploy, restart) at built; release/ queues it
    when the image of its release is gone. A rebuild gets the image of the serving release back, and
    is live when it is built. `live` stays when a later one takes over: it ended well.
    """

    __tablename__ = "deployments"
    __table_args__ = (
        Index(
            "one_fetching_an_app",
            "app_id",
            unique=True,
            sqlite_where=text("status = 'fetching'"),
            postgresql_where=text("status = 'fetching'"),
        ),
        Index(
            "one_queued_a_app",
            "app_id",
            unique=True,
            sqlite_where=text("status = 'queued'"),
            postgresql_where=text("status = 'queued'"),
        ),
        Index(
            "one_building_an_app",
            "app_id",
            unique=True,
            sqlite_where=text("status = 'building'"),
            postgresql_where=text("status = 'building'"),
        ),
        Index(
            "one_rolling_an_app",
            "app_id",
            unique=True,
            sqlite_where=text("status = 'rolling'"),
            postgresql_where=text("status = 'rolling'"),
        ),
        Index("ix_deployments_status", "status"),
        Index("ix_deployments_app", "app_id", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    app_id: Mapped[int] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"))
    kind: Mapped[str]  # DeploymentKind
    status: Mapped[str] = mapped_column(default="queued")  # DeploymentStatus
    description: Mapped[str] = mapped_column(default="")  # "Deploy 1a2b3c4", "Set DEBUG config var"
    source_id: Mapped[int | None] = mapped_column(ForeignKey("sources.id"))
    build_id: Mapped[int | None] = mapped_column(ForeignKey("builds.id", use_alter=True))
    release_id: Mapped[int | None] = mapped_column(ForeignKey("releases.id", use_alter=True))
    skip_release_phase: Mapped[bool] = mapped_column(default=False)
    error_code: Mapped[str | None]
    error_cause: Mapped[str | None]
    error_fix: Mapped[str | None]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
    ended_at: Mapped[datetime | None]
    superseded_by: Mapped[int | None]  # the newer deployment; none when its app was destroyed
    sharing: Mapped[str] = mapped_column(default="")  # of requests while it rolls, see run/desired
    sharing_since: Mapped[datetime | None]
    share: Mapped[int | None]  # of the requests, percent, while it is a canary
    promoted_at: Mapped[datetime | None]  # somebody wants it to take over at once
    switch_requests: Mapped[int | None]  # to its app, from its first start on; None: not counted
    switch_failed: Mapped[int | None]
    switch_errors: Mapped[dict[str, Any] | None]  # {code: requests that the router answered}
    switch_ended_at: Mapped[datetime | None]  # when the instances before it were gone

    @property
    def ended(self) -> bool:
        return self.status in ENDED


class Build(Base):
    """The making of an image from a source.

    queued (it waits for a slot, see build/line.py) -> running -> succeeded, failed or canceled.
    Somebody who cancels it only says so; build/ ends it when nothing of it is left.
    """

    __tablename__ = "builds"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - ids appear in names

    id: Mapped[int] = mapped_column(primary_key=True)
    app_id: Mapped[int] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"))
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"))
    status: Mapped[str] = mapped_column(default="running")  # BuildStatus
    attempts: Mapped[int] = mapped_column(default=1)
    builder: Mapped[str | None]  # "buildpacks" | "dockerfile" | "image"
    image: Mapped[str | None]  # image id, sha256:...
    processes: Mapped[dict[str, Any] | None]  # {type: command line}
    result: Mapped[dict[str, Any] | None]  # the image's facts, see build/result.py
    steps: Mapped[list[Any]] = mapped_column(default=list)  # [{"name": ..., "seconds": ...}]
    error_code: Mapped[str | None]
    error_cause: Mapped[str | None]
    error_fix: Mapped[str | None]
    heartbeat_at: Mapped[datetime] = mapped_column(default=now)
    created_at: Mapped[datetime] = mapped_column(default=now)
    ended_at: Mapped[datetime | None]
    canceled_by: Mapped[str | None]  # who asked that it ends
    started_at: Mapped[datetime | None]  # of its first attempt


class Release(Base):
    """A fact: an image, a config snapshot and processes, under a version. Never changed."""

    __tablename__ = "releases"
    __table_args__ = (UniqueConstraint("app_id", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    app_id: Mapped[int] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"))
    version: Mapped[int]
    description: Mapped[str]
    build_id: Mapped[int | None] = mapped_column(ForeignKey("builds.id"))
    source_id: Mapped[int | None] = mapped_column(ForeignKey("sources.id"))
    repeats: Mapped[int | None]  # the version that a rollback repeats
    image: Mapped[str]  # image id
    config: Mapped[bytes]  # encrypted JSON {key: value}
    spec: Mapped[dict[str, Any]]  # frozen, see spec.py
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
