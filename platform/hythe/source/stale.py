"""Stale pushes: those that would silently undo what somebody else pushed.

A branch moves only when its deployment is live, so for the whole build and rollout another clone
sees the old tip, and its git finds nothing wrong with a push that lacks the newer commit.
"""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from hythe.errors import StalePush
from hythe.model import Deployment, Source
from hythe.source.heir import last_heir
from hythe.source.repository import HELD, Repository


@dataclass(frozen=True, slots=True)
class Tip:
    """The commit that a branch has, or is about to have."""

    commit: str
    deployment: Deployment | None  # that brings it


def require_current(session: Session, repository: Repository, source: Source) -> None:
    """Raise StalePush when the pushed commit lacks the branch's newest, unseen by the pusher.

    To be called while nobody else takes a source of the app in.
    """
    assert source.ref is not None and source.commit is not None  # of a push
    tip = _newest(session, repository, source.ref)
    if tip is None or tip.commit == source.previous:
        return  # seen: git asked the pusher for --force where it was needed
    if not repository.git("rev-list", "--max-count=1", tip.commit, "--not", source.commit).strip():
        return
    branch = source.ref.removeprefix("refs/heads/")
    replace = f"replace it: git push -o force hythe HEAD:{branch}"
    if tip.deployment is None:
        raise StalePush(
            f"{branch} is at {tip.commit[:7]} by now, which your commit does not contain.",
            f"Pull, and push again; or {replace}",
        )
    raise StalePush(
        f"{tip.commit[:7]} of {tip.deployment.created_by} is on its way to {branch} "
        f"(d{tip.deployment.id}), and your commit does not contain it.",
        f"Pull when it is live, and push again; or {replace}",
    )


def _newest(session: Session, repository: Repository, ref: str) -> Tip | None:
    """What the newest push to a branch brings that is under way or not settled yet, else its tip"""
    held = [int(name.removeprefix(HELD)) for name in repository.refs(HELD)]
    pushes = (
        select(Deployment, Source.commit)
        .join(Source, Source.id == Deployment.source_id)
        .where(Source.id.in_(held), Source.ref == ref, Deployment.kind == "push")
        .order_by(Deployment.id.desc())
    )
    for deployment, commit in session.execute(pushes):
        last = last_heir(session, deployment)
        if commit is not None and (last.status == "live" or not last.ended):
            return Tip(commit, deployment)
    tip = repository.tip(ref)
    return Tip(tip, None) if tip else None
