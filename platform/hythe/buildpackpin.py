"""A chosen buildpack, and what a build of it is pinned to.

Chosen by a person (`hythe buildpacks:add`) or by a source's files. Source.buildpacks holds the list
of a source as JSON; source/ adds the tree and the commit when it has fetched one.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

Kind = Literal["own", "git", "archive", "upload", "folder", "inline"]
Place = Literal["group", "pre", "post"]


@dataclass(frozen=True, slots=True)
class BuildpackPin:
    """One buildpack of a source, in the order of the list."""

    kind: Kind
    name: str  # own: ID[@VERSION]; git, archive: the URL; upload: what was sent; folder: its path
    ref: str | None = None  # git: the branch, tag or commit that was asked for
    tree: str | None = None  # git tree id of its files; None for own, folder and inline
    commit: str | None = None  # git: what the ref was
    place: Place = "group"  # pre and post go around what detection chooses
    script: Mapping[str, str] | None = None  # inline: {"api", "inline", "shell"}

    @property
    def unfetched(self) -> bool:
        return self.kind in ("git", "archive") and self.tree is None

    @property
    def text(self) -> str:
        """As people write it."""
        return f"{self.name}#{self.ref}" if self.ref else self.name

    @property
    def pinned(self) -> str | None:
        """The commit, or the digest of the files."""
        return self.commit or self.tree

    def as_json(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if value is not None}

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        """The other way round."""
        return cls(**document)
