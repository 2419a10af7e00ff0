"""Every setting, read once from the environment (`HYTHE_*`).

The reference in docs/reference/settings.md is generated from this class.
"""

import dataclasses
import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hythe import environment
from hythe.environment import Field
from hythe.errors import InvalidSetting


@dataclass(frozen=True)
class Settings:
    """The settings of one installation; `read` checks them, code that makes its own is trusted."""

    home: Path = Field(Path(".hythe"), description="Folder that holds all state.")
    domain: str = Field("localhost", description="Apps answer at APP.DOMAIN.")
    bind: str = Field(
        "127.0.0.1",
        description="Address on which the router listens and, unless it is loopback, the control "
        "plane's TLS too.",
    )
    http_port: int = Field(8080, ge=1, le=65535, description="The router's HTTP port.")
    https_port: int = Field(
        8443, ge=0, le=65535, description="The router's HTTPS port; 0 is no HTTPS."
    )
    api_port: int = Field(7600, ge=1, le=65535, description="The control plane's port.")
    tls_cert: str = Field(
        "",
        description="Certificate for other machines, a PEM file; empty means one that Hythe signs.",
    )
    tls_key: str = Field(
        "", description="Its private key, a PEM file; empty means the certificate's own file."
    )
    router_workers: int = Field(2, ge=1, le=64, description="Worker processes of the router.")
    router_user: str = Field(
        "nobody", description="User that the router's workers become once root has bound the ports."
    )
    router_trust: str = Field(
        "",
        description="Networks of proxies in front of the router, by commas: their X-Forwarded-* "
        "and X-Request-Id are believed.",
    )
    router_certificate: str = Field(
        "",
        description="Certificate for hosts that have none, a PEM file with its key; empty means "
        "one that the router signs.",
    )
    router_log: Literal["plain", "json"] = Field(
        "plain", description="The access log's lines: plain or json."
    )
    router_log_sample: int = Field(
        1, ge=1, description="The access log gets one of so many lines, and every error."
    )
    metrics_port: int = Field(
        0, ge=0, le=65535, description="Loopback port of the router's `/metrics`; 0 is none."
    )
    database_url: str = Field(
        "",
        description="Database, such as postgresql://USER:PASSWORD@HOST/NAME; "
        "empty means SQLite in HYTHE_HOME.",
    )
    subnets: str = Field(
        "10.192.0.0/12", description="Range from which each app's network takes a /24."
    )
    upload_limit: int = Field(
        512 * 1024 * 1024,
        ge=1024,
        description="Largest push or upload, bytes, packed and unpacked.",
    )
    fetch_timeout: int = Field(300, ge=1, description="Time limit of fetching a git URL, seconds.")
    git_http: bool = Field(
        False, description="Fetch http:// git URLs from other machines too, unencrypted."
    )
    build_slots: int = Field(1, ge=1, description="Builds that run at the same time.")
    build_spares: int = Field(
        1, ge=0, le=1, description="Build containers started ahead, so that a push need not wait."
    )
    build_memory: int = Field(2 * 1024**3, description="Memory limit of a build, bytes.")
    build_cpus: float = Field(2.0, gt=0, description="CPU limit of a build, cores.")
    build_weight: int = Field(
        20,
        ge=1,
        le=100,
        description="Share of the processors that all builds get together while apps want them "
        "too; 100 is as much as all apps get.",
    )
    build_pids: int = Field(1024, ge=16, description="Process limit of a build.")
    build_timeout: int = Field(900, ge=1, description="Time limit of a build, seconds.")
    build_disk: int = Field(
        8 * 1024**3, ge=1024**2, description="Disk space that a build may take, bytes."
    )
    build_output: int = Field(
        64 * 1024**2,
        ge=1024,
        description="Output after which a build is ended, bytes; its log keeps the first 4 MiB.",
    )
    rollback_images: int = Field(
        5, ge=1, description="Images of each app that always stay, so that a rollback is quick."
    )
    max_images: int = Field(
        10, ge=1, description="Images of each app; older ones beyond the rollback images go."
    )
    image_days: int = Field(
        30, ge=1, description="Age at which an image goes that no rollback needs, days."
    )
    cache_days: int = Field(
        30, ge=1, description="Time without a build after which an app's build cache goes, days."
    )
    disk_budget: int = Field(
        0,
        ge=0,
        description="Space for images and build caches, beyond which the oldest go, bytes; "
        "0 is no budget.",
    )
    disk_reserve: int = Field(
        1024**3, ge=0, description="Free disk space without which no build starts, bytes."
    )
    instance_memory: int = Field(512 * 1024**2, description="Memory limit of an instance, bytes.")
    instance_cpus: float = Field(1.0, gt=0, description="CPU limit of an instance, cores.")
    instance_pids: int = Field(512, ge=16, description="Process limit of an instance.")
    max_instances: int = Field(100, ge=1, le=120, description="Most instances of one process type.")
    boot_timeout: int = Field(60, ge=1, description="Time to answer on $PORT, seconds.")
    drain_timeout: int = Field(
        30, ge=0, description="Time that a leaving instance has for its open requests, seconds."
    )
    stop_timeout: int = Field(30, ge=1, description="Time from SIGTERM to SIGKILL, seconds.")
    release_timeout: int = Field(600, ge=1, description="Time limit of a release phase, seconds.")
    run_timeout: int = Field(86_400, ge=1, description="Longest time of a one-off run, seconds.")
    log_bytes: int = Field(
        64 * 1024**2,
        ge=1024**2,
        description="Size of one app's log; older lines are dropped, bytes.",
    )
    log_days: int = Field(
        30, ge=0, description="Age at which lines of apps' logs are dropped, days; 0 is no limit."
    )
    parallel_starts: int = Field(4, ge=1, description="Instances that may boot at the same time.")

    @classmethod
    def read(cls) -> "Settings":
        """From the environment, `HYTHE_NAME` for each; raises InvalidSetting."""
        settings = environment.read(cls, "HYTHE_", os.environ)
        for network in filter(None, settings.router_trust.split(",")):
            try:
                ipaddress.ip_network(network.strip())
            except ValueError as error:
                raise InvalidSetting(f"HYTHE_ROUTER_TRUST: {error}.") from None
        return settings

    def __post_init__(self) -> None:
        object.__setattr__(self, "home", Path(self.home).expanduser().absolute())

    def to_json(self) -> dict[str, Any]:
        """All of them, as `Settings(**document)` takes them."""
        return {**dataclasses.asdict(self), "home": str(self.home)}

    def changed(self) -> dict[str, Any]:
        """Those that are not as they are by default, as in to_json."""
        default = Settings().to_json()
        return {name: value for name, value in self.to_json().items() if value != default[name]}

    @property
    def stats_socket(self) -> Path:
        """Where the router says what it counted."""
        return self.home / "run" / "router.sock"

    @property
    def database(self) -> str:
        """The SQLAlchemy URL of the database."""
        return self.database_url or f"sqlite:///{self.home / 'hythe.db'}"

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
    def api_hosts(self) -> tuple[str, ...]:
        """The host names to which the control plane answers, without a port."""
        return ("127.0.0.1", "localhost", "[::1]", self.control_host)

    @property
    def control_host(self) -> str:
        """The control plane's own name; no app has it."""
        return f"hythe.{self.domain}"

    @property
    def control_url(self) -> str:
        """Where people reach the control plane: from other machines over TLS only."""
        return f"https://{self.control_host}:{self.api_port}" if self.public else self.api_url

    @property
    def dashboard_url(self) -> str:
        """Where people open the dashboard.

        The domain localhost leads elsewhere on other machines: HYTHE_BIND then, if it is one
        address, else loopback.
        """
        if not self.public or self.domain != "localhost":
            return self.control_url
        if self.bind in ("", "0.0.0.0", "::"):
            return self.api_url
        return f"https://{f'[{self.bind}]' if ':' in self.bind else self.bind}:{self.api_port}"

    def app_host(self, name: str) -> str:
        """The host name that an app has from the start."""
        return f"{name}.{self.domain}"

    def app_url(self, host: str) -> str:
        """The address at which people reach a place of an app: a host name, perhaps with a path."""
        name, slash, path = host.partition("/")
        port = "" if self.http_port == 80 else f":{self.http_port}"
        return f"http://{name}{port}{slash}{path}"

    # The folders of HYTHE_HOME; whoever writes to one makes it.
    @property
    def run_dir(self) -> Path:
        """Sockets, locks and process ids."""
        return self.home / "run"

    @property
    def log_dir(self) -> Path:
        return self.home / "logs"

    @property
    def key_file(self) -> Path:
        """The key that encrypts config values; mode 0600."""
        return self.home / "key"

    @property
    def installation_file(self) -> Path:
        """Which installation this folder and its database belong to, see model/identity.py."""
        return self.home / "installation"

    @property
    def tls_dir(self) -> Path:
        """The certificate that Hythe signs itself, and its key."""
        return self.home / "tls"

    @property
    def control_socket(self) -> Path:
        """Where routers dial in (see wire.py)."""
        return self.run_dir / "control.sock"

    @property
    def source_socket(self) -> Path:
        """Where the proc-receive hook dials in."""
        return self.run_dir / "source.sock"
