"""Packet filter rules that keep apps away from the host, and other machines away from apps.

The engine keeps bridges apart by itself, but from a container every port that the host opens on all
addresses answers at the gateway. And where the host forwards packets, as Docker before 28 leaves it
on a router, other machines reach containers whose ports nobody published. These rules live in three
chains of our own for each bridge prefix: for packets to the host, out of a bridge, and into one.
"""

import shutil
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

from hythe.errors import EngineError

METADATA = {"iptables": "169.254.0.0/16", "ip6tables": "fd00:ec2::254/128"}
LOCK_SECONDS = "10"  # to wait for others who change the tables
COMMAND_SECONDS = 30


class Firewall:
    def __init__(self) -> None:
        self._lock = threading.Lock()  # between a look and its change

    def isolate(self, bridge_prefix: str, host_ports: Sequence[int]) -> None:
        with self._lock:
            for command in _commands():
                _fill(command, chain_rules(bridge_prefix, host_ports, METADATA[command]))
                through = "DOCKER-USER" if _holds(command, "-n", "-L", "DOCKER-USER") else "FORWARD"
                for jump in jumps(bridge_prefix, through):
                    if not _holds(command, "-C", *jump):
                        _change(command, "-I", *jump)

    def unisolate(self, bridge_prefix: str) -> None:
        places = [*jumps(bridge_prefix, "DOCKER-USER"), *jumps(bridge_prefix, "FORWARD")]
        with self._lock:
            for command in _commands():
                for jump in places:
                    while _holds(command, "-C", *jump):
                        _change(command, "-D", *jump)
                for chain in chains(bridge_prefix):
                    if _holds(command, "-n", "-L", chain):
                        _change(command, "-F", chain)
                        _change(command, "-X", chain)


def jumps(bridge_prefix: str, through: str) -> list[tuple[str, ...]]:
    """The rules that lead to our chains; `through` is the chain that forwarded packets pass."""
    host, out, into = chains(bridge_prefix)
    bridges = f"{bridge_prefix}+"
    return [
        ("INPUT", "-i", bridges, "-j", host),
        (through, "-i", bridges, "-j", out),
        (through, "-o", bridges, "-j", into),
    ]


def chains(bridge_prefix: str) -> tuple[str, str, str]:
    """The names of our chains: to the host, out of bridges, into them; at most 28 characters."""
    start = f"HYTHE-{bridge_prefix}"
    return f"{start}-HOST", f"{start}-OUT", f"{start}-IN"


def chain_rules(bridge_prefix: str, host_ports: Sequence[int], metadata: str) -> str:
    """All chains whole, in iptables-restore's format, which replaces their content at once."""
    host, out, into = chains(bridge_prefix)
    known = "-m conntrack --ctstate ESTABLISHED,RELATED"
    rules = [f"-A {host} {known} -j ACCEPT"]
    rules += [f"-A {host} -p tcp --dport {port} -j ACCEPT" for port in host_ports]
    rules += [f"-A {into} {known} -j RETURN", f"-A {into} -i {bridge_prefix}+ -j RETURN"]
    for chain, where in ((host, ""), (out, f"-d {metadata} "), (into, "")):
        rules.append(f"-A {chain} {where}-p tcp -j REJECT --reject-with tcp-reset")
        rules.append(f"-A {chain} {where}-j REJECT")
    names = (f":{chain} -" for chain in (host, out, into))
    return "\n".join(["*filter", *names, *rules, "COMMIT", ""])


def _commands() -> list[str]:
    """iptables, and ip6tables where it and IPv6 exist."""
    if not shutil.which("iptables"):
        raise EngineError(
            "iptables is missing, so apps cannot be kept away from the host.",
            "Install it: `apt-get install iptables`.",
        )
    has_v6 = shutil.which("ip6tables") and Path("/proc/net/if_inet6").exists()
    return ["iptables", "ip6tables"] if has_v6 else ["iptables"]


def _fill(command: str, rules: str) -> None:
    _demand([f"{command}-restore", "-w", LOCK_SECONDS, "--noflush"], rules)


def _change(command: str, *arguments: str) -> None:
    _demand([command, "-w", LOCK_SECONDS, *arguments])


def _holds(command: str, *arguments: str) -> bool:
    """Whether the rule or chain is there; a tool that cannot look does not say no."""
    return _run([command, "-w", LOCK_SECONDS, *arguments], accepted=(0, 1, 2)) == 0


def _demand(command: list[str], rules: str | None = None) -> None:
    _run(command, rules, accepted=(0,))


def _run(command: list[str], rules: str | None = None, *, accepted: Sequence[int]) -> int:
    try:
        done = subprocess.run(
            command, input=rules, capture_output=True, text=True, timeout=COMMAND_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(f"{command[0]} does not work: {error}") from error
    if done.returncode not in accepted:
        raise EngineError(
            f"Apps cannot be kept away from the host: {' '.join(done.stderr.split())[:300]}",
            "Run the control plane as root, on a kernel with netfilter.",
        )
    return done.returncode
