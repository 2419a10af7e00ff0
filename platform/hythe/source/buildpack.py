"""Which buildpacks a source is built with, and how those of other servers come here.

They are trees of the app's repository, as sources are: a backup has them, and a release that is
built again gets the same files without asking anybody.
"""

import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from http.client import HTTPException
from pathlib import Path
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from hythe.appjson import AppJson
from hythe.buildpackpin import BuildpackPin, Kind, Place
from hythe.errors import BadBuildpack, GitAway, GitSourceMissing
from hythe.model import ENDED, ChosenBuildpack, Deployment, Release, Source, Write
from hythe.projecttoml import FILE, LARGEST, Declared, ProjectToml
from hythe.source import tarball
from hythe.source.buildpackref import declared, parse, without_login
from hythe.source.gitprocess import Limits
from hythe.source.giturl import GitUrl
from hythe.source.remote import Scratch
from hythe.source.repository import BUILDPACKS, Repository
from hythe.source.submodules import Composer

BLOCK = 1 << 16
ANSWER_SECONDS = 60  # a server silent for longer is away


def named(files: Path, about: AppJson, *, http: bool) -> list[BuildpackPin]:
    """The buildpacks that a source's files name: those of project.toml, else of app.json."""
    descriptor = read_project(files)
    places: tuple[tuple[Place, Sequence[Declared]], ...] = (
        ("pre", descriptor.pre),
        ("group", descriptor.buildpacks),
        ("post", descriptor.post),
    )
    found = [declared(one, http=http, place=place) for place, several in places for one in several]
    return found or [without_login(parse(one.url, http=http)) for one in about.buildpacks]


def read_project(files: Path) -> ProjectToml:
    """The project.toml of laid out files; its links stay inside of them."""
    file = files / FILE
    if not file.is_file():
        return ProjectToml()
    with file.open("rb") as opened:
        return ProjectToml.read(opened.read(LARGEST + 1))


def pins(
    session: Session, app_id: int, of_files: Sequence[BuildpackPin]
) -> list[dict[str, Any]] | None:
    """What Source.buildpacks says: the app's own choice, else that of the files."""
    chosen = [
        BuildpackPin(cast(Kind, row.kind), row.name, row.ref, row.tree)
        for row in rows(session, app_id)
    ]
    return [pin.as_json() for pin in chosen or of_files] or None


def rows(session: Session, app_id: int) -> list[ChosenBuildpack]:
    """The app's own choice, in order."""
    query = select(ChosenBuildpack).where(ChosenBuildpack.app_id == app_id)
    return list(session.scalars(query.order_by(ChosenBuildpack.position)))


def forget(tx: Write, repository: Repository) -> None:
    """Let go of the fetched and sent buildpacks of an app that nothing needs; git frees the files.

    Needed is what a release may be built again from, what is on its way, and what is chosen.
    """
    held = {ref.removeprefix(BUILDPACKS) for ref in repository.refs(BUILDPACKS)}
    app_id = repository.app_id
    of_releases = select(Source).join(Release, Release.source_id == Source.id)
    under_way = select(Source).join(Deployment, Deployment.source_id == Source.id)
    sources = [
        *tx.scalars(of_releases.where(Source.app_id == app_id)),
        *tx.scalars(under_way.where(Source.app_id == app_id, Deployment.status.not_in(ENDED))),
    ]
    needed = {pin.get("tree") for source in sources for pin in source.buildpacks or ()}
    needed |= {row.tree for row in rows(tx, app_id)}
    unneeded = sorted(held - needed)
    if unneeded:
        repository.move({f"{BUILDPACKS}{tree}": None for tree in unneeded})
    for tree in unneeded:
        reason = "no release, deployment or choice of the app needs it"
        message = f"Removed the buildpack {tree[:12]}: {reason}"
        tx.note("disk.prune", message, app_id=app_id, tree=tree, reason=reason)


@dataclass(frozen=True, slots=True)
class Fetch:
    """Brings one buildpack into the app's repository."""

    repository: Repository
    limits: Limits
    http: bool

    def git(self, pin: BuildpackPin, scratch: Scratch) -> BuildpackPin:
        """Fetch a git URL; raises a SourceError."""
        url = GitUrl.parse(pin.name, http=self.http)
        commit = scratch.fetch(url, pin.ref)
        tree = Composer(scratch, self.limits.size).compose(commit, url)
        scratch.hand_over(tree, self.repository)
        return self._kept(replace(pin, commit=commit, tree=tree))

    def archive(self, pin: BuildpackPin, login: str | None) -> BuildpackPin:
        """Download a tarball; raises a SourceError."""
        try:
            with _open(pin.name, login) as answer:
                blocks = self._blocks(answer)
                tree = tarball.take(
                    self.repository, self.limits.folder, blocks, self.limits.size, tarball.inner
                )
        except urllib.error.HTTPError as error:
            raise _refused(pin.name, error) from None
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise GitAway(f"{pin.name} could not be downloaded: {reason}") from None
        return self._kept(replace(pin, tree=tree))

    def _kept(self, pin: BuildpackPin) -> BuildpackPin:
        assert pin.tree is not None
        self.repository.hold_buildpacks([pin.tree])
        return pin

    def _blocks(self, answer: Any) -> Iterator[bytes]:
        while block := answer.read(BLOCK):
            self.limits.check_time()
            yield block


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an error that names its target: another server was not what was asked for."""

    def redirect_request(self, *_args: Any, **_more: Any) -> None:
        return None


def _open(url: str, login: str | None) -> Any:
    request = urllib.request.Request(url, headers={"User-Agent": "hythe"})
    if login is not None:
        import base64

        request.add_unredirected_header(
            "Authorization", f"Basic {base64.b64encode(login.encode()).decode()}"
        )
    context = ssl.create_default_context()
    opener = urllib.request.build_opener(
        _NoRedirect(), urllib.request.HTTPSHandler(context=context)
    )
    return opener.open(request, timeout=ANSWER_SECONDS)


def _refused(url: str, error: urllib.error.HTTPError) -> BadBuildpack | GitSourceMissing:
    target = error.headers.get("Location")
    if 300 <= error.code < 400 and target:
        return BadBuildpack(
            f"{url} is a redirect, which is not followed.", f"Use where it leads: {target[:300]}"
        )
    return GitSourceMissing(
        f"{url} was refused by its server: {error.code} {error.reason}", "Check the URL."
    )
