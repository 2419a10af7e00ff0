"""Metrics: what an app's instances use, and what the router counted for it."""

import time
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from hythe.api.context import CurrentContext
from hythe.api.v1.apps import find_app
from hythe.api.v1.shapes import Answer
from hythe.errors import InvalidValue, NotFound
from hythe.observe import figures
from hythe.observe.series import TIERS, Series, Tier

router = APIRouter(prefix="/apps/{app}/metrics", tags=["metrics"])

SHORT, LONG = TIERS
HOUR = 3600

Moment = Annotated[float | None, Query(ge=0, lt=2**32, description="Unix seconds.")]


class UsageAnswer(Answer):
    name: str = Field(examples=["web.1"])
    at: datetime
    cpu: float = Field(description="Cores, over the last 10 s.")
    memory: float = Field(description="Bytes that cannot be freed at once.")
    limit: float = Field(description="Bytes; 0 is none.")
    received: float = Field(description="Bytes a second.")
    sent: float = Field(description="Bytes a second.")
    restarts: int = Field(description="So far, of any instance of this name.")
    oom_kills: int = Field(description="Processes that the kernel killed for memory, so far.")


class RateAnswer(Answer):
    at: datetime
    requests: float = Field(description="A second, over the last 10 s.")
    failed: float = Field(description="Those with a 5xx status.")
    p50: float = Field(description="Seconds within which half of them were served.")
    p95: float
    p99: float
    in_flight: int


class MetricsAnswer(Answer):
    traffic: RateAnswer | None = Field(description="Null before the first request.")
    instances: list[UsageAnswer]


class SeriesAnswer(Answer):
    name: str
    step: int = Field(description="Seconds.")
    fields: list[str]
    points: list[list[float]] = Field(
        description="The Unix time at which a step begins, then a number for each field. What was "
        "not measured is left out."
    )


@router.get("", summary="Show what an app uses now")
def show_metrics(app: str, context: CurrentContext) -> MetricsAnswer:
    home, now = context.settings.home, time.time()
    with context.database.read() as session:
        app_id = find_app(session, app).id
    used = [
        _usage(name, figures.instance(home, app_id, name), now)
        for name in figures.instances(home, app_id)
    ]
    return MetricsAnswer(
        traffic=_rate(figures.traffic(home, app_id), now),
        instances=[each for each in used if each is not None],
    )


@router.get("/{name}", summary="Show a series")
def show_series(
    app: str,
    name: str,
    context: CurrentContext,
    since: Moment = None,
    until: Moment = None,
    step: Annotated[
        int | None, Query(description="10 for the last day, or 300 for 30 days.")
    ] = None,
) -> SeriesAnswer:
    """`requests`, or the name of an instance such as web.1; the last hour unless said."""
    home = context.settings.home
    with context.database.read() as session:
        app_id = find_app(session, app).id
    if name != figures.REQUESTS and name not in figures.instances(home, app_id):
        raise NotFound(
            f"There are no metrics of '{name[:60]}'.", "Ask for `requests`, or web.1 and the like."
        )
    if name == figures.REQUESTS:
        series = figures.traffic(home, app_id)
    else:
        series = figures.instance(home, app_id, name)
    end = until if until is not None else time.time()
    begin = since if since is not None else max(end - HOUR, 0)
    tier = _tier(step, begin)
    points = series.read(tier, begin, end)
    return SeriesAnswer(
        name=name,
        step=tier.step,
        fields=list(series.fields),
        points=[[each.time, *each.values] for each in points],
    )


def _tier(step: int | None, begin: float) -> Tier:
    """The one that was asked for, or the finest that reaches back so far."""
    if step is None:
        return SHORT if begin >= time.time() - SHORT.step * SHORT.slots else LONG
    for tier in TIERS:
        if tier.step == step:
            return tier
    raise InvalidValue(f"There are no steps of {step} seconds.", "Use 10 or 300.")


def _usage(name: str, series: Series, now: float) -> UsageAnswer | None:
    point = series.last(SHORT, now)
    if point is None:
        return None
    known = dict(zip(series.fields, point.values, strict=True))
    return UsageAnswer(
        name=name,
        at=datetime.fromtimestamp(point.time + SHORT.step, UTC),
        cpu=known["cpu"],
        memory=known["memory"],
        limit=known["limit"],
        received=known["received"] / SHORT.step,
        sent=known["sent"] / SHORT.step,
        restarts=int(known["restarts"]),
        oom_kills=int(known["oom_kills"]),
    )


def _rate(series: Series, now: float) -> RateAnswer | None:
    point = series.last(SHORT, now)
    if point is None:
        return None
    known = dict(zip(series.fields, point.values, strict=True))
    return RateAnswer(
        at=datetime.fromtimestamp(point.time + SHORT.step, UTC),
        requests=known["requests"] / SHORT.step,
        failed=known["s5xx"] / SHORT.step,
        p50=known["p50"],
        p95=known["p95"],
        p99=known["p99"],
        in_flight=int(known["in_flight"]),
    )
