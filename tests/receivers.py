"""Machines that drains send to: a syslog server over TCP or TLS, and an HTTP server."""

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class SyslogServer:
    """Reads frames of RFC 6587, 3.4.1; one that is framed otherwise ends in `broken`."""

    def __init__(self, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.messages: list[str] = []
        self.broken: list[bytes] = []
        self.connections = 0
        self._tls = tls
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def texts(self) -> list[str]:
        """What is behind the structured data of each message."""
        return [_text(message) for message in list(self.messages)]

    def hang_up(self) -> None:
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._open.clear()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
                if self._tls is not None:
                    connection = self._tls.wrap_socket(connection, server_side=True)
            except ssl.SSLError:
                continue
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), connection.makefile("rb") as stream:
            while True:
                size = b""
                while (byte := stream.read(1)).isdigit():
                    size += byte
                if not byte:
                    return
                if byte != b" " or not size:
                    self.broken.append(size + byte)
                    return
                message = stream.read(int(size))
                if len(message) == int(size):
                    self.messages.append(message.decode())


def _text(message: str) -> str:
    data = message.split(" ", 6)[6]
    return data.removeprefix("- ") if data.startswith("- ") else data.partition("] ")[2]


class HttpReceiver:
    """Answers POSTs with what `status` says of their lines; keeps those that it answered by 2xx."""

    def __init__(self, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.lines: list[dict[str, Any]] = []
        self.requests: list[tuple[str, dict[str, str], int]] = []  # path, headers, lines
        self.status: Callable[[list[dict[str, Any]]], int] = lambda lines: 204
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                receiver._take(self)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._open: list[socket.socket] = []
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def texts(self) -> list[str]:
        return [line["message"] for line in list(self.lines)]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _take(self, handler: BaseHTTPRequestHandler) -> None:
        if handler.connection not in self._open:
            self._open.append(handler.connection)
        lines = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        status = self.status(lines)
        self.requests.append((handler.path, dict(handler.headers), len(lines)))
        if status < 300:
            self.lines += lines
        handler.send_response(status)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
