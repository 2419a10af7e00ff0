"""Where other machines reach the control plane: TLS only, on HYTHE_BIND.

The first byte of a connection tells what it speaks. From other machines plain HTTP gets a redirect,
or an error with the fix; whatever credentials it carries are read by nobody. Loopback takes both,
since the control plane's name may lead there from this machine.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus

from hythe import logs
from hythe.api import certificate
from hythe.api.certificate import Certificate
from hythe.errors import BadCertificate, TlsRequired
from hythe.settings import Settings

HANDSHAKE = b"\x16"  # the type of a TLS record that begins one (RFC 8446, 5.1)
HANDSHAKE_SECONDS = 10.0
LINGER_SECONDS = 1.0
OPENING = 200  # connections that have not said what they speak
HEAD_BYTES = 16 * 1024
RELOAD_SECONDS = 10.0

_REQUEST = re.compile(rb"(GET|HEAD) (/[!-~]*) HTTP/1\.[01]\r\n")
_HOST = re.compile(rb"\r\nhost: *([a-z0-9.:\[\]_-]+) *\r\n", re.IGNORECASE)

log = logs.get(__name__)

Factory = Callable[[], asyncio.Protocol]


def listen(settings: Settings) -> socket.socket:
    """The listening socket on HYTHE_BIND; raises OSError.

    On all addresses it stands beside the plain one on 127.0.0.1, which the kernel prefers there.
    """
    everywhere = settings.bind in certificate.WILDCARDS
    address = settings.bind or "0.0.0.0"
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if everywhere:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.setblocking(False)
        listening.bind((address, settings.api_port))
        listening.listen(128)
    except OSError:
        listening.close()
        raise
    return listening


@dataclass(frozen=True, slots=True, eq=False)
class Door:
    """A listening socket, and who came in by it and has not said yet what they speak."""

    socket: socket.socket
    plain: bool  # whether it takes plain HTTP too
    opening: set[asyncio.Task[None]] = field(default_factory=set)


class TlsListener:
    """Accepts for a server's protocol. A renewed certificate is taken up without a restart."""

    def __init__(self, settings: Settings, listening: socket.socket) -> None:
        self._settings = settings
        self._socket = listening
        self._certificate = certificate.ensure(settings, certificate.now())
        self._context = certificate.context(self._certificate)
        self._stamp = _stamp(self._certificate)
        self._tasks: set[asyncio.Task[None]] = set()
        self._doors: list[Door] = []

    @property
    def certificate(self) -> Certificate:
        return self._certificate

    def start(self, protocol: Factory, loopback: Iterable[socket.socket]) -> None:
        """Accept on loopback's sockets as well, which stay the caller's to close."""
        loop = asyncio.get_running_loop()
        self._doors = [Door(self._socket, plain=False)]
        for each in loopback:
            each.setblocking(False)
            self._doors.append(Door(each, plain=True))
        self._tasks = {loop.create_task(self._accept(protocol, door)) for door in self._doors}
        self._tasks.add(loop.create_task(self._watch()))

    def close(self) -> None:
        for task in self._tasks.union(*(door.opening for door in self._doors)):
            task.cancel()
        self._socket.close()

    async def _accept(self, protocol: Factory, door: Door) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(door.socket)
            except OSError as error:  # out of files, or gone before it was taken
                log.warning("connection not accepted", error=str(error))
                await asyncio.sleep(0.1)
                continue
            connection.setblocking(False)
            if len(door.opening) >= OPENING:
                connection.close()
                continue
            task = loop.create_task(self._open(connection, protocol, door))
            door.opening.add(task)
            task.add_done_callback(door.opening.discard)

    async def _open(self, connection: socket.socket, protocol: Factory, door: Door) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                first = await _peek(connection)
                if first == HANDSHAKE:
                    await loop.connect_accepted_socket(protocol, connection, ssl=self._context)
                elif first and door.plain:
                    await loop.connect_accepted_socket(protocol, connection)
                elif first:
                    await self._refuse(connection)
                else:
                    connection.close()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            connection.close()  # scanners and broken clients; nothing to tell anybody

    async def _refuse(self, connection: socket.socket) -> None:
        """Answer plain HTTP."""
        reader, writer = await asyncio.open_connection(sock=connection, limit=HEAD_BYTES)
        try:
            writer.write(refusal(await reader.readuntil(b"\r\n\r\n"), self._settings.control_url))
            writer.write_eof()
            with suppress(TimeoutError):  # a close with unread data would take the answer away
                async with asyncio.timeout(LINGER_SECONDS):
                    while await reader.read(HEAD_BYTES):
                        pass
        finally:
            writer.close()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(RELOAD_SECONDS)
            self.reload()

    def reload(self) -> None:
        """Take up the certificate's files if they have changed; bad ones change nothing."""
        stamp = _stamp(self._certificate)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            found = certificate.read(
                self._certificate.file, self._certificate.key, certificate.now()
            )
            self._context.load_cert_chain(found.file, found.key)
        except (BadCertificate, ssl.SSLError) as error:
            log.warning("certificate refused, the old one stays", error=str(error))
            return
        self._certificate = found
        log.info("certificate changed", fingerprint=found.fingerprint)


def refusal(head: bytes, control_url: str) -> bytes:
    """What plain HTTP gets: GET and HEAD the way to the same place over TLS, others an error."""
    error = TlsRequired()
    host = _HOST.search(head)
    base = f"https://{host[1].decode()}" if host else control_url
    request = _REQUEST.match(head)
    status = HTTPStatus.TEMPORARY_REDIRECT if request else HTTPStatus(error.status)
    text = f"{error.cause}\n{error.fix}\n".encode()
    lines = [
        f"HTTP/1.1 {status} {status.phrase}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(text)}",
        "Cache-Control: no-store",
        f"Hythe-Error: {error.code}",
        "Connection: close",
    ]
    if request:
        lines.append(f"Location: {base}{request[2].decode()}")
    body = b"" if request and request[1] == b"HEAD" else text
    return "\r\n".join([*lines, "", ""]).encode() + body


async def _peek(connection: socket.socket) -> bytes:
    """The first byte, which stays to be read; b"" at the end."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(connection, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(connection)
    return connection.recv(1, socket.MSG_PEEK)


def _stamp(certificate: Certificate) -> tuple[tuple[int, int], ...]:
    """Changes when the files do; noughts for one that is away for a moment."""
    found = []
    for path in (certificate.file, certificate.key):
        try:
            stat = path.stat()
            found.append((stat.st_mtime_ns, stat.st_ino))
        except OSError:
            found.append((0, 0))
    return tuple(found)
