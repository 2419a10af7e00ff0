"""Where an installation lives and which ports it uses.

The defaults are those of hythe.settings, which cannot be imported before its dependencies are
installed; a test compares the two.
"""

import fcntl
import hashlib
import ipaddress
import json
import os
import re
import ssl
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hythe import homefile
from hythe.errors import BadSettingsFile

from .output import Problem, detail, step

CHECKOUT = Path(__file__).resolve().parents[2]
AMBIENT = re.compile(
    r"PIP_|UV_|NPM_CONFIG_|YARN_NPM_|DOCKER_HOST$|PG[A-Z]+$|(https?|no|all)_proxy$"
    r"|SSL_CERT|NODE_EXTRA_CA|GIT_SSL_CAINFO$|(CURL|REQUESTS)_CA_BUNDLE$",
    re.IGNORECASE,
)
"""What Hythe's programs use besides their own settings: indexes, proxies, certificates."""
OTHERS = (
    *("subnets", "upload_limit", "fetch_timeout", "git_http", "build_slots", "build_spares"),
    *("build_memory", "build_cpus", "build_pids", "build_timeout", "instance_memory"),
    *("instance_cpus", "instance_pids", "max_instances", "boot_timeout", "drain_timeout"),
    *("stop_timeout", "release_timeout", "run_timeout", "log_bytes", "log_days", "parallel_starts"),
    *("rollback_images", "max_images", "image_days", "cache_days", "disk_budget", "disk_reserve"),
    *("build_disk", "build_output", "build_weight"),
)
"""The settings that the set-up does not read, and keeps only."""


