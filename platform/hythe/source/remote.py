"""A repository on another server, fetched into a scratch repository of its own.

Nothing of the machine's own git configuration counts. Only the protocols of giturl.py are allowed,
redirects are not followed to other servers, credentials go to their own host only, and no hook, no
filter and no prompt runs. What is taken over is a tree; the scratch repository is thrown away.
"""

import os
import re
import shlex
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from hythe.errors import GitFailed, GitSourceMissing, SourceError
from hythe.source import gitprocess, refusal
from hythe.source.gitprocess import Limits
from hythe.source.giturl import GitUrl
from hythe.source.repository import Repository

LOCAL_SECONDS = 120
MOST_REDIRECTS = 2
_COMMIT = re.compile(r"[0-9a-f]{40}")
_ABBREVIATED = re.compile(r"[0-9a-f]{7,39}")
_LOCATION = re.compile(r"Recv header: [Ll]ocation: (\S+)")
# What the operator set for reaching other servers.
_OPERATOR = (
    "http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
    "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "CURL_CA_BUNDLE",
)  # fmt: skip
# Prints the credentials for git; they are in its environment, not on a command line.
_HELPER = (
    "!f() { test \"$1\" = get && printf 'username=%s\\npassword=%s\\n' "
    '"$HYTHE_GIT_USER" "$HYTHE_GIT_PASSWORD"; }; f'
)


@dataclass(frozen=True, slots=True)
class Access:
    """What opens servers: the app's SSH key, and the host keys that were seen before."""

    known_hosts: Path  # of the installation; a host's first key is kept, another one refused
    key: Path | None = None  # a private key file
    http: bool = False


