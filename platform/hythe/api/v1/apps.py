"""Apps: what is deployed under a name."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from hythe import names
from hythe.api.auth import CurrentActor, needs
from hythe.api.context import CurrentContext
from hythe.api.fresh_name import fresh_name
from hythe.api.v1.overview import Overview, overviews
from hythe.api.v1.shapes import Body, Items
from hythe.errors import InvalidValue, NameTaken, NotFound
from hythe.model import App, Deployment, Domain, Release, Write, now
from hythe.settings import Settings
from hythe.spec import ReleaseSpec

router = APIRouter(prefix="/apps", tags=["apps"])


class NewApp(Body):
    name: str | None = Field(None, max_length=100, description="A DNS label; made up when absent.")


class AppAnswer(Overview):
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


def app_exists(session: Session, app_id: int) -> bool:
    app = session.get(App, app_id)
    return app is not None and app.destroyed_at is None


def all_apps(session: Session, settings: Settings, base: str) -> Items[AppAnswer]:
    """All of them, by name. base: where the client reaches the control plane, with a slash."""
    rows = session.execute(
        select(App, Release.version)
        .outerjoin(Deployment, Deployment.id == App.serving_id)
        .outerjoin(Release, Release.id == Deployment.release_id)
        .where(App.destroyed_at.is_(None))
        .order_by(App.name)
    ).all()
    known = overviews(session, {app.id: app.serving_id is not None for app, _ in rows})
    return Items(
        items=[_answer(settings, base, app, version, known[app.id]) for app, version in rows]
    )


@router.get("", summary="List apps")
def list_apps(request: Request, context: CurrentContext) -> Items[AppAnswer]:
    with context.database.read() as session:
        return all_apps(session, context.settings, str(request.base_url))


@router.post("", status_code=201, summary="Create an app", dependencies=[needs("manage")])
def create_app(
    body: NewApp, request: Request, context: CurrentContext, actor: CurrentActor
) -> AppAnswer:
    with context.database.write() as tx:
        app = create(tx, body.name if body.name is not None else fresh_name(tx), actor.name)
        overview = overviews(tx, {app.id: False})[app.id]
        return _answer(context.settings, str(request.base_url), app, None, overview)


@router.get("/{app}", summary="Show an app")
def show_app(app: str, request: Request, context: CurrentContext) -> AppDetail:
    with context.database.read() as session:
        return app_detail(session, context.settings, str(request.base_url), find_app(session, app))


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
    return settings.app_host(app.name)


def app_detail(session: Session, settings: Settings, base: str, app: App) -> AppDetail:
    """base: the address at which the client reaches the control plane, with a slash."""
    serving = session.get(Deployment, app.serving_id) if app.serving_id else None
    release = session.get(Release, serving.release_id) if serving else None
    spec = ReleaseSpec.of(release) if release else None
    overview = overviews(session, {app.id: serving is not None})[app.id]
    hosts = session.scalars(
        select(Domain.host).where(Domain.app_id == app.id).order_by(Domain.host)
    )
    return AppDetail(
        **dict(_answer(settings, base, app, release.version if release else None, overview)),
        hosts=[implied_host(settings, app), *hosts],
        builder=spec.kind if spec else None,
        user=spec.user if spec else None,
        capabilities=list(spec.capabilities) if spec else [],
    )


def _answer(
    settings: Settings, base: str, app: App, version: int | None, overview: Overview
) -> AppAnswer:
    return AppAnswer(
        **dict(overview),
        name=app.name,
        url=settings.app_url(implied_host(settings, app)),
        git_url=f"{base}{app.name}.git",  # at the address that this client uses
        deploy_branch=app.deploy_branch,
        release=version,
        created_at=app.created_at,
    )
