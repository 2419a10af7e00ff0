"""What an exchange asks of the side that its request came from, whatever its protocol."""

from typing import Protocol

from hythe.route.certificates import ServerSide
from hythe.route.response import ResponseHead
from hythe.route.tunnel import Tunnel


class Downstream(Protocol):
    peer: str
    trusted: bool
    scheme: bytes
    tls: ServerSide | None
    deadline: float
    blocked: bool  # the client does not read

    @property
    def holds_body(self) -> bool: ...

    def hold_body(self) -> None: ...

    def release_body(self) -> None: ...

    # The answer, in this order. The head leaves with the first of the body.

    def early(self, head: ResponseHead) -> None:
        """A head of status 100 or 103."""

    def respond(self, head: ResponseHead, added: bytes) -> None: ...

    def response_body(self, payload: bytes) -> None: ...

    def response_ended(self) -> None: ...

    def respond_whole(self, head: ResponseHead, added: bytes, payload: bytes) -> None:
        """These three in one."""

    # Or, of a WebSocket

    def upgraded(self, head: ResponseHead, tunnel: Tunnel) -> None: ...

    def write(self, data: bytes) -> None: ...

    # The end

    def done(self) -> None:
        """The exchange is over and all of its answer is written."""

    def abort(self) -> None:
        """Cut the answer off, so that nobody takes what was sent for the whole."""
