"""Asks at a fixed rate, whatever the answers do: `python -m bench.openloop PORT RATE SECONDS HOST`.

A request's latency counts from the moment when it was due, so that a stall is seen by all that it
held up. The first half second is not counted. Prints JSON: how many requests were answered, and the
p50, p99 and p99.9 in milliseconds.
"""

import asyncio
import json
import sys
import time
from collections import deque

import uvloop

CONNECTIONS = 64
TICK = 0.001
WARM_SECONDS = 0.5  # not counted: both sides open their connections then


class Asker(asyncio.Protocol):
    """A kept-alive connection with one request at a time; answers end with `ok`."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._due = 0.0
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.WriteTransport = transport  # type: ignore[assignment]
        self._load.free.append(self)

    def ask(self, due: float) -> None:
        self._due = due
        self._got = b""
        self._transport.write(self._load.request)

    def data_received(self, data: bytes) -> None:
        self._got += data  # an app may send head and body apart
        if not self._got.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"not the answer: {self._got[:200]!r}")
        if not self._got.endswith(b"ok"):
            return
        self._load.took(self._due)
        self._load.ready(self)


class Load:
    def __init__(self, host: str, rate: float) -> None:
        self.request = (
            f"GET / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) "
            "AppleWebKit/537.36 Chrome/120.0 Safari/537.36\r\nAccept: text/html,*/*;q=0.8\r\n"
            "Accept-Language: en\r\nAccept-Encoding: gzip, br\r\nCookie: session=0123456789\r\n\r\n"
        ).encode()
        self.free: deque[Asker] = deque()
        self.waiting: deque[float] = deque()
        self.latencies: list[float] = []
        self.counts_from = 0.0
        self._rate = rate

    def took(self, due: float) -> None:
        if due >= self.counts_from:
            self.latencies.append((time.monotonic() - due) * 1000)

    def ready(self, asker: Asker) -> None:
        if self.waiting:
            asker.ask(self.waiting.popleft())
        else:
            self.free.append(asker)

    async def run(self, port: int, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(CONNECTIONS):
            await loop.create_connection(lambda: Asker(self), "127.0.0.1", port)
        start = time.monotonic()
        self.counts_from = start + WARM_SECONDS
        sent = 0
        while (now := time.monotonic()) < self.counts_from + seconds:
            while start + sent / self._rate <= now:
                due = start + sent / self._rate
                sent += 1
                if self.free:
                    self.free.popleft().ask(due)
                else:
                    self.waiting.append(due)
            await asyncio.sleep(TICK)
        await asyncio.sleep(0.3)


def percentiles(latencies: list[float]) -> dict[str, float]:
    """By name: p50, p99, p99.9. In the unit of what is given, which must not be empty."""
    ordered = sorted(latencies)
    return {f"p{p:g}": ordered[int(len(ordered) * p / 100)] for p in (50, 99, 99.9)}


def main() -> None:
    port, rate, seconds, host = (
        int(sys.argv[1]),
        float(sys.argv[2]),
        float(sys.argv[3]),
        sys.argv[4],
    )
    load = Load(host, rate)
    uvloop.run(load.run(port, seconds))
    print(json.dumps({"answered": len(load.latencies), **percentiles(load.latencies)}))


if __name__ == "__main__":
    main()
