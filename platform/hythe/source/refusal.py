"""Why a git server did not hand over a repository, from what git said (its words have no codes)."""

from collections.abc import Sequence

from hythe.errors import (
    BadGitUrl,
    GitAway,
    GitDenied,
    GitSourceMissing,
    HytheError,
    SourceError,
    TooLarge,
)
from hythe.source.giturl import GitUrl

_HOST_KEY = ("host key verification failed", "remote host identification has changed")
_AWAY = (
    "could not resolve host", "failed to connect", "couldn't connect", "connection refused",
    "connection timed out", "operation timed out", "network is unreachable", "no route to host",
    "certificate", "connection reset", "ssl", "operation too slow", "empty reply",
    "returned error: 5",
)  # fmt: skip
_DENIED = (
    "authentication failed", "could not read username", "could not read password",
    "permission denied", "access denied", "returned error: 401", "returned error: 403",
)  # fmt: skip
_NO_REF = ("couldn't find remote ref", "not our ref", "no such remote ref", "unadvertised object")
_NO_REPOSITORY = (
    "not found", "does not appear to be a git repository", "could not read from remote",
    "does not exist", "returned error: 404", "not valid: is this a git repository",
)  # fmt: skip


def explain(url: GitUrl, ref: str, said: Sequence[str], *, has_key: bool) -> HytheError:
    """The error for a fetch that failed; `said` are the last lines of git's stderr."""
    text = "\n".join(said).lower()
    last = _telling(said)
    if any(words in text for words in _HOST_KEY):
        return GitDenied(
            f"{url.host} shows another host key than before: it may be somebody else.",
            "If the server did change its key, remove its line from HYTHE_HOME/ssh/known_hosts.",
        )
    if "cannot run ssh" in text:
        return GitAway(
            "ssh is not installed on this machine.", "Install it: `apt-get install openssh-client`."
        )
    if "file size limit" in text or "file too large" in text or "signal 25" in text:
        return TooLarge(fix="Make the repository smaller, or raise HYTHE_UPLOAD_LIMIT.")
    if "dumb http transport" in text:
        return BadGitUrl(
            f"{url.host} serves {url.text} as plain files, not as git.",
            "Use the repository's ssh URL, or serve it with `git http-backend`.",
        )
    if any(words in text for words in _NO_REF):
        return GitSourceMissing(
            f"{url.text} has no branch, tag or commit {ref}.", "Check the spelling of the ref."
        )
    if any(words in text for words in _DENIED):
        return GitDenied(
            f"{url.host} does not let Hythe read {url.text}: {last}", _key(url, has_key)
        )
    if any(words in text for words in _AWAY):
        return GitAway(f"{url.host} could not be reached: {last}")
    if any(words in text for words in _NO_REPOSITORY):
        return GitSourceMissing(f"There is no repository {url.text}, or it is private: {last}")
    if "protocol" in text and "not allowed" in text:
        return BadGitUrl(f"git refused {url.text}: {last}")
    return SourceError(f"git could not fetch {url.text}: {last}", "Try the same with `git clone`.")


def elsewhere(url: GitUrl, target: str) -> BadGitUrl:
    """The server wants to send git to another one."""
    return BadGitUrl(
        f"{url.text} redirects to {target}, which Hythe does not follow.",
        "If you trust that address, deploy from it directly.",
    )


def _telling(said: Sequence[str]) -> str:
    """The line that tells the most: the server's own or git's fatal one."""
    notable = [line for line in said if line.startswith(("remote: ", "fatal: ", "ERROR: "))]
    lines = notable or list(said) or ["git said nothing"]
    first = next((line for line in lines if line.startswith("ERROR: ")), lines[-1])
    if first.startswith("fatal: Could not read from remote repository") and len(said) > 1:
        others = [line for line in said if not line.startswith(("fatal: ", "Please make sure"))]
        first = next((line for line in reversed(others) if "and the repository" not in line), first)
    return first[:300]


def _key(url: GitUrl, has_key: bool) -> str:
    if url.scheme == "ssh":
        if has_key:
            return "Add the app's public key (`hythe git:deploy-key`) to the repository there."
        return "Make a key with `hythe git:deploy-key`, and add it to the repository there."
    return (
        "Put credentials into the URL (https://USER:TOKEN@HOST/PATH), or use ssh and a deploy key."
    )
