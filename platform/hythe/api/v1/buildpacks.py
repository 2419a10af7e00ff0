"""Buildpacks of an app: what it is built with, in this order; without any, detection chooses."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request
from pydantic import Field

from hythe.api.auth import CurrentActor, needs
from hythe.api.context import Context, CurrentContext
from hythe.api.v1.apps import find_app
from hythe.api.v1.deploy import TARBALLS, chunks
from hythe.api.v1.shapes import Answer, Body, Items
from hythe.build.buildpack import GroupMember, catalog
from hythe.build.share import folder
from hythe.buildpackpin import BuildpackPin
from hythe.errors import BadBuildpack, BuildError, Conflict, InvalidValue, NotFound
from hythe.model import App, ChosenBuildpack, Write
from hythe.source.buildpack import rows
from hythe.source.buildpackref import Reference, parse

router = APIRouter(prefix="/apps/{app}/buildpacks", tags=["buildpacks"])

MOST = 20
_INDEX = "Its place, 1 comes first; the last if absent."
_REPLACE = "Take the place of the one at the index, or of the first."


class NewBuildpack(Body):
    buildpack: str = Field(
        min_length=1,
        max_length=1000,
        description="An id, a git URL with #ref, or the URL of a tarball.",
    )
    index: int | None = Field(None, ge=1, le=MOST, description=_INDEX)
    replace: bool = Field(False, description=_REPLACE)


class BuildpackAnswer(Answer):
    index: int = Field(description="1 comes first.")
    buildpack: str = Field(description="An id, a URL with its #ref, or the name of an upload.")
    kind: str = Field(description="own, git, archive or upload")
    digest: str | None = Field(
        description="Of the files of an upload; for others a release says what it was made with."
    )
    created_at: datetime


@router.get("", summary="List an app's buildpacks")
def list_buildpacks(app: str, context: CurrentContext) -> Items[BuildpackAnswer]:
    with context.database.read() as session:
        return _answers(rows(session, find_app(session, app).id))


@router.post("", status_code=201, summary="Add a buildpack by name", dependencies=[needs("manage")])
def add_buildpack(
    app: str, body: NewBuildpack, context: CurrentContext, actor: CurrentActor
) -> Items[BuildpackAnswer]:
    found = parse(body.buildpack, http=context.settings.git_http)
    if found.pin.kind == "own":
        _require_own(found.pin.name)
    with context.database.write() as tx:
        row = find_app(tx, app)
        return _add(tx, row, _row(context, found), body.index, body.replace, actor.name)


@router.post(
    "/upload",
    status_code=201,
    summary="Add a buildpack that is sent",
    description="The body is a tar or tar.gz of its folder.",
    dependencies=[needs("manage")],
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                kind: {"schema": {"type": "string", "format": "binary"}} for kind in TARBALLS
            },
        }
    },
)
async def upload_buildpack(
    app: str,
    request: Request,
    context: CurrentContext,
    actor: CurrentActor,
    index: Annotated[int | None, Query(ge=1, le=MOST, description=_INDEX)] = None,
    replace: Annotated[bool, Query(description=_REPLACE)] = False,
    name: Annotated[str, Query(max_length=200, description="For people.")] = "",
) -> Items[BuildpackAnswer]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in TARBALLS:
        raise InvalidValue(
            f"The body is '{kind[:60]}', which is no tarball.", f"Send {' or '.join(TARBALLS)}."
        )
    blocks = chunks(request.stream())

    def take() -> Items[BuildpackAnswer]:
        with context.database.read() as session:
            row = find_app(session, app)
        tree = context.source.intake.keep_buildpack(row, blocks)
        sent = Reference(BuildpackPin("upload", name or f"upload {tree[:7]}", tree=tree))
        with context.database.write() as tx:
            made, row = _row(context, sent), find_app(tx, app)
            context.source.intake.repository(row).hold_buildpacks([tree])
            return _add(tx, row, made, index, replace, actor.name)

    return await run_sync(take)


@router.delete(
    "/{index}", summary="Remove the buildpack at a place", dependencies=[needs("manage")]
)
def remove_buildpack(
    app: str, index: int, context: CurrentContext, actor: CurrentActor
) -> Items[BuildpackAnswer]:
    with context.database.write() as tx:
        row = find_app(tx, app)
        found = rows(tx, row.id)
        if not 1 <= index <= len(found):
            raise NotFound(f"{app} has no buildpack {index}.", "List them: `hythe buildpacks`.")
        gone = found.pop(index - 1)
        tx.delete(gone)
        return _save(tx, row, found, "buildpacks.remove", f"Remove {gone.name}", actor.name)


@router.delete(
    "", status_code=204, summary="Let detection choose again", dependencies=[needs("manage")]
)
def clear_buildpacks(app: str, context: CurrentContext, actor: CurrentActor) -> None:
    with context.database.write() as tx:
        row = find_app(tx, app)
        for each in rows(tx, row.id):
            tx.delete(each)
        _save(tx, row, [], "buildpacks.clear", "Clear the buildpacks", actor.name)


def wanted(context: Context, texts: Sequence[str]) -> list[Reference]:
    """The buildpacks of a whole list, as a manifest has it. Raises BadBuildpack."""
    found = [parse(text, http=context.settings.git_http) for text in texts]
    for number, each in enumerate(found):
        if each.pin.kind == "own":
            _require_own(each.pin.name)
        if any(other.pin.name == each.pin.name for other in found[:number]):
            raise BadBuildpack(f"{each.pin.name} is listed twice.", "Keep one of them.")
    return found


def replace_all(
    tx: Write, context: Context, app: App, found: Sequence[Reference], actor: str
) -> None:
    """Make them the app's own choice."""
    for row in rows(tx, app.id):
        tx.delete(row)
    made = [_row(context, each) for each in found]
    for row in made:
        row.app_id = app.id
    chosen = ", ".join(map(text_of, made)) or "what detection chooses"
    _save(tx, app, made, "buildpacks.set", f"Build with {chosen}", actor)


