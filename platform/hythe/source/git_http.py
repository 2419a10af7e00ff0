"""Git over smart HTTP (gitprotocol-http): `git push` and `git fetch` with the stock client.

Knows no web framework. `Exchange` is an ASGI application, since only there can git's answer stream
while its request still comes in, and a vanished client be noticed.
"""

import asyncio
import os
import signal
import zlib
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any, Literal, get_args

from hythe import logs
from hythe.errors import GitFailed, HytheError, InvalidValue, NotFound, Refused, TooLarge
from hythe.settings import Settings
from hythe.source.repository import Repository

Service = Literal["git-receive-pack", "git-upload-pack"]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

IDLE_SECONDS = 60  # without a byte from a client that has more to send
END_SECONDS = 5  # from SIGTERM to SIGKILL
_BLOCK = 1 << 16
_SLACK = 1 << 20  # git gets this much over the limit, to see for itself that it is over
_NO_CACHE = (b"cache-control", b"no-cache, max-age=0, must-revalidate")

log = logs.get(__name__)


class _Vanished(Exception):
    """The client is gone."""


def service(name: str) -> Service:
    """The service of that name; raises NotFound for any other."""
    if name in get_args(Service):
        return name  # type: ignore[return-value]
    raise NotFound("There is no such git service.", "Use a git client of version 2.29 or later.")


def advertisement_type(service: Service) -> str:
    """The media type of an advertisement."""
    return f"application/x-{service}-advertisement"


async def advertise(repository: Repository, service: Service, protocol: str = "") -> bytes:
    """The body for GET info/refs?service=...; protocol is the request's Git-Protocol header."""
    process = await _start(repository, service, protocol, {}, "--advertise-refs")
    try:
        refs, _ = await asyncio.wait_for(process.communicate(), IDLE_SECONDS)
    except TimeoutError:
        raise GitFailed(f"git took longer than {IDLE_SECONDS} seconds to list the refs.") from None
    finally:
        await _end(process)
    if process.returncode:
        raise GitFailed(f"git cannot read the repository of app {repository.app_id}.")
    if "version=2" in protocol and service == "git-upload-pack":
        return refs
    title = f"# service={service}\n"
    return f"{len(title) + 4:04x}{title}0000".encode() + refs


