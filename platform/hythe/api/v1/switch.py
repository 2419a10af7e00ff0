"""What the routers counted while a deployment took over from another."""

from collections.abc import Collection
from datetime import datetime

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from hythe.api.v1.shapes import Answer
from hythe.model import Deployment


class SwitchAnswer(Answer):
    requests: int = Field(description="To the app, from the first start of the new instances on.")
    failed: int = Field(description="Those of them that failed by the app or the platform.")
    errors: dict[str, int] = Field(description="Requests that the router answered itself, by code.")
    ended_at: datetime | None = Field(
        description="When the instances before were gone; null: counted up to the cut-over, so far."
    )


def switch_answer(deployment: Deployment) -> SwitchAnswer | None:
    """Null when it took over from none, or has not come so far."""
    if deployment.switch_requests is None:
        return None
    return SwitchAnswer(
        requests=deployment.switch_requests,
        failed=deployment.switch_failed or 0,
        errors=deployment.switch_errors or {},
        ended_at=deployment.switch_ended_at,
    )


def switches(session: Session, releases: Collection[int]) -> dict[int, SwitchAnswer]:
    """Of each of these releases (by id) the newest."""
    rows = session.scalars(
        select(Deployment)
        .where(Deployment.release_id.in_(releases), Deployment.switch_requests.is_not(None))
        .order_by(Deployment.id)
    )
    found = {row.release_id: switch_answer(row) for row in rows}
    return {release: switch for release, switch in found.items() if release and switch}
