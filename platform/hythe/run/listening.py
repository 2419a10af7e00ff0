"""Where a container's processes listen, to tell a user which port it should have been."""

import contextlib
import ipaddress
from pathlib import Path

from hythe.engine.port import Container

LISTEN = "0A"  # TCP_LISTEN in /proc/net/tcp (linux/Documentation/networking/proc_net_tcp.rst)
ENGINE_DNS = "127.0.0.11"
LARGEST = 65536


def listening(container: Container) -> list[str]:
    """Addresses such as "127.0.0.1:8000"; an empty list when it cannot be told.

    Read from the host's /proc, so that nothing of the app runs for it.
    """
    if container.pid is None:
        return []
    text = ""
    for table in ("tcp", "tcp6"):
        with (
            contextlib.suppress(OSError),
            Path(f"/proc/{container.pid}/net/{table}").open() as file,
        ):
            text += file.read(LARGEST)
    return parse(text)


def parse(text: str) -> list[str]:
    """The listening sockets of /proc/net/tcp and tcp6, without the engine's own resolver."""
    found: set[tuple[int, str]] = set()
    for line in text.splitlines():
        fields = line.split()
        if len(fields) < 4 or fields[3] != LISTEN or ":" not in fields[1]:
            continue
        address, port = fields[1].split(":")
        host = _host(address)
        if host != ENGINE_DNS:
            found.add((int(port, 16), host))
    return [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for port, host in sorted(found)]


def advice(addresses: list[str], port: int) -> str | None:
    """The fix for an app that did not answer on its port in time, from where it listens now."""
    if not addresses:
        return None
    shown = ", ".join(addresses)
    if {f"0.0.0.0:{port}", f"[::]:{port}"} & set(addresses):
        return (
            f"It listens on {shown} by now: do less before listening, or give apps longer to "
            "boot, HYTHE_BOOT_TIMEOUT."
        )
    return f"It listens on {shown}: listen on 0.0.0.0:$PORT (here {port})."


def _host(address: str) -> str:
    """The kernel prints each 32-bit word in host byte order."""
    words = [bytes.fromhex(address[i : i + 8])[::-1] for i in range(0, len(address), 8)]
    return str(ipaddress.ip_address(b"".join(words)))
