"""What a route asks of a request before anything else: is it open, is the sender not too fast, is
the body not too long?"""

from __future__ import annotations

import ipaddress
import math
import mmap
import time
from typing import TYPE_CHECKING

from hythe.route import codes
from hythe.route.codes import Answer
from hythe.route.tally import LIMITED
from hythe.wire import MAINTENANCE

if TYPE_CHECKING:
    from hythe.route.exchange import Exchange
    from hythe.route.liveroute import LiveRoute

_CHALLENGE = b"/.well-known/acme-challenge/"  # RFC 8555, 8.3
_SLOTS = 1 << 17


class Meter:
    """Rates of senders, in memory that all workers share: one time stamp a sender.

    It is the generic cell rate algorithm: the stamp is when the sender's allowance is used up. Two
    workers that write at once may let a request too many pass; senders whose slots meet share one.
    """

    def __init__(self) -> None:
        self._stamps = memoryview(mmap.mmap(-1, 8 * _SLOTS)).cast("d")

    def wait(self, app: str, sender: str, rate: int, burst: int) -> float:
        """Count a request; 0.0 when it may pass, else the seconds after which the next may."""
        slot = hash((app, sender)) % _SLOTS
        now = time.monotonic()
        used = max(self._stamps[slot], now)
        late = used - now - (burst - 1) / rate
        if late > 1e-9:
            return late
        self._stamps[slot] = used + 1 / rate
        return 0.0


def refusal(exchange: Exchange, route: LiveRoute) -> Answer | None:
    """The answer to a request that must not pass. Asked only where `route.gated`."""
    rules = route.rules
    if route.wire.challenges and exchange.head.target.startswith(_CHALLENGE):
        token = exchange.head.target.removeprefix(_CHALLENGE).decode()
        for known, text in route.wire.challenges:
            if known == token:
                return codes.challenge(text)
    if route.wire.redirect:
        return _elsewhere(exchange, route)
    if rules.https_only and not exchange.secure:
        return codes.moved_to_https(exchange.https_url)
    if route.wire.mode == MAINTENANCE:
        return codes.of("H80")
    if rules.rate:
        wait = exchange.proxy.meter.wait(
            route.wire.app, _network(exchange.sender), rules.rate, rules.burst
        )
        if wait:
            exchange.proxy.table.tally(route).count(LIMITED)
            return codes.too_many(math.ceil(wait))
    announced = exchange.head.length or 0
    if rules.body_limit and max(announced, exchange.received) > rules.body_limit:
        return codes.bad_request(413, f"The body is longer than {rules.body_limit} bytes")
    return None


def _elsewhere(exchange: Exchange, route: LiveRoute) -> Answer:
    """Only what carries no body is sent on: a client may have put a secret into anything else."""
    head = exchange.head
    if head.method in (b"GET", b"HEAD"):
        return codes.moved(route.wire.redirect + head.target.decode())
    return codes.of(route.wire.error)


def _network(address: str) -> str:
    """What one sender has: an IPv4 address, or a /64 of IPv6."""
    if ":" not in address:
        return address
    try:
        return str(ipaddress.IPv6Interface(f"{address}/64").network)
    except ValueError:
        return address