def _add(
    tx: Write, app: App, made: ChosenBuildpack, index: int | None, replace: bool, actor: str
) -> Items[BuildpackAnswer]:
    found = rows(tx, app.id)
    place = (index or 1 if replace else index or len(found) + 1) - 1
    if replace and place < len(found):
        tx.delete(found.pop(place))
    if any((each.kind, each.name) == (made.kind, made.name) for each in found):
        raise Conflict(f"{app.name} has {made.name} already.", "See `hythe buildpacks`.")
    if len(found) >= MOST:
        raise Conflict(f"{app.name} has {MOST} buildpacks, the most that an app may have.")
    made.app_id = app.id
    found.insert(place, made)
    return _save(tx, app, found, "buildpacks.add", f"Build with {text_of(made)}", actor)


def _save(
    tx: Write, app: App, found: Sequence[ChosenBuildpack], action: str, note: str, actor: str
) -> Items[BuildpackAnswer]:
    for number, each in enumerate(found, start=1):
        each.position = number
        tx.add(each)
    tx.flush()
    tx.note(action, note, actor=actor, app_id=app.id)
    tx.poke(app.id)
    return _answers(found)


def _row(context: Context, found: Reference) -> ChosenBuildpack:
    pin = found.pin
    login = context.vault.seal(found.login) if found.login else None
    return ChosenBuildpack(kind=pin.kind, name=pin.name, ref=pin.ref, login=login, tree=pin.tree)


def _require_own(name: str) -> None:
    """Raise BadBuildpack unless this installation has a buildpack of this id."""
    identity, _, version = name.partition("@")
    try:
        catalog(folder("buildpacks")).find(GroupMember(identity, version or None))
    except BuildError as error:
        raise BadBuildpack(error.cause, f"{error.fix} Or give the URL of one.") from None


def _answers(found: Sequence[ChosenBuildpack]) -> Items[BuildpackAnswer]:
    return Items(
        items=[
            BuildpackAnswer(
                index=number,
                buildpack=text_of(each),
                kind=each.kind,
                digest=each.tree,
                created_at=each.created_at,
            )
            for number, each in enumerate(found, start=1)
        ]
    )


def text_of(row: ChosenBuildpack) -> str:
    """As people write it."""
    return f"{row.name}#{row.ref}" if row.ref else row.name
