"""What all connections of one worker share."""

import asyncio
import dataclasses
import ipaddress
import os
import time
from collections import Counter
from typing import Any, Protocol

from hythe.route.accesslog import AccessLog
from hythe.route.certificates import Certificates
from hythe.route.exchange import Exchange
from hythe.route.gate import Meter
from hythe.route.options import RouterOptions
from hythe.route.request import RequestParser
from hythe.route.response import ResponseParser
from hythe.route.rules import RuleBook
from hythe.route.table import LiveTable
from hythe.route.waiting import Waiting
from hythe.route_settings import NOTHING_SET


class Connection(Protocol):
    """A client's connection."""

    @property
    def deadline(self) -> float: ...

    def expired(self) -> None:
        """The deadline has passed."""

    def close_if_idle(self) -> None:
        """The router drains."""


_ON_ITS_WAY = 0.2  # seconds


class Proxy:
    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        options: RouterOptions,
        table: LiveTable,
        log: AccessLog,
        meter: Meter,
    ) -> None:
        self.loop = loop
        self.timeouts = options.timeouts
        self.limits = options.limits
        self.table = table
        self.log = log
        self.meter = meter
        # Until its route is known a request has no limit of its own.
        self.rules = dataclasses.replace(RuleBook(options).of(NOTHING_SET), body_limit=0)
        self.parse_request = RequestParser(options.limits)
        self.parse_response = ResponseParser(options.limits)
        self.certificates: Certificates | None = None  # None: no TLS
        self.https_port = 443  # where redirects lead
        self.clients: set[Connection] = set()
        self._peers: Counter[str] = Counter()  # connections of those that are not trusted
        self.tunnels: set[Exchange] = set()
        self.draining = False
        self.empty = asyncio.Event()  # draining, and the last client has left
        self.date = b""
        self.request_ids = RequestIds()
        self.now = 0.0  # of the monotonic clock, at the last tick
        self.horizon = 0.0  # the next tick: no deadline that starts from here comes too soon
        self.epoch = 0.0  # what to add to the monotonic clock for seconds since 1970
        self._trusted = [ipaddress.ip_network(network) for network in options.trusted]
        self._tick()

    def trusts(self, peer: str) -> bool:
        if not self._trusted:
            return False
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:
            return False
        return any(address in network for network in self._trusted)

    def enter(self, connection: Connection, peer: str) -> bool:
        """Note a new connection; false when it is one too many, of all or of its address."""
        self.clients.add(connection)
        if self.limits.ip_connections and not self.trusts(peer):
            self._peers[peer] += 1
            if self._peers[peer] > self.limits.ip_connections:
                return False
        return len(self.clients) <= self.limits.connections

    def leave(self, connection: Connection, peer: str) -> None:
        self.clients.discard(connection)
        if peer in self._peers:
            self._peers[peer] -= 1
            if not self._peers[peer]:
                del self._peers[peer]
        self._empty()

    def make_queue(self) -> Waiting:
        return Waiting(self.loop)

    def later(self, seconds: float) -> float:
        """A deadline no sooner than in `seconds`; deadlines are looked at with every tick."""
        return self.horizon + seconds

    def _tick(self) -> None:
        """Look at every deadline; one timer for them all."""
        now = time.monotonic()
        self.now = now
        self.horizon = now + self.timeouts.tick
        self.epoch = time.time() - now
        self.date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime()).encode()
        for client in [client for client in self.clients if client.deadline <= now]:
            client.expired()
        before = now - self.timeouts.backend_idle
        for upstream in self.table.upstreams.values():
            if upstream.idle:
                upstream.reap(before)
        self.loop.call_later(self.timeouts.tick, self._tick)

    def part_tunnels(self) -> None:
        """Say goodbye to the WebSockets of targets that have left the table."""
        for exchange in list(self.tunnels):
            if exchange.tunnel is not None and (self.draining or exchange.retired):
                exchange.tunnel.part()

    def drain(self) -> None:
        """Answer what is open and what is on its way, begin nothing new."""
        self.draining = True
        self.part_tunnels()
        # A connection that was just accepted has a request that was not read yet.
        self.loop.call_later(_ON_ITS_WAY, self._close_idle)

    def _close_idle(self) -> None:
        for client in list(self.clients):
            client.close_if_idle()
        self._empty()

    def counts(self) -> dict[str, Any]:
        """What was counted since the last call, and how things stand."""
        tallies = self.table.tallies
        apps = {app: tally.take() for app, tally in tallies.items() if tally.touched}
        if self.table.unrouted.touched:
            apps[""] = self.table.unrouted.take()
        return {
            "apps": apps,
            "watched": self.table.take_watched(),
            "clients": len(self.clients),
            "tunnels": len(self.tunnels),
            "held": self.table.held(),
        }

    def _empty(self) -> None:
        if self.draining and not self.clients:
            self.loop.call_soon(self._end)  # a TLS connection may just be handing its place on

    def _end(self) -> None:
        if not self.clients:
            self.empty.set()


class RequestIds:
    """Random identifiers of 32 hexadecimal digits."""

    __slots__ = ("_at", "_digits")

    def __init__(self) -> None:
        self._digits = ""
        self._at = 0

    def __call__(self) -> str:
        at = self._at
        if at == len(self._digits):
            self._digits = os.urandom(8192).hex()
            at = 0
        self._at = at + 32
        return self._digits[at : at + 32]
