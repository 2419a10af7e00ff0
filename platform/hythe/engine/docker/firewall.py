"""Packet filter rules that keep apps away from the host.

The engine keeps bridges apart by itself, but from a container every port that the host opens on all
addresses answers at the gateway. These rules live in two chains of our own for each bridge prefix:
one for packets to the host, one for packets through it.
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
                for parent, chain in _jumps(command, bridge_prefix).items():
                    jump = (parent, "-i", f"{bridge_prefix}+", "-j", chain)
                    if not _holds(command, "-C", *jump):
                        _change(command, "-I", *jump)

    def unisolate(self, bridge_prefix: str) -> None:
        to_host, through = chains(bridge_prefix)
        parents = {"INPUT": to_host, "DOCKER-USER": through, "FORWARD": through}
        with self._lock:
            for command in _commands():
                for parent, chain in parents.items():
                    jump = (parent, "-i", f"{bridge_prefix}+", "-j", chain)
                    while _holds(command, "-C", *jump):
                        _change(command, "-D", *jump)
                for chain in (to_host, through):
                    if _holds(command, "-n", "-L", chain):
                        _change(command, "-F", chain)
                        _change(command, "-X", chain)


def _jumps(command: str, bridge_prefix: str) -> dict[str, str]:
    """Which of the kernel's or the engine's chains leads to which of ours."""
    to_host, through = chains(bridge_prefix)
    user = _holds(command, "-n", "-L", "DOCKER-USER")
    return {"INPUT": to_host, "DOCKER-USER" if user else "FORWARD": through}


def chains(bridge_prefix: str) -> tuple[str, str]:
    """The names of our chains, to the host and through it; at most 28 characters each."""
    return f"HYTHE-{bridge_prefix}-HOST", f"HYTHE-{bridge_prefix}-OUT"


def chain_rules(bridge_prefix: str, host_ports: Sequence[int], metadata: str) -> str:
    """Both chains whole, in iptables-restore's format, which replaces their content at once."""
    to_host, through = chains(bridge_prefix)
    rules = [f"-A {to_host} -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT"]
    rules += [f"-A {to_host} -p tcp --dport {port} -j ACCEPT" for port in host_ports]
    for chain, where in ((to_host, ""), (through, f"-d {metadata} ")):
        rules.append(f"-A {chain} {where}-p tcp -j REJECT --reject-with tcp-reset")
        rules.append(f"-A {chain} {where}-j REJECT")
    return "\n".join(["*filter", f":{to_host} -", f":{through} -", *rules, "COMMIT", ""])


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
