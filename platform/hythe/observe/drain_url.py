"""Where a drain sends an app's log to: syslog over TCP or TLS, or HTTP."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from hythe.errors import InvalidValue

LONGEST = 2000
PORTS = {"syslog": 514, "syslog+tls": 6514, "http": 80, "https": 443}
FIX = "Write it as syslog://HOST:PORT, syslog+tls://HOST:PORT or https://HOST/PATH."
HIDDEN = "***"
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|[0-9A-Fa-f:]+")


@dataclass(frozen=True, slots=True)
class DrainUrl:
    scheme: str  # of PORTS
    host: str
    port: int
    target: str  # path and query; empty of syslog
    user: str = ""
    password: str = ""

    @classmethod
    def parse(cls, text: str) -> "DrainUrl":
        """Raises InvalidValue, which never repeats what may be secret."""
        if len(text) > LONGEST or any(not "!" <= c <= "~" for c in text):
            raise InvalidValue(
                "The drain's URL is too long, or holds a blank or a character that is not ASCII.",
                FIX,
            )
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            raise InvalidValue("The drain's URL cannot be read.", FIX) from None
        if parts.scheme not in PORTS:
            raise InvalidValue(f"A drain cannot be '{parts.scheme[:20]}'.", FIX)
        if not _HOST.fullmatch(parts.hostname or ""):
            raise InvalidValue("The drain's URL names no host.", FIX)
        if port == 0 or parts.fragment:
            raise InvalidValue("The drain's URL has port 0, or a part after '#'.", FIX)
        syslog = parts.scheme.startswith("syslog")
        if syslog and (parts.username or parts.password or parts.query or len(parts.path) > 1):
            raise InvalidValue("A syslog drain has a host and a port, nothing else.", FIX)
        return cls(
            parts.scheme,
            parts.hostname or "",
            port or PORTS[parts.scheme],
            "" if syslog else (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
            unquote(parts.username or ""),
            unquote(parts.password or ""),
        )

    @property
    def syslog(self) -> bool:
        return self.scheme.startswith("syslog")

    @property
    def tls(self) -> bool:
        return self.scheme in ("https", "syslog+tls")

    @property
    def address(self) -> str:
        """Host and port, as in a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def shown(self) -> str:
        """For people: without the password, and without the values of the query."""
        login = quote(self.user, safe="") + (f":{HIDDEN}" if self.password else "")
        path, _, query = self.target.partition("?")
        names = [name for name, _ in parse_qsl(query, keep_blank_values=True)]
        hidden = "&".join(f"{quote(name, safe='')}={HIDDEN}" for name in names)
        where = f"{login}@{self.address}" if login else self.address
        return f"{self.scheme}://{where}{path}" + (f"?{hidden}" if hidden else "")
