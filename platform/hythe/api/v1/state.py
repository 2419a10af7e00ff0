"""State as streams: what a page shows, whole, at once and whenever it differs."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from hythe.api.context import Context, CurrentContext
from hythe.api.streams import EventStream, state_events
from hythe.api.v1.apps import (
    AppAnswer,
    AppDetail,
    all_apps,
    app_detail,
    find_app,
)
from hythe.api.v1.deployments import DeploymentAnswer, newest_deployments
from hythe.api.v1.formation import ProcessAnswer, formation
from hythe.api.v1.instances import InstanceAnswer, live_instances
from hythe.api.v1.releases import ReleaseAnswer, newest_releases
from hythe.api.v1.shapes import Answer, Items
from hythe.model import App

router = APIRouter(prefix="/apps", tags=["apps"])

NEWEST = 20


class AppState(Answer):
    """Everything about an app, each part as its own endpoint has it."""

    app: AppDetail
    formation: Items[ProcessAnswer]
    instances: Items[InstanceAnswer]
    deployments: Items[DeploymentAnswer]
    releases: Items[ReleaseAnswer]


def _stream_of(model: Any) -> dict[int | str, dict[str, Any]]:
    return {200: {"model": model, "description": "The data of each event."}}


@router.get(
    "/follow",
    summary="Follow the list of apps",
    description="Server-sent events: `apps` with what `GET /v1/apps` answers, at once and whenever "
    "it differs.",
    response_class=EventStream,
    responses=_stream_of(Items[AppAnswer]),
)
def follow_apps(request: Request, context: CurrentContext) -> StreamingResponse:
    base = str(request.base_url)

    def make() -> str:
        with context.database.read() as session:
            return all_apps(session, context.settings, base).model_dump_json()

    return EventStream(state_events("apps", context.live.document(f"apps {base}", make)))


@router.get(
    "/{app}/follow",
    summary="Follow an app",
    description="Server-sent events: `app` with all of its state, the newest "
    f"{NEWEST} deployments and releases, at once and whenever it differs; `gone` at its end.",
    response_class=EventStream,
    responses=_stream_of(AppState),
)
def follow_app(app: str, request: Request, context: CurrentContext) -> StreamingResponse:
    base = str(request.base_url)
    with context.database.read() as session:
        app_id = find_app(session, app).id
    document = context.live.document(f"app {app_id} {base}", lambda: _state(context, base, app_id))
    return EventStream(state_events("app", document))


def _state(context: Context, base: str, app_id: int) -> str | None:
    with context.database.read() as session:
        app = session.get(App, app_id)
        if app is None or app.destroyed_at is not None:
            return None
        state = AppState(
            app=app_detail(session, context.settings, base, app),
            formation=formation(session, app),
            instances=live_instances(session, app),
            deployments=newest_deployments(session, app, NEWEST),
            releases=newest_releases(session, app, NEWEST),
        )
    return state.model_dump_json()
