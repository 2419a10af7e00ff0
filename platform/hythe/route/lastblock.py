"""The header block of a connection's last request, and what it came to: clients repeat theirs.

Comparing bytes is cheaper than any look-up, and what is equal needs no parse.
"""

from __future__ import annotations

from hythe.route import forward
from hythe.route.headers import Block
from hythe.route.options import Limits
from hythe.route.request import LINE_ROOM, RequestFields, RequestHead

_NOTHING = b"\n"  # is no block


class LastBlock:
    __slots__ = ("_fields", "block", "fwd", "lines", "raw")

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.block: Block[RequestFields] | None = None
        self.raw = _NOTHING  # its bytes, when it may be taken for known
        self.lines = b""  # see forward.request_lines
        self.fwd = ""  # see forward.forwarded_for
        self._fields: RequestFields | None = None  # what these two were made of

    def note(
        self, head: RequestHead, peer: str, scheme: bytes, trusted: bool, most: Limits
    ) -> None:
        block = self.block = head.block
        # With whatever line it comes again, the head is not too long.
        short = len(block.raw) <= most.head - most.target - LINE_ROOM
        self.raw = block.raw if short else _NOTHING
        if self._fields is not head.fields:
            self._fields = head.fields
            self.fwd = forward.forwarded_for(head, peer, trusted)
            self.lines = forward.request_lines(head, fwd=self.fwd, scheme=scheme, trusted=trusted)
