"""Routing: how the router handles an app's requests. It takes effect at once, without a release."""

from typing import Literal

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy.orm import Session

from hythe.api.auth import CurrentActor, needs
from hythe.api.context import CurrentContext
from hythe.api.v1.apps import find_app
from hythe.api.v1.shapes import Answer, Body
from hythe.errors import InvalidValue
from hythe.model import App, Routing, Write
from hythe.route_settings import BadSetting, RouteSettings, UnknownSetting
from hythe.wire import SERVE

router = APIRouter(prefix="/apps/{app}/routing", tags=["routing"])

Mode = Literal["serve", "hold", "maintenance"]
_MODES = "serve, hold (requests wait) or maintenance (answered with H80)."


class SettingAnswer(Answer):
    key: str
    value: str | None = Field(description="As people write it; null follows the default.")
    default: str
    about: str


class RoutingAnswer(Answer):
    mode: Mode = Field(description=_MODES)
    settings: list[SettingAnswer]


class RoutingChange(Body):
    mode: Mode | None = Field(None, description=_MODES)
    settings: dict[str, str | None] = Field(
        default_factory=dict,
        max_length=50,
        description="Values as people write them: 10M, 60s, on; null goes back to the default.",
    )


def change(
    tx: Write, app: App, mode: Mode | None, settings: dict[str, str | None], actor: str
) -> Routing:
    """Change how an app's requests are handled; raises InvalidValue."""
    row = tx.get(Routing, app.id)
    if row is None:
        row = Routing(app_id=app.id)
        tx.add(row)
        tx.flush()
    values = RouteSettings.from_json(row.settings)
    try:
        for key, text in settings.items():
            values = values.with_text(key, text)
    except UnknownSetting as error:
        known = ", ".join(key.replace("_", "-") for key in RouteSettings.KNOBS)
        raise InvalidValue(f"{error}.", f"The settings are {known}.") from None
    except BadSetting as error:
        raise InvalidValue(f"{error}.", "`hythe routing` shows what is set.") from None
    row.settings = values.to_json()
    if mode is not None and mode != row.mode:
        row.mode = mode
        tx.note("routing.mode", f"Requests: {mode}", actor=actor, app_id=app.id)
    if settings:
        tx.note("routing.settings", f"Set {', '.join(settings)}", actor=actor, app_id=app.id)
    tx.poke(app.id)
    return row


@router.get("", summary="Show how requests are handled")
def show_routing(app: str, context: CurrentContext) -> RoutingAnswer:
    with context.database.read() as session:
        return _answer(session, find_app(session, app))


@router.patch("", summary="Change how requests are handled", dependencies=[needs("manage")])
def change_routing(
    app: str, body: RoutingChange, context: CurrentContext, actor: CurrentActor
) -> RoutingAnswer:
    with context.database.write() as tx:
        row = find_app(tx, app)
        change(tx, row, body.mode, body.settings, actor.name)
        return _answer(tx, row)


def _answer(session: Session, app: App) -> RoutingAnswer:
    row = session.get(Routing, app.id)
    values = row.settings if row is not None else {}
    settings = [
        SettingAnswer(
            key=key.replace("_", "-"),
            value=knob.show(values[key]) if key in values else None,
            default=knob.default,
            about=knob.about,
        )
        for key, knob in RouteSettings.KNOBS.items()
    ]
    mode = row.mode if row is not None else SERVE
    return RoutingAnswer.model_validate({"mode": mode, "settings": settings})
