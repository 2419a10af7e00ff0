"""WebSocket frames, as much as is needed to say goodbye between two of them."""

_CLOSE = 8
_GOING_AWAY = b"\x03\xe9"  # 1001
CLOSE_TO_CLIENT = b"\x88\x02" + _GOING_AWAY
CLOSE_TO_SERVER = b"\x88\x82\x00\x00\x00\x00" + _GOING_AWAY  # masked, as clients must; mask nought


class FrameTracker:
    """Follows one direction: whether it stands between frames, and whether it sent a close."""

    __slots__ = ("_head", "_left", "closed")

    def __init__(self) -> None:
        self._head = b""
        self._left = 0  # bytes of the open frame, its mask included
        self.closed = False

    @property
    def between(self) -> bool:
        return self._left == 0 and not self._head

    def feed(self, data: bytes) -> None:
        at = 0
        while at < len(data):
            at = self._step(data, at)

    def feed_frame(self, data: bytes) -> bytes:
        """Follow `data` no further than to the end of the open frame; gives what belongs to it."""
        at = 0
        while at < len(data) and not self.between:
            at = self._step(data, at)
        return data[:at]

    def _step(self, data: bytes, at: int) -> int:
        if self._left:
            step = min(self._left, len(data) - at)
            self._left -= step
            return at + step
        self._head += data[at : at + 1]
        self._begin()
        return at + 1

    def _begin(self) -> None:
        """Read the frame's length once its whole head is there."""
        head = self._head
        if len(head) < 2:
            return
        short = head[1] & 0x7F
        extended = 2 if short == 126 else 8 if short == 127 else 0
        if len(head) < 2 + extended:
            return
        self._left = int.from_bytes(head[2 : 2 + extended], "big") if extended else short
        if head[1] & 0x80:
            self._left += 4
        self.closed = self.closed or head[0] & 0x0F == _CLOSE
        self._head = b""