@dataclass(frozen=True)
class Place:
    """One installation: its HYTHE_HOME and its addresses."""

    home: Path
    bind: str
    http_port: int
    https_port: int  # 0: no TLS
    api_port: int
    router_workers: int
    router_user: str
    router_trust: str
    router_certificate: str
    router_log: str
    router_log_sample: int
    metrics_port: int
    domain: str
    tls_cert: str
    tls_key: str
    database_url: str  # without its password
    others: tuple[tuple[str, str], ...]  # name and value, as in the environment

    @classmethod
    def here(cls, environ: MutableMapping[str, str]) -> "Place":
        """The installation of an environment, which is filled with what its settings file says.

        Raises Problem, and PermissionError for those who may not read that.
        """
        home = _home(environ)
        try:
            homefile.fill(environ, home)
        except BadSettingsFile as error:
            raise Problem(error.cause, error.fix) from None
        if not (home / homefile.NAME).exists():  # the last start was before there was such a file
            for name, value in _last_start(home).items():
                if value != "" and name != "database_url":
                    environ.setdefault(f"HYTHE_{name.upper()}", str(value))
        return cls.of(environ)

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Place":
        return cls(
            home=_home(environ),
            bind=environ.get("HYTHE_BIND", "127.0.0.1"),
            http_port=_number(environ, "HYTHE_HTTP_PORT", 8080),
            https_port=_number(environ, "HYTHE_HTTPS_PORT", 8443),
            api_port=_number(environ, "HYTHE_API_PORT", 7600),
            router_workers=_number(environ, "HYTHE_ROUTER_WORKERS", 2),
            router_user=environ.get("HYTHE_ROUTER_USER", "nobody"),
            router_trust=environ.get("HYTHE_ROUTER_TRUST", ""),
            router_certificate=_absolute(environ.get("HYTHE_ROUTER_CERTIFICATE", "")),
            router_log=environ.get("HYTHE_ROUTER_LOG", "plain"),
            router_log_sample=_number(environ, "HYTHE_ROUTER_LOG_SAMPLE", 1),
            metrics_port=_number(environ, "HYTHE_METRICS_PORT", 0),
            domain=environ.get("HYTHE_DOMAIN", "localhost"),
            tls_cert=_absolute(environ.get("HYTHE_TLS_CERT", "")),
            tls_key=_absolute(environ.get("HYTHE_TLS_KEY", "")),
            database_url=_shown(environ.get("HYTHE_DATABASE_URL", "")),
            others=tuple((name, environ.get(f"HYTHE_{name.upper()}", "")) for name in OTHERS),
        )

    @property
    def run(self) -> Path:
        return self.home / "run"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def setup_log(self) -> Path:
        return self.logs / "setup.log"

    @property
    def credentials(self) -> Path:
        return self.home / "credentials"

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def public(self) -> bool:
        """Whether other machines reach what listens on `bind`."""
        try:
            return not ipaddress.ip_address(self.bind or "0.0.0.0").is_loopback
        except ValueError:
            return self.bind != "localhost"

    @property
    def control_url(self) -> str:
        """Where other machines reach the control plane."""
        name = f"hythe.{self.domain}"
        if self.domain == "localhost":  # which is another machine there
            name = "ADDRESS-OF-THIS-MACHINE" if self.bind in ("0.0.0.0", "::", "") else self.bind
        return f"https://{f'[{name}]' if ':' in name else name}:{self.api_port}"

    @property
    def fingerprint(self) -> str:
        """Of the certificate that other machines see; raises OSError or ValueError."""
        text = Path(self.tls_cert or self.home / "tls" / "cert.pem").read_text()
        begin = text.index("-----BEGIN CERTIFICATE-----")
        end = text.index("-----END CERTIFICATE-----", begin)
        der = ssl.PEM_cert_to_DER_cert(text[begin:end] + "-----END CERTIFICATE-----")
        return f"SHA256:{hashlib.sha256(der).hexdigest()}"

    def app_url(self, app: str) -> str:
        port = "" if self.http_port == 80 else f":{self.http_port}"
        return f"http://{app}.{self.domain}{port}"

    @property
    def router_address(self) -> tuple[str, int]:
        """Where this machine reaches its router."""
        everywhere = self.bind in ("0.0.0.0", "::", "")
        return ("127.0.0.1" if everywhere else self.bind, self.http_port)

    def make(self) -> None:
        """Make the folders. Others may pass through to their own files, not look around."""
        self.home.mkdir(parents=True, exist_ok=True)
        if self.home.stat().st_uid == os.geteuid():
            self.home.chmod(0o711)
        self.run.mkdir(exist_ok=True)
        self.logs.mkdir(exist_ok=True, mode=0o700)  # as the others of hythe.model.home

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One bin/up or bin/down an installation at a time; another one waits for its turn."""
        fd = os.open(self.home, os.O_RDONLY)
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                with step("Waiting for another bin/up or bin/down of this installation"):
                    fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def remember(self) -> None:
        """Keep the settings with which the programs are started: for the next start, and for
        `check_unchanged`."""
        names = {f"HYTHE_{name.upper()}" for name in json.loads(self._settings())}
        found = {
            name: value
            for name, value in self.environment().items()
            if name in names or AMBIENT.match(name)
        }
        before = homefile.read(self.home)
        for name, value in sorted(found.items()):
            if name in names and name in before and before[name] != value:
                was = _said(name, before[name])
                detail(f"{name} is {_said(name, value)} from now on; it was {was}")
        homefile.keep(self.home, found)
        (self.run / "settings.json").write_text(self._settings())

    def check_unchanged(self) -> None:
        """Raise Problem when the programs run with other settings."""
        theirs = _last_start(self.home)
        if not theirs:
            return
        theirs["database_url"] = self._database(theirs.get("database_url", self.database_url))
        ours = json.loads(self._settings())
        changed = [name for name in theirs if name in ours and theirs[name] != ours[name]]
        if changed:
            raise Problem(
                "Hythe runs with other settings: "
                + ", ".join(
                    f"HYTHE_{name.upper()}={theirs[name]} (here {ours[name] or 'not set'})"
                    for name in changed
                )
                + ".",
                "Take the new ones: bin/up --restart",
            )

    def _database(self, otherwise: str) -> str:
        """Where the rows are, as the home says; `hythe db:move` may have moved them."""
        try:
            url = str(json.loads((self.home / "installation").read_text())["database"])
        except (OSError, ValueError, KeyError):
            return otherwise
        return "" if url == f"sqlite:///{self.home / 'hythe.db'}" else _shown(url)

    def _settings(self) -> str:
        kept = {**asdict(self), **dict(self.others)}
        del kept["home"], kept["others"]
        return json.dumps(kept)

    def environment(self) -> dict[str, str]:
        """The environment of everything that belongs to this installation."""
        files = {"HYTHE_TLS_CERT": self.tls_cert, "HYTHE_TLS_KEY": self.tls_key}
        given = {name: path for name, path in files.items() if path}
        return {**os.environ, **given, "HYTHE_HOME": str(self.home)}


def _home(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("HYTHE_HOME") or CHECKOUT / ".hythe").expanduser().absolute()


def _last_start(home: Path) -> dict[str, Any]:
    """The settings of the programs that run, or ran last; empty when none did."""
    try:
        found: dict[str, Any] = json.loads((home / "run" / "settings.json").read_text())
    except (OSError, ValueError):
        return {}
    return found


def _said(name: str, value: str) -> str:
    return _shown(value) if name == "HYTHE_DATABASE_URL" else value


def _absolute(path: str) -> str:
    return str(Path(path).absolute()) if path else ""


def _shown(url: str) -> str:
    """A database's URL without its password and options."""
    head, separator, rest = url.partition("://")
    if not separator:
        return url
    if head in ("postgres", "postgresql+psycopg"):
        head = "postgresql"
    people, at, place = rest.partition("?")[0].rpartition("@")
    return f"{head}://{people.partition(':')[0]}{at}{place}"


def _number(environ: Mapping[str, str], name: str, default: int) -> int:
    value = environ.get(name, "")
    try:
        return int(value) if value else default
    except ValueError:
        raise Problem(
            f"{name} is '{value}', which is not a number.", f"Unset {name}, or correct it."
        ) from None
