"""The transcripts of deployments, which hold what builds print: plain lines, without a time."""

import time
from collections.abc import Iterable
from typing import Any

from hythe.observe.line import LogLine, cut
from hythe.observe.origin import Origin
from hythe.observe.tail import Loss


class TranscriptLog:
    """Makes log lines of one deployment's transcript. Their time is that of their reading."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.loss = Loss()

    @property
    def state(self) -> dict[str, Any]:
        return {}

    def decode(self, raw: Iterable[bytes]) -> dict[int, list[LogLine]]:
        """Log lines by app id."""
        now = time.time()
        texts = [cut(entry.decode(errors="replace")) for entry in raw]
        lines = [self.origin.line(now, text, source="build") for text in texts]
        return {self.origin.app_id: lines} if lines else {}

    def flush(self) -> dict[int, list[LogLine]]:
        return {}