@dataclass(frozen=True, slots=True)
class Exchange:
    """The POST of one git service, as an ASGI application."""

    settings: Settings
    repository: Repository
    service: Service
    actor: str
    protocol: str = ""  # the request's Git-Protocol header
    encoding: str = ""  # the request's Content-Encoding header

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        body = _Body(receive)
        answering = asyncio.create_task(self._answer(body, send))
        leaving = asyncio.create_task(body.gone())
        try:
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (leaving, answering):
                task.cancel()
            with suppress(asyncio.CancelledError, _Vanished, HytheError):
                await answering

    async def rpc(self, body: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """Feed a request's body to git and yield its answer as it comes.

        Raises TooLarge, InvalidValue (not gzip) or GitFailed; git is ended when the caller stops.
        """
        hook = {
            "HYTHE_SOURCE_SOCKET": str(self.settings.source_socket),
            "HYTHE_APP_ID": str(self.repository.app_id),
            "HYTHE_ACTOR": " ".join(self.actor.split()),
        }
        process = await _start(self.repository, self.service, self.protocol, hook)
        assert process.stdout is not None
        plain = _gunzip(body) if self.encoding in ("gzip", "x-gzip") else body
        meter = _Meter(plain, self.settings.upload_limit)
        feeding = asyncio.create_task(_feed(process, meter.chunks()))
        silent, told = True, False
        try:
            while chunk := await process.stdout.read(_BLOCK):
                if meter.over and not told:
                    told = True
                    yield _remark(TooLarge(f"The push is over {meter.limit / 2**20:.1f} MiB."))
                silent = False
                yield chunk
            if feeding.done():
                feeding.result()
            if await process.wait() and silent:
                raise TooLarge() if meter.over else GitFailed()
        finally:
            feeding.cancel()
            await _end(process)

    async def _answer(self, body: "_Body", send: Send) -> None:
        started = False
        try:
            async with aclosing(self.rpc(body.chunks())) as output:
                async for chunk in output:
                    if not started:
                        await send(_head(200, f"application/x-{self.service}-result"))
                        started = True
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except HytheError as error:
            log.warning("git exchange failed", app=self.repository.app_id, error=str(error))
            if started:
                raise  # the connection breaks off: git's answer is not whole
            await send(_head(error.status, "text/plain; charset=utf-8"))
            text = f"{error.cause}\n{error.fix}\n".encode()
            await send({"type": "http.response.body", "body": text})
            return
        if not started:
            await send(_head(200, f"application/x-{self.service}-result"))
        await send({"type": "http.response.body", "body": b""})


class _Body:
    """The request's body, and after it the news that the client has gone."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._read = asyncio.Event()

    async def chunks(self) -> AsyncIterator[bytes]:
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise _Vanished
            more = message.get("more_body", False)
            yield message.get("body", b"")
        self._read.set()

    async def gone(self) -> None:
        await self._read.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass


async def _start(
    repository: Repository, service: Service, protocol: str, extra: dict[str, str], *flags: str
) -> Process:
    environment = {**repository.environment, **extra}
    if protocol:
        environment["GIT_PROTOCOL"] = protocol
    return await asyncio.create_subprocess_exec(
        "git",
        service.removeprefix("git-"),
        "--stateless-rpc",
        *flags,
        str(repository.path),
        stdin=DEVNULL if flags else PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        env=environment,
        cwd=repository.path,
        start_new_session=True,
    )


async def _feed(process: Process, body: AsyncIterator[bytes]) -> None:
    """Write the body to git; read on when git has stopped listening, so that its answer is read."""
    assert process.stdin is not None
    listening = True
    try:
        async for chunk in body:
            if listening:
                try:
                    process.stdin.write(chunk)
                    await process.stdin.drain()
                except (BrokenPipeError, ConnectionResetError):
                    listening = False
        process.stdin.close()
    except TooLarge:
        process.stdin.close()  # git has had enough to refuse by itself
    except (HytheError, _Vanished):
        _signal(process, signal.SIGTERM)  # ends the answer, too
        raise


class _Meter:
    """Counts a body, and ends one that stalls or goes over the limit."""

    def __init__(self, body: AsyncIterator[bytes], limit: int) -> None:
        self.limit = limit
        self._body = body
        self._size = 0

    @property
    def over(self) -> bool:
        return self._size > self.limit

    async def chunks(self) -> AsyncIterator[bytes]:
        while True:
            try:
                async with asyncio.timeout(IDLE_SECONDS):
                    chunk = await anext(self._body, None)
            except TimeoutError:
                raise Refused(f"The client sent nothing for {IDLE_SECONDS} seconds.") from None
            if chunk is None:
                return
            self._size += len(chunk)
            if self._size > self.limit + _SLACK:
                raise TooLarge()
            yield chunk


async def _gunzip(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    unzip = zlib.decompressobj(wbits=31)
    async for chunk in body:
        while chunk:
            try:
                yield unzip.decompress(chunk, _BLOCK)
            except zlib.error:
                raise InvalidValue("The request's body is not gzip.") from None
            chunk = unzip.unconsumed_tail


async def _end(process: Process) -> None:
    if process.returncode is None:
        _signal(process, signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), END_SECONDS)
        except TimeoutError:
            _signal(process, signal.SIGKILL)
            await process.wait()


def _signal(process: Process, number: signal.Signals) -> None:
    """To git and everything that it started; it leads a process group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _remark(error: HytheError) -> bytes:
    """A packet that git's client shows as `remote: ` lines; for between packets of its answer."""
    text = f" !     {error.cause}\n !     {error.fix}\n".encode()
    return b"%04x\x02%s" % (len(text) + 5, text)


def _head(status: int, media_type: str) -> Message:
    headers = [(b"content-type", media_type.encode()), _NO_CACHE]
    return {"type": "http.response.start", "status": status, "headers": headers}
