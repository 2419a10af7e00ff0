"""Apps: what is deployed under a name."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from hythe import names
from hythe.api.auth import CurrentActor, needs
from hythe.api.context import Context, CurrentContext
from hythe.api.fresh_name import fresh_name
from hythe.api.v1.shapes import Answer, Body, Items
from hythe.errors import InvalidValue, NameTaken, NotFound
from hythe.model import App, Deployment, Domain, Release, Write, now
from hythe.settings import Settings
from hythe.spec import ReleaseSpec

router = APIRouter(prefix="/apps", tags=["apps"])


class NewApp(Body):
    name: str | None = Field(None, max_length=100, description="A DNS label; made up when absent.")


class AppAnswer(Answer):
    name: str
    url: str
    git_url: str
    deploy_branch: str
    release: int | None = Field(description="The version that gets the traffic.")
    created_at: datetime


class AppDetail(AppAnswer):
    hosts: list[str] = Field(description="All host names, the implied one first.")
    builder: str | None = Field(
        description="buildpacks, dockerfile or image, of the serving release."
    )
    user: str | None = Field(description="The user that it runs as; null is the image's own.")
    capabilities: list[str] = Field(description="Linux capabilities that it keeps.")


def find_app(session: Session, name: str) -> App:
    """The app of this name; raises NotFound, also when it is being destroyed."""
    app = session.scalar(select(App).where(App.name == name, App.destroyed_at.is_(None)))
    if app is None:
        raise NotFound(f"There is no app '{name[:60]}'.")
    return app


def create(tx: Write, name: str, actor: str) -> App:
    """A new app; raises InvalidName and NameTaken."""
    names.app_name(name)
    other = tx.scalar(select(App).where(App.name == name))
    if other is not None and other.destroyed_at is not None:
        raise NameTaken(f"'{name}' is still being destroyed.", "Try again in a few seconds.")
    app = App(name=name)
    tx.add(app)
    try:
        tx.flush()
    except IntegrityError:
        raise NameTaken(f"There is an app '{name}' already.") from None
    tx.note("app.create", f"Create {name}", actor=actor, app_id=app.id)
    return app


def destroy(tx: Write, name: str, confirm: str, actor: str) -> None:
    """Mark it; the loop stops what runs, then deletes the row and frees the name."""
    app = find_app(tx, name)
    if confirm != app.name:
        raise InvalidValue("The confirmation is not the app's name.", f"Confirm with '{app.name}'.")
    app.destroyed_at = now()
    tx.note("app.destroy", f"Destroy {name}", actor=actor, app_id=app.id)
    tx.poke(app.id)


@router.get("", summary="List apps")
def list_apps(context: CurrentContext) -> Items[AppAnswer]:
    with context.database.read() as session:
        rows = session.execute(
            select(App, Release.version)
            .outerjoin(Deployment, Deployment.id == App.serving_id)
            .outerjoin(Release, Release.id == Deployment.release_id)
            .where(App.destroyed_at.is_(None))
            .order_by(App.name)
        )
        items = [_answer(context.settings, app, version) for app, version in rows]
    return Items(items=items)


@router.post("", status_code=201, summary="Create an app", dependencies=[needs("manage")])
def create_app(body: NewApp, context: CurrentContext, actor: CurrentActor) -> AppAnswer:
    with context.database.write() as tx:
        app = create(tx, body.name if body.name is not None else fresh_name(tx), actor.name)
    return _answer(context.settings, app, None)


@router.get("/{app}", summary="Show an app")
def show_app(app: str, context: CurrentContext) -> AppDetail:
    with context.database.read() as session:
        row = find_app(session, app)
        serving = session.get(Deployment, row.serving_id) if row.serving_id else None
        release = session.get(Release, serving.release_id) if serving else None
        hosts = session.scalars(
            select(Domain.host).where(Domain.app_id == row.id).order_by(Domain.host)
        ).all()
    return _detail(context, row, release, list(hosts))


@router.delete("/{app}", status_code=202, summary="Destroy an app", dependencies=[needs("manage")])
def destroy_app(
    app: str,
    confirm: Annotated[str, Query(max_length=100, description="The app's name once more.")],
    context: CurrentContext,
    actor: CurrentActor,
) -> None:
    with context.database.write() as tx:
        destroy(tx, app, confirm, actor.name)


def implied_host(settings: Settings, app: App) -> str:
    return f"{app.name}.{settings.domain}"


def _answer(settings: Settings, app: App, version: int | None) -> AppAnswer:
    return AppAnswer(
        name=app.name,
        url=settings.app_url(implied_host(settings, app)),
        git_url=f"{settings.api_url}/{app.name}.git",
        deploy_branch=app.deploy_branch,
        release=version,
        created_at=app.created_at,
    )


def _detail(context: Context, app: App, release: Release | None, hosts: list[str]) -> AppDetail:
    spec = ReleaseSpec.of(release) if release else None
    return AppDetail(
        **_answer(context.settings, app, release.version if release else None).model_dump(),
        hosts=[implied_host(context.settings, app), *hosts],
        builder=spec.kind if spec else None,
        user=spec.user if spec else None,
        capabilities=list(spec.capabilities) if spec else [],
    )
