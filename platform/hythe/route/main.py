"""The router's command line: `python -m hythe.route`, also reached as `hythe router`."""

import argparse
from pathlib import Path

from hythe.route import master
from hythe.route.options import Limits, RouterOptions, Timeouts


def main(argv: list[str] | None = None) -> int:
    return master.run(_options(argv))


def _options(argv: list[str] | None) -> RouterOptions:
    parser = argparse.ArgumentParser(
        prog="hythe router",
        description="Route HTTP to apps by host name.",
        epilog="SIGHUP reloads the table file, SIGUSR1 reopens the log, SIGUSR2 takes up new code, "
        "SIGTERM drains and stops.",
    )
    parser.add_argument("--listen", metavar="HOST:PORT", type=_address, default="127.0.0.1:8080")
    parser.add_argument("--listen-tls", metavar="PORT", type=_port, help="TLS, on the same address")
    parser.add_argument(
        "--certificate",
        metavar="FILE",
        type=Path,
        help="key and chain in PEM, for names that have none of their own; else self-signed",
    )
    parser.add_argument("--workers", metavar="N", type=_count, default=2)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--table", metavar="FILE", type=Path, help="a table in JSON")
    source.add_argument("--control", metavar="SOCKET", type=Path, help="the control plane's socket")
    parser.add_argument("--snapshot", metavar="FILE", type=Path, help="keeps the last table")
    parser.add_argument("--log", metavar="FILE", type=Path, help="access log, else standard output")
    parser.add_argument("--log-json", action="store_true", help="one JSON object a line")
    parser.add_argument(
        "--log-sample", metavar="N", type=_sample, default=1, help="log one of N, and every error"
    )
    parser.add_argument("--metrics", metavar="PORT", type=_port, help="/metrics, on loopback")
    parser.add_argument("--stats", metavar="SOCKET", type=Path, help="/stats, as JSON")
    parser.add_argument("--user", metavar="NAME", help="what workers become, when root starts it")
    parser.add_argument(
        "--ip-connections",
        metavar="N",
        type=_whole,
        default=Limits().ip_connections,
        help="most connections of an address at a worker; 0: no limit",
    )
    parser.add_argument(
        "--trust", metavar="NETWORK", action="append", default=[], help="keeps its X-Forwarded-*"
    )
    parser.add_argument("--drain", metavar="SECONDS", type=float, default=30.0)
    given = parser.parse_args(argv)
    return RouterOptions(
        host=given.listen[0],
        port=given.listen[1],
        tls_port=given.listen_tls,
        certificate=given.certificate,
        workers=given.workers,
        table=given.table,
        control=given.control,
        snapshot=given.snapshot,
        log=given.log,
        log_json=given.log_json,
        log_sample=given.log_sample,
        metrics_port=given.metrics,
        stats=given.stats,
        user=given.user,
        limits=Limits(ip_connections=given.ip_connections),
        trusted=tuple(given.trust),
        timeouts=Timeouts(drain=given.drain),
    )


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


def _port(text: str) -> int:
    if not text.isdigit() or not int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port")
    return int(text)


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError("must be 1 to 64")
    return int(text)


def _sample(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return int(text)


def _whole(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError("must be a whole number")
    return int(text)
