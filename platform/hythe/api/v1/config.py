"""Config vars of an app: environment variables, encrypted at rest."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from hythe.api.auth import CurrentActor, needs
from hythe.api.context import CurrentContext
from hythe.api.v1.apps import find_app
from hythe.api.v1.deployments import DeploymentAnswer, describe
from hythe.api.v1.shapes import Answer, Body
from hythe.errors import InvalidValue
from hythe.model import App, ConfigVar, Vault

router = APIRouter(prefix="/apps/{app}/config", tags=["config"], dependencies=[needs("manage")])

Key = Annotated[str, Field(max_length=256)]
Value = Annotated[str, Field(max_length=64 * 1024)]


class ConfigChange(Body):
    vars: dict[Key, Value | None] = Field(
        min_length=1, max_length=1000, description="Keys to set; null unsets."
    )
    build: bool = Field(False, description="Builds may see the keys that are set.")


class ConfigAnswer(Answer):
    vars: dict[str, str]
    build_keys: list[str] = Field(description="The keys that builds may see.")


class ConfigChanged(ConfigAnswer):
    deployment: DeploymentAnswer | None = Field(
        description="The deployment of the new release; null when nothing runs or nothing changed."
    )


@router.get("", summary="Show all config vars")
def show_config(app: str, context: CurrentContext) -> ConfigAnswer:
    with context.database.read() as session:
        return _answer(session, context.vault, find_app(session, app))


@router.patch("", summary="Set and unset config vars")
def change_config(
    app: str, body: ConfigChange, context: CurrentContext, actor: CurrentActor
) -> ConfigChanged:
    given = {key: value for key, value in body.vars.items() if value is not None}
    gone = [key for key, value in body.vars.items() if value is None]
    if body.build and gone:
        raise InvalidValue("`build` goes with keys that are set.", "Unset keys without `build`.")
    with context.database.write() as tx:
        row = find_app(tx, app)
        deployment = context.changes.config(tx, row, given, gone, body.build, actor.name)
        answer = _answer(tx, context.vault, row)
        described = describe(tx, deployment) if deployment else None
    return ConfigChanged(**answer.model_dump(), deployment=described)


def _answer(session: Session, vault: Vault, app: App) -> ConfigAnswer:
    rows = session.scalars(
        select(ConfigVar).where(ConfigVar.app_id == app.id).order_by(ConfigVar.key)
    ).all()
    return ConfigAnswer(
        vars={row.key: vault.unseal(row.value) for row in rows},
        build_keys=[row.key for row in rows if row.build],
    )
