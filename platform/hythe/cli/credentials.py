"""Where the address of the API and its token come from.

A credentials file has one line for each installation, the one to use by default first:

    {"url": "http://127.0.0.1:7600", "token": "hythe_...", "fingerprint": ""}

It is readable by its owner only. The credential helper for git, git-credential-hythe, reads it too.
"""

import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from hythe import wholefile
from hythe.cli.failure import Failure, OutOfReach


@dataclass(frozen=True, slots=True)
class Credentials:
    url: str  # without a slash at the end
    token: str
    fingerprint: str = ""  # of the pinned certificate, "SHA256:..."; empty: none is pinned


def default_path() -> Path:
    """The file of this installation (HYTHE_HOME) where there is one, else the user's."""
    home = os.environ.get("HYTHE_HOME")
    if home and (Path(home) / "credentials").exists():
        return Path(home).absolute() / "credentials"
    config = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(config) / "hythe" / "credentials"


def current() -> Credentials:
    """From HYTHE_API and HYTHE_TOKEN, else from the file; raises OutOfReach."""
    url, token = os.environ.get("HYTHE_API", "").rstrip("/"), os.environ.get("HYTHE_TOKEN", "")
    if token:
        port = os.environ.get("HYTHE_API_PORT", "7600")
        url = url or f"http://127.0.0.1:{port}"
        pins = [known.fingerprint for known in load(default_path()) if known.url == url]
        return Credentials(url, token, pins[0] if pins else "")
    for known in load(default_path()):
        if url in ("", known.url):
            return known
    raise OutOfReach(
        f"You are not logged in{f' to {url}' if url else ''}.",
        "Start Hythe on this machine with `bin/up`, or log in with `hythe login`.",
    )


def load(path: Path) -> list[Credentials]:
    """What the file holds; nothing when it is absent. Raises OutOfReach when it cannot be read."""
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise OutOfReach(f"{path} cannot be read: {error.strerror}.", "Run as its owner.") from None
    try:
        return [_entry(line) for line in lines if line.strip()]
    except (ValueError, KeyError, TypeError):
        raise OutOfReach(f"{path} is damaged.", "Remove it and run `hythe login`.") from None


def save(path: Path, url: str, token: str, fingerprint: str = "") -> None:
    """Put these credentials first; others for the same address go."""
    new = Credentials(url.rstrip("/"), token, fingerprint)
    _write(path, [new, *(known for known in load(path) if known.url != new.url)])


def certificate_file(credentials: Path, url: str) -> Path:
    """Where the pinned certificate of an address lies, for git."""
    name = re.sub(r"[^A-Za-z0-9.-]", "_", urlsplit(url).netloc)
    return credentials.with_name("certificates") / f"{name}.pem"


def forget(path: Path, url: str | None) -> Credentials:
    """Take the credentials for an address away, or the first; raises Failure when there are none.

    An installation's own stay: bin/up and bin/down work with them.
    """
    own = path.parent == Path(os.environ.get("HYTHE_HOME", "/nowhere")).absolute()
    entries = load(path)
    for known in entries:
        if url in (None, known.url) and not (own and known.url.startswith("http://127.0.0.1:")):
            _write(path, [entry for entry in entries if entry != known])
            return known
    raise Failure(
        f"You are not logged in{f' to {url}' if url else ' elsewhere'}.",
        "The token that `bin/up` made for this machine stays.",
    )


def _write(path: Path, entries: list[Credentials]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"{json.dumps(asdict(entry))}\n" for entry in entries)
    wholefile.write(path, lines.encode(), 0o600)


def _entry(line: str) -> Credentials:
    document = json.loads(line)
    return Credentials(
        str(document["url"]).rstrip("/"),
        str(document["token"]),
        str(document.get("fingerprint", "")),
    )
