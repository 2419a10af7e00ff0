"""An app's bare repository. Every source is a tree in it, and only Hythe moves its refs.

    refs/heads/<deploy branch>   the commit that went live last; what `git push` compares with
    refs/hythe/v<N>              what release N was made from: a commit, or the tree of an upload
    refs/hythe/sources/<id>      a source whose deployment is under way
    refs/hythe/buildpacks/<tree> a buildpack that was sent or fetched, while something needs it

Refs under refs/hythe keep git's garbage collection off their objects; no client sees them.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

import git

from hythe import wholefile
from hythe.errors import GitFailed, PlatformError, SourceError
from hythe.settings import Settings
from hythe.source import hook

GIT_SECONDS = 120
OLDEST_GIT = (2, 29)  # the first with proc-receive
HELD = "refs/hythe/sources/"
KEPT = "refs/hythe/v"
BUILDPACKS = "refs/hythe/buildpacks/"

# receive.fsck.*: old but harmless mistakes that real histories contain.
_CONFIG = Template("""\
[core]
	repositoryFormatVersion = 0
	bare = true
	fileMode = true
	symlinks = true
	autocrlf = false
	protectHFS = true
	protectNTFS = true
	fsync = committed
	fsyncMethod = batch
	bigFileThreshold = 32m
[transfer]
	hideRefs = refs/hythe
	fsckObjects = true
[receive]
	procReceiveRefs = refs
	advertisePushOptions = true
	maxInputSize = $limit
	autogc = false
	denyDeletes = true
[receive "fsck"]
	badTimezone = ignore
	missingSpaceBeforeDate = ignore
	zeroPaddedFilemode = ignore
[gc]
	pruneExpire = 2.weeks.ago
[pack]
	threads = 1
	windowMemory = 64m
