"""The backend of what is alive: `python -m bench.router.app PORT`.

`/events` sends 50 a second with the time of the monotonic clock, `/socket` echoes frames of one
size, `/upload` takes what comes, and everything else is answered with `ok`.
"""

import asyncio
import base64
import hashlib
import sys
import time

PAYLOAD = 100
_FRAME = 6 + PAYLOAD
_EVERY = 0.02
_OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
_EVENTS = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    b"X-Accel-Buffering: no\r\nTransfer-Encoding: chunked\r\n\r\n"
)


class App(asyncio.Protocol):
    followers: set["App"] = set()  # noqa: RUF012

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.WriteTransport = transport  # type: ignore[assignment]
        self._left = 0  # bytes of an upload
        self._echoes = False
        self._begun = b""  # a frame

    def data_received(self, data: bytes) -> None:
        if self._left:
            self._take(len(data))
        elif self._echoes:
            self._echo(data)
        else:
            self._begin(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.followers.discard(self)

    def _begin(self, data: bytes) -> None:
        head, _, body = data.partition(b"\r\n\r\n")
        path = head.split(b" ", 2)[1]
        fields = dict(
            line.lower().split(b":", 1) if b"websocket-key" not in line.lower()
            else (b"key", line.partition(b":")[2])
            for line in head.split(b"\r\n")[1:]
        )  # fmt: skip
        if path == b"/events":
            self.transport.write(_EVENTS)
            self.followers.add(self)
        elif path == b"/socket":
            self._upgrade(fields[b"key"].strip())
        elif path == b"/upload":
            self._left = int(fields[b"content-length"])
            self._take(len(body))
        else:
            self.transport.write(_OK)

    def _take(self, size: int) -> None:
        self._left -= size
        if not self._left:
            self.transport.write(_OK)

    def _upgrade(self, key: bytes) -> None:
        self._echoes = True
        digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        self.transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Accept: %s\r\n\r\n" % base64.b64encode(digest)
        )

    def _echo(self, data: bytes) -> None:
        self._begun += data
        while len(self._begun) >= _FRAME:
            self._begun = self._begun[_FRAME:]
            self.transport.write(b"\x82" + bytes([PAYLOAD]) + bytes(PAYLOAD))


async def serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    await loop.create_server(App, "127.0.0.1", port, backlog=4096)
    while True:
        await asyncio.sleep(_EVERY)
        for app in list(App.followers):
            event = b"data: %.6f\n\n" % time.monotonic()
            app.transport.write(b"%x\r\n%s\r\n" % (len(event), event))


if __name__ == "__main__":
    import uvloop

    uvloop.run(serve(int(sys.argv[1])))
