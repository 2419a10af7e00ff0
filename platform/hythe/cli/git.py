"""The git repository that a command is run in."""

import os
import shlex
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from hythe.cli.failure import Failure

REMOTE = "hythe"
HELPER = Path(__file__).parent / "git-credential-hythe"


def git(*arguments: str, folder: Path | None = None) -> str:
    """Run git and return what it printed; raises Failure."""
    try:
        ran = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True)
    except FileNotFoundError:
        raise Failure("git is not installed.", "Install it: `apt-get install git`.") from None
    if ran.returncode:
        said = ran.stderr.strip().splitlines()
        raise Failure(
            f"git {arguments[0]} failed: {said[-1] if said else ran.returncode}",
            "Run it by hand to see more.",
        )
    return ran.stdout


def inside() -> bool:
    """Whether the working directory belongs to a repository."""
    try:
        git("rev-parse", "--git-dir")
    except Failure:
        return False
    return True


def app_of_remote() -> str | None:
    """The app behind the remote named hythe, None when there is no such remote."""
    try:
        url = git("config", "--get", f"remote.{REMOTE}.url").strip()
    except Failure:
        return None
    name = urlsplit(url).path.strip("/")
    return name.removesuffix(".git") if name.endswith(".git") else None


def set_remote(git_url: str, credentials: Path, certificate: Path | None) -> None:
    """Point the remote at an app, and let git find the token by the credential helper.

    With a pinned certificate, git trusts that one and no other at this address.

    The empty helper first: others, such as a key ring, shall not store the token.
    """
    remotes = git("remote").split()
    git("remote", *(("set-url",) if REMOTE in remotes else ("add",)), REMOTE, git_url)
    parts = urlsplit(git_url)
    address = f"{parts.scheme}://{parts.netloc}"
    trusted = f"http.{address}/.sslCAInfo"
    if certificate is not None:
        if "GIT_SSL_CAINFO" in os.environ:
            raise Failure(
                f"git would not trust {address}: GIT_SSL_CAINFO overrides the pinned certificate.",
                "Unset GIT_SSL_CAINFO; http.sslCAInfo in git's configuration says the same.",
            )
        git("config", "--local", "--replace-all", trusted, str(certificate))
    elif trusted.lower() in git("config", "--local", "--name-only", "--list").lower().split():
        git("config", "--local", "--unset-all", trusted)
    key = f"credential.{address}.helper"
    command = shlex.join(["sh", str(HELPER), str(credentials)])
    git("config", "--local", "--replace-all", key, "")
    git("config", "--local", "--add", key, f"!{command}")
