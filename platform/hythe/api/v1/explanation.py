"""What the reconcile loop wants of an app, sees, will do next and why."""

from fastapi import APIRouter
from pydantic import Field

from hythe.api.context import CurrentContext
from hythe.api.v1.apps import find_app
from hythe.api.v1.shapes import Answer
from hythe.errors import Conflict, NotFound

router = APIRouter(prefix="/apps/{app}/explanation", tags=["instances"])


class ExplanationAnswer(Answer):
    wants: list[str] = Field(description="The releases that should run, and of what how many.")
    sees: list[str] = Field(description="Each instance and its container, and the routers.")
    next: list[str] = Field(description="What the next look does, and why; empty: nothing.")
    waits: list[str] = Field(description="What it waits for.")
    again_in: float | None = Field(
        description="Seconds until it looks again without an event, besides every 15."
    )


@router.get("", summary="Explain what happens to an app's instances")
def show_explanation(app: str, context: CurrentContext) -> ExplanationAnswer:
    with context.database.read() as session:
        app_id = find_app(session, app).id
    stage = context.running()
    if stage is None:
        raise Conflict(
            "Another control plane leads, and only that one looks at apps.",
            "Ask there; `curl HOST:PORT/healthz` says which one leads.",
        )
    found = stage.explain(app_id)
    if found is None:
        raise NotFound(f"{app} is gone.", "List apps: `hythe apps`.")
    return ExplanationAnswer(
        wants=list(found.wants),
        sees=list(found.sees),
        next=list(found.next),
        waits=list(found.waits),
        again_in=found.again_in,
    )
