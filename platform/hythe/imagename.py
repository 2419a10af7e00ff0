"""Names of images, as `docker pull` takes them: [HOST[:PORT]/]PATH[:TAG][@DIGEST].

The grammar is that of the distribution project (distribution/reference); a name without a host
belongs to docker.io.
"""

import re
from dataclasses import dataclass

from hythe.errors import InvalidValue

DEFAULT_HOST = "docker.io"
LONGEST = 400  # characters

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_HOST = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?::\d{1,5})?"
)
_ALIASES = {"index.docker.io": DEFAULT_HOST, "registry-1.docker.io": DEFAULT_HOST}


@dataclass(frozen=True, slots=True)
class ImageName:
    """A parsed name; tag is "latest" where neither a tag nor a digest was given."""

    host: str
    path: str
    tag: str | None
    digest: str | None

    @classmethod
    def parse(cls, text: str) -> "ImageName":
        """Raises InvalidValue, which says what is wrong with it."""
        if len(text) > LONGEST:
            raise _bad(text, "it is too long")
        rest, at, digest = text.partition("@")
        if at and not _DIGEST.fullmatch(digest):
            raise _bad(text, "a digest is sha256: and 64 of 0-9a-f")
        first, slash, path = rest.partition("/")
        if not (slash and ("." in first or ":" in first or first == "localhost")):
            first, path = DEFAULT_HOST, rest
        path, colon, tag = path.partition(":")
        if colon and not _TAG.fullmatch(tag):
            raise _bad(text, "its tag holds something else than letters, digits, _, . and -")
        if not _PATH.fullmatch(path):
            raise _bad(text, "names are lower case, such as ghcr.io/me/shop:1.2")
        return cls(
            registry_host(first), path, tag or (None if digest else "latest"), digest or None
        )

    @property
    def repository(self) -> str:
        return self.path if self.host == DEFAULT_HOST else f"{self.host}/{self.path}"

    @property
    def reference(self) -> str:
        """What names exactly one image at a time; a digest counts more than a tag."""
        return (
            f"{self.repository}@{self.digest}" if self.digest else f"{self.repository}:{self.tag}"
        )

    def at(self, digest: str) -> str:
        """The same repository's image with this digest."""
        return f"{self.repository}@{digest}"


def registry_host(text: str) -> str:
    """A registry's host, with its port if it has one; raises InvalidValue for anything else."""
    host = text.strip().lower()
    host = re.sub(r"^https?://", "", host).removesuffix("/").removesuffix("/v1").removesuffix("/v2")
    host = _ALIASES.get(host, host)
    if len(host) > 255 or not _HOST.fullmatch(host):
        raise InvalidValue(
            f"'{text[:80]}' is not a registry's host.",
            "Use HOST or HOST:PORT, such as ghcr.io or registry.example.com:5000.",
        )
    return host


def _bad(text: str, why: str) -> InvalidValue:
    return InvalidValue(
        f"'{text[:80]}' is not an image's name: {why}.",
        "Write [HOST/]NAME[:TAG] or NAME@sha256:...",
    )
