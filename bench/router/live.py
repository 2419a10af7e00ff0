"""Server-sent events, and WebSockets that talk and that rest.

`python -m bench.router.live events|echo|idle PORT SECONDS COUNT`; it prints JSON.
"""

import asyncio
import json
import resource
import subprocess
import sys
import time

from bench.openloop import percentiles
from bench.router.app import PAYLOAD
from bench.router.contest import HOST, LOAD_CORE, ROOT, Running
from bench.router.part import LIVE, Part, Terms

IDLE = 10_000
_FRAME = b"\x82" + bytes([0x80 | PAYLOAD]) + bytes(4 + PAYLOAD)  # masked with noughts
_ECHO = 2 + PAYLOAD


def _command(what: str, router: Running, seconds: int, count: int) -> list[str]:
    return [
        *("taskset", "-c", LOAD_CORE, sys.executable, "-m", "bench.router.live"),
        *(what, str(router.site.port), str(seconds), str(count)),
    ]


def _follow(router: Running, terms: Terms) -> dict[str, float]:
    """How late events arrive, and what one costs."""
    before = router.cpu()
    command = _command("events", router, terms.seconds, 50)
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    spent = router.cpu() - before
    found: dict[str, float] = json.loads(done.stdout)
    return {"us": spent / found.pop("count"), **found}


def _talk(router: Running, terms: Terms) -> dict[str, float]:
    before = router.cpu()
    command = _command("echo", router, terms.seconds, 64)
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    spent = router.cpu() - before
    count = json.loads(done.stdout)
    return {"messages/s": count / terms.seconds, "us": spent / count}


def _rest(router: Running, terms: Terms) -> dict[str, float]:
    # A router needs two files for each; where it may not open so many there are fewer.
    most = (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200) // 2
    count = min(IDLE // 20 if terms.quick else IDLE, most)
    before = router.memory()
    client = subprocess.Popen(
        _command("idle", router, 0, count),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        assert client.stdout is not None
        if json.loads(client.stdout.readline() or "0") != count:
            raise RuntimeError(f"{router.name}: {count} WebSockets cannot be opened{router.said()}")
        time.sleep(2)
        return {"count": count, "KiB": (router.memory() - before) * 1024 / count}
    finally:
        client.communicate("\n", 60)


# The client


async def _open(
    port: int, path: str, *lines: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4096)
    head = [f"GET {path} HTTP/1.1", f"Host: {HOST}", *lines]
    writer.write(("\r\n".join(head) + "\r\n\r\n").encode())
    answer = await reader.readuntil(b"\r\n\r\n")
    if answer.split()[1] not in (b"200", b"101"):
        raise SystemExit(answer.decode())
    return reader, writer


_UPGRADE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


async def _events(port: int, seconds: float, count: int) -> dict[str, float]:
    """How many arrived, and how late: percentiles in milliseconds from when one was sent."""
    late: list[float] = []
    end = time.monotonic() + seconds

    async def follow() -> None:
        reader, writer = await _open(port, "/events")
        while time.monotonic() < end:
            line = await reader.readline()
            if line.startswith(b"data: "):
                late.append((time.monotonic() - float(line[6:])) * 1000)
        writer.close()

    await asyncio.gather(*(follow() for _ in range(count)))
    return {"count": len(late), **percentiles(late)}


async def _echo(port: int, seconds: float, count: int) -> int:
    """How many messages came back."""
    echoed = 0

    async def talk() -> None:
        nonlocal echoed
        reader, writer = await _open(port, "/socket", *_UPGRADE)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            writer.write(_FRAME)
            await reader.readexactly(_ECHO)
            echoed += 1
        writer.close()

    await asyncio.gather(*(talk() for _ in range(count)))
    return echoed


async def _idle(port: int, seconds: float, count: int) -> int:
    """Open so many, say so, and keep them until there is a line on standard input."""
    gate = asyncio.Semaphore(200)

    async def one() -> asyncio.StreamWriter:
        async with gate:
            return (await _open(port, "/socket", *_UPGRADE))[1]

    writers = await asyncio.gather(*(one() for _ in range(count)))
    print(len(writers), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    for writer in writers:
        writer.transport.abort()
    return len(writers)


def main() -> None:
    import uvloop

    what, port, seconds, count = sys.argv[1], *map(int, sys.argv[2:5])
    client = {"events": _events, "echo": _echo, "idle": _idle}[what]
    print(json.dumps(uvloop.run(client(port, seconds, count))))


PARTS = [
    Part("sse", "server-sent events", _follow, backend=LIVE),
    Part("echo", "WebSocket echo", _talk, backend=LIVE),
    Part("idle", "idle WebSockets", _rest, backend=LIVE, once=True),
]

if __name__ == "__main__":
    main()