@dataclass(slots=True)
class Scratch:
    """A bare repository for one fetch, in limits.folder."""

    limits: Limits
    access: Access
    say: Callable[[str], None]
    login: tuple[GitUrl, str] | None = None  # USER:PASSWORD, and the server that it is for
    path: Path = field(init=False)

    def __post_init__(self) -> None:
        self.path = self.limits.folder / "scratch.git"
        self.git("init", "--quiet", "--bare", "--template=", str(self.path))

    @property
    def environment(self) -> dict[str, str]:
        """Of a git that talks to nobody."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.limits.folder),
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_DIR": str(self.path),
            **_settings(
                {"core.hooksPath": os.devnull, "gc.auto": "0", "maintenance.auto": "false"}
            ),
        }

    def git(self, *arguments: str, stdin: bytes = b"", index: Path | None = None) -> str:
        """Run a git that needs no network; raises GitFailed."""
        extra: dict[str, str] = {}
        if index is not None:  # git wants a work tree there, and leaves it as it is
            extra = {"GIT_INDEX_FILE": str(index), "GIT_WORK_TREE": str(self.limits.folder)}
        done = subprocess.run(
            ["git", *arguments],
            input=stdin,
            capture_output=True,
            env={**self.environment, **extra},
            cwd=self.limits.folder,
            timeout=LOCAL_SECONDS,
        )
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines() or ["no output"]
            raise GitFailed(f"git {arguments[0]} failed: {said[-1][:300]}")
        return os.fsdecode(done.stdout)

    def fetch(self, url: GitUrl, ref: str | None) -> str:
        """Fetch a branch, a tag or a commit (None: the server's own choice); returns the commit.

        As little history as the server allows. Raises a SourceError that says why not.
        """
        wanted = ref or "HEAD"
        try:
            self._fetch(url, "--depth=1", wanted)
            found = "FETCH_HEAD"
        except GitSourceMissing:
            if not (_COMMIT.fullmatch(wanted) or _ABBREVIATED.fullmatch(wanted)):
                raise
            self.say(f"The server does not hand out {wanted[:12]} alone; fetching all of it")
            self._fetch(url, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
            found = wanted
        return self._commit(found, url, wanted)

    def _commit(self, found: str, url: GitUrl, wanted: str) -> str:
        try:
            return self.git(
                "rev-parse", "--verify", "--end-of-options", f"{found}^{{commit}}"
            ).strip()
        except GitFailed:
            raise GitSourceMissing(f"{url.text} has no commit {wanted[:40]}.") from None

    def subject(self, commit: str) -> str:
        return self.git("log", "-1", "--format=%s", commit).strip()[:200]

    def tree(self, commit: str) -> str:
        return self.git("rev-parse", f"{commit}^{{tree}}").strip()

    def hand_over(self, tree: str, repository: Repository) -> None:
        """Put a tree and all below it into the app's repository."""
        pack = ["git", "pack-objects", "--quiet", "--revs", "--stdout"]
        index = ["git", f"--git-dir={repository.path}", "index-pack", "--stdin", "--fsck-objects"]
        quiet = {"stderr": subprocess.PIPE, "stdout": subprocess.DEVNULL}
        with subprocess.Popen(
            pack,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as packing:
            assert packing.stdin is not None
            packing.stdin.write(f"{tree}\n".encode())
            packing.stdin.close()
            done = subprocess.run(
                index,
                env=repository.environment,
                stdin=packing.stdout,
                timeout=LOCAL_SECONDS,
                **quiet,
            )  # type: ignore[call-overload]
        if packing.returncode or done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines() or ["no output"]
            raise SourceError(
                f"The repository's files cannot be taken over: {said[-1][:300]}",
                "`git fsck` in a clone of it names what is wrong.",
            )

    def _fetch(self, url: GitUrl, *what: str) -> None:
        """One `git fetch`; redirects on the same server are followed, others are refused."""
        for _ in range(MOST_REDIRECTS + 1):
            trace = self.limits.folder / "trace"
            trace.unlink(missing_ok=True)
            code, said = gitprocess.run(
                _fetch_command(url, what),
                {**self.environment, **self._network(url, trace)},
                self.limits,
                self.say,
            )
            if code == 0:
                return
            target = _redirect(trace)
            if target is None:
                raise refusal.explain(url, what[-1], said, has_key=self.access.key is not None)
            url = self._followed(url, target)
        raise refusal.elsewhere(url, url.text)

    def _followed(self, url: GitUrl, target: str) -> GitUrl:
        path = urlsplit(target).path.removesuffix("/info/refs")
        moved = replace(url, path=path)
        parts = urlsplit(target)
        same = not parts.netloc or (parts.scheme, parts.netloc.rpartition("@")[2]) == url.origin
        if not same or moved.path == url.path:
            raise refusal.elsewhere(url, f"{parts.scheme}://{parts.netloc}{path}")
        self.say(f"The server calls it {moved.text}")
        return moved

    def _network(self, url: GitUrl, trace: Path) -> dict[str, str]:
        """What a git that talks to this server gets on top."""
        options = {
            "core.hooksPath": os.devnull,
            "gc.auto": "0",
            "maintenance.auto": "false",
            "fetch.fsckObjects": "true",
            "fetch.fsck.badTimezone": "ignore",
            "fetch.fsck.missingSpaceBeforeDate": "ignore",
            "fetch.fsck.zeroPaddedFilemode": "ignore",
            "fetch.recurseSubmodules": "false",
            "http.followRedirects": "false",
            "http.lowSpeedLimit": "1",
            "http.lowSpeedTime": "60",
        }
        secrets: dict[str, str] = {}
        if self.login is not None and self.login[0].origin == url.origin:
            user, _, password = self.login[1].partition(":")
            options[f"credential.{'://'.join(url.origin)}.helper"] = _HELPER
            secrets = {"HYTHE_GIT_USER": user, "HYTHE_GIT_PASSWORD": password}
        return {
            **{name: os.environ[name] for name in _OPERATOR if os.environ.get(name)},
            "GIT_ALLOW_PROTOCOL": "https:ssh:http" if url.scheme == "http" else "https:ssh",
            "GIT_SSH_COMMAND": self._ssh(),
            "GIT_SSH_VARIANT": "ssh",
            "GIT_TRACE_CURL": str(trace),
            "GIT_TRACE_CURL_NO_DATA": "1",
            **secrets,
            **_settings(options),
        }

    def _ssh(self) -> str:
        known = self.access.known_hosts
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": "20",
            "ServerAliveInterval": "15",
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "StrictHostKeyChecking": "accept-new",
            "UserKnownHostsFile": f'"{known}"',
            "GlobalKnownHostsFile": os.devnull,
            "ForwardAgent": "no",
            "ClearAllForwardings": "yes",
        }
        key = ["-i", str(self.access.key)] if self.access.key else ["-o", "IdentityFile=none"]
        pairs = (word for name, value in options.items() for word in ("-o", f"{name}={value}"))
        return shlex.join(["ssh", "-F", os.devnull, *key, *pairs])


def _fetch_command(url: GitUrl, what: tuple[str, ...]) -> list[str]:
    options = [word for word in what if word.startswith("--")]
    refs = [word for word in what if not word.startswith("--")]
    return ["fetch", "--progress", "--no-tags", *options, "--", url.text, *refs]


def _settings(options: Mapping[str, str]) -> dict[str, str]:
    """Configuration by the environment: git-config(1), GIT_CONFIG_COUNT."""
    pairs = {"GIT_CONFIG_COUNT": str(len(options))}
    for number, (key, value) in enumerate(options.items()):
        pairs |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return pairs


def _redirect(trace: Path) -> str | None:
    """Where the server wanted to send git, if it did."""
    try:
        found = _LOCATION.findall(trace.read_text(errors="replace"))
    except FileNotFoundError:
        return None
    return found[-1] if found else None
