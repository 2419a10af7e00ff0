"""Submodules: fetched by the rules of their parent, and put into its tree as plain files."""

import os
import re
from dataclasses import dataclass, field

from hythe.errors import GitFailed, SourceError
from hythe.source import snapshot
from hythe.source.giturl import GitUrl
from hythe.source.remote import Scratch

DEEPEST = 5
MOST = 50
_SETTING = re.compile(r"submodule\.(.*)\.(path|url)", re.DOTALL)


@dataclass(slots=True)
class Composer:
    """Makes one tree of a commit and its submodules."""

    scratch: Scratch
    limit: int  # bytes
    fetched: int = 0
    fetched_paths: list[str] = field(default_factory=list)

    def compose(self, commit: str, url: GitUrl, depth: int = 0) -> str:
        """The tree of a commit with the files of its submodules; raises a SourceError."""
        tree = self.scratch.tree(commit)
        found = snapshot.survey(self.scratch, tree, self.limit)
        wanted = self._urls(commit) if found.submodules else {}
        subtrees: dict[str, str] = {}
        for path in found.submodules:
            if path in wanted:  # git itself skips one without an entry
                subtrees[path] = self._subtree(commit, path, wanted[path], url, depth)
        return self._joined(tree, subtrees) if subtrees else tree

    def _subtree(self, commit: str, path: str, address: str, parent: GitUrl, depth: int) -> str:
        self.fetched += 1
        if depth >= DEEPEST or self.fetched > MOST:
            raise SourceError(
                f"The submodules are nested more than {DEEPEST} deep, or more than {MOST}.",
                "Commit the files themselves, or install them as a dependency.",
            )
        url = parent.beside(address, http=self.scratch.access.http)
        self.scratch.say(f"Submodule {path} from {url.text}")
        oid = self.scratch.git("rev-parse", f"{commit}:{path}").strip()
        return self.compose(self.scratch.fetch(url, oid), url, depth + 1)

    def _urls(self, commit: str) -> dict[str, str]:
        """{path: URL} of .gitmodules."""
        try:
            listed = self.scratch.git("config", "--blob", f"{commit}:.gitmodules", "--list", "-z")
        except GitFailed:
            return {}
        parts: dict[str, dict[str, str]] = {}
        for record in filter(None, listed.split("\0")):
            key, _, value = record.partition("\n")
            match = _SETTING.fullmatch(key)
            if match:
                parts.setdefault(match[1], {})[match[2]] = value
        return {one["path"]: one["url"] for one in parts.values() if len(one) == 2}

    def _joined(self, tree: str, subtrees: dict[str, str]) -> str:
        index = self.scratch.limits.folder / "index"
        index.unlink(missing_ok=True)
        git = self.scratch.git
        git("read-tree", tree, index=index)
        for path, subtree in subtrees.items():
            gone = f"0 {'0' * 40}\t{path}\0"  # the commit's entry makes room for the files
            git("update-index", "-z", "--index-info", stdin=os.fsencode(gone), index=index)
            git("read-tree", f"--prefix={path}/", subtree, index=index)
        return git("write-tree", index=index).strip()
