"""Settings of a process type: how its instances are replaced and stopped. They make no release."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from hythe.api.auth import CurrentActor, needs
from hythe.api.context import CurrentContext
from hythe.api.v1.apps import find_app
from hythe.api.v1.formation import newest_spec
from hythe.api.v1.shapes import Answer, Body
from hythe.errors import InvalidValue, NotFound
from hythe.model import App, Formation
from hythe.process_settings import CANARY, ProcessSettings, with_text
from hythe.route_settings import BadSetting, UnknownSetting

router = APIRouter(prefix="/apps/{app}/formation/{process}/settings", tags=["formation"])

PathProcess = Annotated[str, Path(max_length=63)]


class ProcessSettingAnswer(Answer):
    key: str
    value: str | None = Field(description="As people write it; null follows the default.")
    source: str | None = Field(description="`set` by somebody, or `app.json` of the release.")
    default: str
    about: str


class ProcessSettingsAnswer(Answer):
    process: str
    settings: list[ProcessSettingAnswer]


class ProcessSettingsChange(Body):
    settings: dict[str, str | None] = Field(
        min_length=1,
        max_length=50,
        description="Values as people write them: 25%, 60s; null follows app.json again, or the "
        "default.",
    )


@router.get("", summary="Show how a process type's instances are replaced")
def show_process_settings(
    app: str, process: PathProcess, context: CurrentContext
) -> ProcessSettingsAnswer:
    with context.database.read() as session:
        return _answer(session, _row(session, find_app(session, app), process))


@router.patch(
    "",
    summary="Change how a process type's instances are replaced",
    dependencies=[needs("deploy")],
)
def change_process_settings(
    app: str,
    process: PathProcess,
    body: ProcessSettingsChange,
    context: CurrentContext,
    actor: CurrentActor,
) -> ProcessSettingsAnswer:
    with context.database.write() as tx:
        owner = find_app(tx, app)
        row = _row(tx, owner, process)
        values: dict[str, Any] = row.settings or {}
        try:
            for key, text in body.settings.items():
                values = with_text(values, key, text)
        except UnknownSetting as error:
            known = ", ".join(key.replace("_", "-") for key in ProcessSettings.KNOBS)
            raise InvalidValue(f"{error}.", f"The settings are {known}.") from None
        except BadSetting as error:
            raise InvalidValue(f"{error}.", "`hythe ps:settings` shows what is set.") from None
        if values.get("strategy") == CANARY and process != "web":
            raise InvalidValue(
                f"{process} has no requests to share, so it cannot be a canary.",
                "Choose rolling or all-at-once for it.",
            )
        row.settings = values
        said = f"Set {', '.join(body.settings)} of {process}"
        tx.note("app.process-settings", said, actor=actor.name, app_id=owner.id)
        tx.poke(owner.id)
        return _answer(tx, row)


def _row(session: Session, app: App, process: str) -> Formation:
    row = session.scalar(
        select(Formation).where(Formation.app_id == app.id, Formation.process == process)
    )
    if row is None:
        raise NotFound(f"{app.name} has no process type '{process}'.", "List them: `hythe ps`.")
    return row


def _answer(session: Session, row: Formation) -> ProcessSettingsAnswer:
    own = row.settings or {}
    spec = newest_spec(session, row.app_id)
    brought = spec.settings.get(row.process, {}) if spec else {}
    settings = []
    for key, knob in ProcessSettings.KNOBS.items():
        value = own.get(key, brought.get(key))
        settings.append(
            ProcessSettingAnswer(
                key=key.replace("_", "-"),
                value=None if value is None else knob.show(value),
                source="set" if key in own else "app.json" if key in brought else None,
                default=knob.default,
                about=knob.about,
            )
        )
    return ProcessSettingsAnswer(process=row.process, settings=settings)
