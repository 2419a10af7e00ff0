"""The HTTP server: plain on loopback; with a public HYTHE_BIND TLS as well, there and beside it."""

import asyncio
import os
import socket
import threading
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any, cast

import uvicorn
from fastapi import FastAPI

from hythe.errors import PlatformError
from hythe.settings import Settings

if TYPE_CHECKING:
    from hythe.api.tls import TlsListener

KEEP_ALIVE_SECONDS = 75  # longer than people pause: a request that meets a close is lost
GRACE_SECONDS = 2
WEBSOCKET_BYTES = 1024 * 1024  # of one message


def websocket_protocol(**given: Any) -> asyncio.Protocol:
    """uvicorn's own; imported with the first WebSocket, since most control planes see none."""
    from uvicorn.protocols.websockets.wsproto_impl import WSProtocol

    return WSProtocol(**given)


class Server(uvicorn.Server):
    """Ends what stays open in good order, before the connections are cut."""

    def __init__(
        self, app: FastAPI, listener: "TlsListener | None", at_exit: Callable[[], None]
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="asyncio",  # uvloop would cost 4 MB, and few requests come here
                ws=cast(type[asyncio.Protocol], websocket_protocol),
                ws_max_size=WEBSOCKET_BYTES,
                ws_per_message_deflate=False,  # 300 kB for each, and little text
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # nobody stands before it: who connects is who asks
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=GRACE_SECONDS,
                lifespan="off",
            )
        )
        self._listener = listener
        self._at_exit = at_exit

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        threading.Thread(target=self._at_exit, name="let-go").start()
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if self._listener is None:
            return await super().startup(sockets)
        await super().startup([])
        self._listener.start(self._protocol, sockets or [])

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._listener is not None:
            self._listener.close()
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        """As uvicorn makes them for its own listeners, so that it knows these connections too."""
        kind = cast(Callable[..., asyncio.Protocol], self.config.http_protocol_class)
        return kind(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )


def open_tls(settings: Settings) -> "TlsListener | None":
    """The listener for other machines; None while only this one is to reach the control plane."""
    if not settings.public:
        return None
    from hythe.api import tls  # what reads certificates takes 4 MB

    try:
        return tls.TlsListener(settings, tls.listen(settings))
    except OSError as error:
        raise PlatformError(
            f"The control plane cannot listen on {settings.bind}:{settings.api_port}: "
            f"{error.strerror}.",
            "Stop what uses it, or set HYTHE_BIND or HYTHE_API_PORT to another.",
        ) from error


def open_plain(settings: Settings, inherited: int | None = None) -> socket.socket:
    """The socket for this machine, on loopback; raises PlatformError when the port is taken.

    inherited: the same, from the image of this process before.
    """
    if inherited is not None:
        os.set_inheritable(inherited, False)
        return socket.socket(fileno=inherited)
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if settings.public:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # see tls.listen
    try:
        listening.bind(("127.0.0.1", settings.api_port))
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise PlatformError(
            f"The control plane cannot listen on 127.0.0.1:{settings.api_port}: {error.strerror}.",
            "Stop what uses it, or set HYTHE_API_PORT to another.",
        ) from error
    return listening
