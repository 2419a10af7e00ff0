"""A response on its way to a client of HTTP/1: its head leaves with the first of its body."""

from __future__ import annotations

import asyncio

from hythe.route import forward
from hythe.route.body import LAST_CHUNK, chunk
from hythe.route.request import RequestHead
from hythe.route.response import ResponseHead


class Reply:
    """Serves one response after the other. `keep_alive`: the connection may outlast this one."""

    __slots__ = ("_chunks", "_head", "_transport", "keep_alive")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""
        self._chunks = False
        self.keep_alive = False

    def begin(
        self, head: ResponseHead, asked: RequestHead, *, keep_alive: bool, date: bytes, added: bytes
    ) -> None:
        self._head, self._chunks, self.keep_alive = forward.response(
            head, asked, keep_alive=keep_alive, date=date, added=added
        )

    def body(self, payload: bytes) -> None:
        if self._chunks:
            payload = chunk(payload)
        if self._head:
            payload = self._head + payload
            self._head = b""
        if payload:
            self._transport.write(payload)

    def end(self) -> None:
        if self._head or self._chunks:
            self._transport.write(self._head + (LAST_CHUNK if self._chunks else b""))
            self._head = b""
            self._chunks = False
