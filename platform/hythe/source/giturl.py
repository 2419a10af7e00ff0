"""Git URLs that Hythe fetches from: https, ssh (also as USER@HOST:PATH), and http on loopback.

Others are refused before git sees them: file and ext would read this machine's files and run its
programs (gitremote-helpers(7)).
"""

import ipaddress
import re
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote, urlsplit

from hythe.errors import BadGitUrl

LONGEST = 1000
_SCHEMES = {"https": "https", "http": "http", "ssh": "ssh", "git+ssh": "ssh", "ssh+git": "ssh"}
_SCP = re.compile(r"(?:([A-Za-z0-9._-]+)@)?(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+):(?!//)(.+)")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|[0-9A-Fa-f:]+")
_REF = re.compile(r"(?![-+/])(?!.*(?:\.\.|//|@\{|\.lock$|/$|\.$))[^\x00-\x20\x7f~^:?*\[\\]{1,250}")


@dataclass(frozen=True, slots=True)
class GitUrl:
    """A URL in parts; `login` is USER:PASSWORD of http(s), never part of `text`."""

    scheme: str  # https | http | ssh
    user: str | None
    host: str
    port: int | None
    path: str  # begins with /, or is relative to the SSH user's home
    login: str | None = None

    @classmethod
    def parse(cls, text: str, *, http: bool = False) -> "GitUrl":
        """Raises BadGitUrl. `http`: plain http may leave this machine."""
        if "::" in text.split("/")[0] and "[" not in text:
            raise BadGitUrl(f"git's helper protocols are not allowed: {text.split('::')[0][:20]}::")
        if len(text) > LONGEST or any(c <= " " or c in "\\\x7f" for c in text):
            raise BadGitUrl(
                "The git URL is too long, or holds a blank, a backslash or a control character."
            )
        url = _with_scheme(text) if "://" in text else _short(text)
        if not _HOST.fullmatch(url.host):
            raise BadGitUrl(f"'{url.host[:60]}' is not a host.")
        if url.scheme == "http" and not (http or url.on_loopback):
            raise BadGitUrl(
                "http:// sends code and passwords unencrypted.",
                "Use https://, or set HYTHE_GIT_HTTP=true if the network is your own.",
            )
        return url

    @property
    def text(self) -> str:
        """The URL without a password, for people and for git."""
        user = f"{quote(self.user, safe='')}@" if self.user else ""
        if not self.path.startswith("/"):
            return f"{user}{self.origin[1]}:{self.path}"
        return f"{self.scheme}://{user}{self.origin[1]}{self.path}"

    @property
    def origin(self) -> tuple[str, str]:
        """Scheme and host:port: where credentials may go."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.scheme, f"{host}:{self.port}" if self.port else host

    @property
    def on_loopback(self) -> bool:
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"

    def beside(self, text: str, *, http: bool = False) -> "GitUrl":
        """A submodule's URL; `./` and `../` are relative to this one (gitsubmodules(7))."""
        if not text.startswith(("./", "../")):
            return GitUrl.parse(text, http=http)
        parts = self.path.rstrip("/").split("/")  # an absolute path begins with an empty part
        for step in text.split("/"):
            if step == "..":
                if parts in ([], [""]):
                    raise BadGitUrl(f"The submodule's URL leads out of the server: {text[:80]}")
                parts.pop()
            elif step not in (".", ""):
                parts.append(step)
        return replace(self, path="/".join(parts))


def ref_name(text: str) -> str:
    """A branch, a tag or a commit; raises BadGitUrl (rules of git-check-ref-format(1))."""
    if not _REF.fullmatch(text):
        raise BadGitUrl(f"'{text[:80]}' is not a ref.", "Name a branch, a tag or a commit.")
    return text


def _with_scheme(text: str) -> GitUrl:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise BadGitUrl("The git URL cannot be read.") from None
    scheme = _SCHEMES.get(parts.scheme.lower())
    if scheme is None:
        raise BadGitUrl(f"{parts.scheme[:20]}:// URLs are not allowed.")
    if not parts.hostname or parts.path in ("", "/") or parts.query or parts.fragment:
        raise BadGitUrl("The git URL names no repository, or more than one.")
    user = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    if scheme == "ssh":
        if password:
            raise BadGitUrl(
                "A password in an ssh URL is not used.", "Add the app's deploy key to the server."
            )
        if user is not None and not re.fullmatch(r"[A-Za-z0-9._][A-Za-z0-9._-]*", user):
            raise BadGitUrl("The user of the ssh URL is not valid.")
        return GitUrl(scheme, user, parts.hostname, port, parts.path)
    login = f"{user or ''}:{password or ''}" if user or password else None
    return GitUrl(scheme, None, parts.hostname, port, parts.path, login)


def _short(text: str) -> GitUrl:
    """USER@HOST:PATH, as scp writes it."""
    match = _SCP.fullmatch(text)
    if match is None or text.startswith(("/", ".", "-")):
        raise BadGitUrl(f"'{text[:80]}' is not a git URL; paths of this machine are not allowed.")
    user, host, path = match.groups()
    if path.startswith("-") or (user or "").startswith("-"):
        raise BadGitUrl("The git URL cannot begin with a dash in any part.")
    return GitUrl("ssh", user, host.strip("[]"), None, path)
