"""What a router is told when it starts. Seconds and bytes throughout."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Timeouts:
    connect: float = 5.0  # H19
    request_head: float = 10.0  # 408
    client_idle: float = 75.0
    body_idle: float = 30.0  # H28
    first_byte: float = 30.0  # H12
    rolling: float = 55.0  # H15: no byte either way after the first
    backend_idle: float = 4.0  # below the 5 s after which Node closes
    half_closed: float = 5.0  # H27: no answer has begun for a client that sends no more
    drain: float = 30.0
    tls_handshake: float = 10.0
    websocket_idle: float = 3600.0
    hold: float = 30.0  # H11, H20: how long a request waits for a place
    slow_start: float = 10.0
    linger: float = 5.0  # reading on after a last response, so that it is not lost to a reset
    tick: float = 1.0  # how often deadlines are looked at


@dataclass(frozen=True, slots=True)
class Limits:
    target: int = 8 * 1024  # 414
    header_line: int = 8 * 1024  # 431
    head: int = 32 * 1024  # 431
    headers: int = 100  # 431
    body: int = 0  # 413; 0 means no limit
    pipelined: int = 64 * 1024  # unread bytes of later requests, then the client is not read
    linger: int = 1024 * 1024  # bytes that are read and thrown away after an early response
    connections: int = 20_000  # H22, a worker
    ip_connections: int = 1_000  # H22, an address that is not trusted, a worker; 0: no limit
    backlog: int = 200  # H11: requests of an app that wait, a worker
    target_requests: int = 500  # in progress at a target, a worker; 0: no limit
    idle_backends: int = 64  # kept-alive connections a target and worker


@dataclass(frozen=True, slots=True)
class RouterOptions:
    """One router. Its table comes from `table` (a file) or `control` (a unix socket)."""

    host: str = "127.0.0.1"
    port: int = 8080
    tls_port: int | None = None  # on the same address; None: no TLS
    certificate: Path | None = None  # PEM, key and chain, for names that have none of their own
    workers: int = 2
    table: Path | None = None
    control: Path | None = None
    snapshot: Path | None = None
    user: str | None = None  # that workers become, when the master is root
    metrics_port: int | None = None  # on loopback
    stats: Path | None = None  # a unix socket
    log: Path | None = None  # None: standard output
    log_size: int = 100 * 1024 * 1024  # then the file moves to NAME.1
    log_json: bool = False
    log_sample: int = 1  # one of so many lines of requests without an error is written
    trusted: tuple[str, ...] = ()  # networks whose X-Forwarded-* and X-Request-Id are kept
    timeouts: Timeouts = field(default=Timeouts())
    limits: Limits = field(default=Limits())
