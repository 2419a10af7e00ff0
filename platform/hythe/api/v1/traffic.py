"""Traffic: what the router of this machine counted for an app."""

from typing import Any

from fastapi import APIRouter
from pydantic import Field

from hythe.api.context import CurrentContext
from hythe.api.v1.apps import find_app
from hythe.api.v1.shapes import Answer
from hythe.observe.router_counts import router_counts

router = APIRouter(prefix="/apps/{app}/traffic", tags=["routing"])


class TrafficAnswer(Answer):
    known: bool = Field(description="False while no router answers here; the rest is nought then.")
    requests: int = Field(description="Since the router started, as all that follows.")
    in_flight: int = Field(description="Requests in progress now.")
    statuses: dict[str, int] = Field(description="Requests by the class of their status: 2xx, 5xx.")
    errors: dict[str, int] = Field(description="Requests that the router answered itself, by code.")
    p50: float = Field(description="Seconds within which half of the requests were served.")
    p95: float
    p99: float


_NOTHING: dict[str, Any] = {
    "requests": 0, "in_flight": 0, "statuses": {}, "errors": {}, "p50": 0.0, "p95": 0.0, "p99": 0.0,
}  # fmt: skip


@router.get("", summary="Show what the router counted")
def show_traffic(app: str, context: CurrentContext) -> TrafficAnswer:
    with context.database.read() as session:
        name = find_app(session, app).name
    counts = router_counts(context.settings.stats_socket)
    own = counts["apps"].get(name, {}) if counts is not None else {}
    return TrafficAnswer(
        known=counts is not None, **{key: own.get(key, _NOTHING[key]) for key in _NOTHING}
    )