""")

# Files are kept and laid out byte for byte, whatever a pushed .gitattributes asks for.
_ATTRIBUTES = "* -text !eol -ident -filter -working-tree-encoding\n"

_making = threading.Lock()

_HOOK = Template("""\
#!/bin/sh
exec '$python' -I -S '$hook'
""")


@dataclass(frozen=True, slots=True)
class Commit:
    """What Hythe wants to know of a commit."""

    id: str
    tree: str
    subject: str


class Repository:
    """The bare repository of one app."""

    def __init__(self, settings: Settings, app_id: int) -> None:
        self.app_id = app_id
        self.path = settings.home / "repositories" / f"{app_id}.git"
        self._limit = settings.upload_limit

    @property
    def environment(self) -> dict[str, str]:
        """The environment for git in this repository: no configuration but the repository's own."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.path),
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_COUNT": "1",  # safe.directory is heard from the environment only
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": str(self.path),
            "GIT_TERMINAL_PROMPT": "0",
        }

    def ensure(self, branch: str) -> None:
        """Make the repository, or bring its configuration and hook up to date."""
        with _making:
            if not (self.path / "HEAD").exists():
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self.git("init", "--quiet", "--bare", "--template=", cwd=self.path.parent)
            self._configure(branch)

    def _configure(self, branch: str) -> None:
        _write(self.path / "config", _CONFIG.substitute(limit=self._limit))
        _write(self.path / "info" / "attributes", _ATTRIBUTES)
        _write(self.path / "hooks" / "proc-receive", _hook_script(), mode=0o755)
        if _write(self.path / "HEAD", f"ref: refs/heads/{branch}\n"):  # what a clone checks out
            self._make_room(f"refs/heads/{branch}")

    def _make_room(self, ref: str) -> None:
        """Delete branches that cannot stand beside a new deploy branch (`a` and `a/b`)."""
        others = self.refs("refs/heads/")
        self.move(
            {
                other: None
                for other in others
                if ref.startswith(f"{other}/") or other.startswith(f"{ref}/")
            }
        )

    def git(
        self,
        *arguments: str,
        stdin: str = "",
        extra: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> str:
        """Run git on this repository; return its output, or raise GitFailed with its last line."""
        try:
            done = subprocess.run(
                ["git", f"--git-dir={self.path}", *arguments],
                input=os.fsencode(stdin),
                capture_output=True,
                env={**self.environment, **(extra or {})},
                cwd=cwd or self.path,
                timeout=GIT_SECONDS,
                umask=0o022,
            )
        except subprocess.TimeoutExpired:
            raise GitFailed(f"git {arguments[0]} took longer than {GIT_SECONDS} seconds.") from None
        except FileNotFoundError:
            raise _no_git() from None
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines() or ["no output"]
            raise GitFailed(f"git {arguments[0]} failed: {said[-1][:300]}")
        return os.fsdecode(done.stdout)

    def commit(self, oid: str) -> Commit:
        """Read a commit; raises SourceError when oid is something else (a tag, say)."""
        with git.Repo(self.path, expand_vars=False) as repository:
            repository.git.update_environment(**self.environment, GIT_DIR=str(self.path))
            found = git.Object.new_from_sha(repository, bytes.fromhex(oid))
            if not isinstance(found, git.Commit):
                raise SourceError(f"{oid[:7]} is not a commit.", "Push a branch, not a tag.")
            message = found.message
            if isinstance(message, bytes):  # in an encoding that its author did not name
                message = message.decode(errors="replace")
            subject = message.strip().partition("\n")[0][:200]
            return Commit(oid, found.tree.hexsha, subject)

    def refs(self, prefix: str) -> dict[str, str]:
        """The refs under a prefix that ends with a slash, and what they point to."""
        listed = self.git("for-each-ref", "--format=%(objectname) %(refname)", prefix)
        pairs = (line.partition(" ") for line in listed.splitlines())
        return {name: oid for oid, _, name in pairs}

    def tip(self, ref: str) -> str | None:
        """The commit that a branch points to."""
        return self.refs(ref).get(ref)

    def hold(self, source_id: int, oid: str) -> None:
        """Keep a new source's objects.

        To be called inside the transaction that inserts its rows: what is committed is held.
        """
        self.move({f"{HELD}{source_id}": oid})

    def hold_buildpacks(self, trees: Iterable[str]) -> None:
        """Keep the files of buildpacks; what nothing needs any more goes, see buildpack.forget.

        To be called inside the transaction that inserts their rows: what is committed is held.
        """
        if refs := {f"{BUILDPACKS}{tree}": tree for tree in trees}:
            self.move(refs)

    def move(self, refs: Mapping[str, str | None]) -> None:
        """Set refs to objects, or delete them (None): all of them or none."""
        self.git(
            "update-ref",
            "--stdin",
            stdin="".join(
                f"update {ref} {oid}\n" if oid else f"delete {ref}\n" for ref, oid in refs.items()
            ),
        )

    def unlock(self) -> None:
        """Remove locks on refs that a killed control plane left; for its start, before any push."""
        for lock in [*(self.path / "refs").rglob("*.lock"), self.path / "packed-refs.lock"]:
            lock.unlink(missing_ok=True)

    def tidy(self) -> None:
        """Let git pack and prune in the background, if it is time for that."""
        self.git("gc", "--auto", "--quiet")


def require_git() -> None:
    """Raise PlatformError unless git is there and new enough."""
    try:
        said = subprocess.run(["git", "version"], capture_output=True, text=True, timeout=10).stdout
    except (OSError, subprocess.SubprocessError):
        raise _no_git() from None
    numbers = said.split()[2].split(".")
    if (int(numbers[0]), int(numbers[1])) < OLDEST_GIT:
        raise PlatformError(f"{said.strip()} is too old.", "Install git 2.29 or later.")


def _no_git() -> PlatformError:
    return PlatformError("git is not installed.", "Install git, for example by `bin/up`.")


def _hook_script() -> str:
    quoted = {
        "python": sys.executable.replace("'", "'\\''"),
        "hook": str(Path(hook.__file__)).replace("'", "'\\''"),
    }
    return _HOOK.substitute(quoted)


def _write(path: Path, text: str, mode: int = 0o644) -> bool:
    """Give a file this content, in one step, if it has another; return whether it had."""
    try:
        if path.read_text() == text:
            return False
    except FileNotFoundError:
        path.parent.mkdir(exist_ok=True)
    wholefile.write(path, text.encode(), mode)
    return True
