"""What people write for a buildpack: an id, a git URL with a ref, a tarball's URL, or a path."""

import re
from dataclasses import dataclass

from hythe.buildpackpin import BuildpackPin, Place
from hythe.errors import BadBuildpack, BadGitUrl
from hythe.projecttoml import Declared
from hythe.source.giturl import GitUrl, ref_name

ARCHIVES = (".tgz", ".tar.gz", ".tar")
# Heroku's short names for what this installation brings itself.
OWN = {
    "heroku/python": "hythe/python",
    "heroku/nodejs": "hythe/node",
    "heroku-community/static": "hythe/static",
    "heroku-community/apt": "hythe/apt",
}
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9._-]+)*(?:@[A-Za-z0-9._+-]+)?")
_OURS = re.compile(r"urn:cnb:builder:(.+)|from=builder:(.+)")
_ELSEWHERE = ("urn:", "docker:", "from=")


@dataclass(frozen=True, slots=True)
class Reference:
    """A buildpack as written, and the USER:PASSWORD that its URL held."""

    pin: BuildpackPin
    login: str | None = None


def parse(text: str, *, http: bool = False) -> Reference:
    """Read an id or a URL; raises BadBuildpack. `http`: plain http may leave this machine."""
    text = text.strip()
    ours = _OURS.fullmatch(text)
    if ours:
        return parse(ours[1] or ours[2])
    if text.startswith(_ELSEWHERE):
        raise BadBuildpack(f"{text[:80]} is a buildpack of a registry, which is not supported.")
    if text.startswith(("/", "./", "../", "~")) or text in (".", ".."):
        raise BadBuildpack(
            f"{text[:80]} is a path, and not one of the control plane's.",
            "`hythe buildpacks:add PATH` sends a folder or a tarball; project.toml names folders"
            " of the source.",
        )
    if ":" in text.partition("/")[0]:  # https://..., or git@host:path
        return _url(text, http=http)
    return Reference(_own(text))


def _own(text: str) -> BuildpackPin:
    if not _ID.fullmatch(text):
        raise BadBuildpack(f"'{text[:80]}' is neither a URL nor the id of a buildpack.")
    known = OWN.get(text, text)
    if known.startswith("heroku/"):
        name = known.removeprefix("heroku/")
        raise BadBuildpack(
            f"{text} is a short name of Heroku's, and this installation has no buildpack for it.",
            f"Give its URL: https://github.com/heroku/heroku-buildpack-{name}",
        )
    return BuildpackPin("own", known)


def _url(text: str, *, http: bool) -> Reference:
    address, _, ref = text.partition("#")
    try:
        url = GitUrl.parse(address, http=http)
        if url.path.lower().endswith(ARCHIVES) and url.scheme != "ssh":
            if ref:
                raise BadBuildpack(f"A tarball has no ref: #{ref[:40]}")
            return Reference(BuildpackPin("archive", url.text), url.login)
        return Reference(BuildpackPin("git", url.text, ref_name(ref) if ref else None), url.login)
    except BadGitUrl as error:
        raise BadBuildpack(error.cause, error.fix) from None


def declared(one: Declared, *, http: bool = False, place: Place = "group") -> BuildpackPin:
    """A buildpack that project.toml names. A URL in a file holds no password."""
    if one.script is not None:
        return BuildpackPin("inline", one.id or "inline", place=place, script=one.script)
    if one.uri is not None and _relative(one.uri):
        return BuildpackPin("folder", _inside(one.uri), place=place)
    text = one.uri or (f"{one.id}@{one.version}" if one.version else one.id or "")
    pin = without_login(parse(text, http=http))
    return BuildpackPin(pin.kind, pin.name, pin.ref, place=place)


def without_login(found: Reference) -> BuildpackPin:
    """The buildpack of a file of the source; raises BadBuildpack when its URL holds a password."""
    if found.login:
        raise BadBuildpack(
            f"The URL {found.pin.name} holds a password, in a file of the source.",
            "Add it by `hythe buildpacks:add`, which seals the password.",
        )
    return found.pin


def _relative(uri: str) -> bool:
    return uri.startswith(("./", "../", "file:")) or uri in (".", "..")


def _inside(uri: str) -> str:
    """A folder of the source, as a path relative to it."""
    parts = [part for part in uri.removeprefix("file:").split("/") if part not in ("", ".")]
    if uri.startswith("file:/") or ".." in parts:
        raise BadBuildpack(
            f"project.toml names the buildpack {uri[:80]}, which is not in the source.",
            "Name a folder of the source by its relative path.",
        )
    return "/".join(parts) or "."
