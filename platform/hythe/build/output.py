"""A build's output on its way to the transcript: shaped, bounded, without secrets."""

import re
from collections.abc import Iterable

from hythe.transcript import Transcript

LARGEST_LINE = 2000  # characters
LARGEST_OUTPUT = 4 << 20  # characters of one build
SHORTEST_SECRET = 6  # shorter values would blank ordinary words
_STEP, _WARNING, _DETAIL = "-----> ", " !     ", "       "
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


class Output:
    """What buildpacks print, line by line.

    Lines that start with `-----> ` are steps, those with ` !     ` warnings, others details. The
    warnings that end a program's output are held back: if it failed, they are its cause and fix.
    """

    def __init__(self, transcript: Transcript, secrets: Iterable[str] = ()) -> None:
        self.transcript = transcript
        self._secrets = sorted(
            (s for s in secrets if len(s) >= SHORTEST_SECRET), key=len, reverse=True
        )
        self._held: list[str] = []
        self._left = LARGEST_OUTPUT

    def line(self, text: str) -> None:
        """One line of a program's output."""
        text = self._clean(text)
        if text.startswith(_WARNING):
            self._held.append(text.removeprefix(_WARNING).rstrip())
            return
        self.flush()
        if text.startswith(_STEP):
            self._write(text)
        else:
            self._write(_DETAIL + text.removeprefix(_DETAIL))

    def flush(self) -> None:
        """Write the warnings that were held back."""
        for text in self.take_warnings():
            self._write(_WARNING + text)

    def take_warnings(self) -> list[str]:
        """The warnings at the end of the output so far; they are not written any more."""
        held, self._held = self._held, []
        return held

    def _clean(self, text: str) -> str:
        text = _CONTROL.sub("", text.rsplit("\r", 1)[-1]).rstrip()
        for secret in self._secrets:
            text = text.replace(secret, "[secret]")
        return text[:LARGEST_LINE]  # last, or half a secret could stay at the end

    def _write(self, text: str) -> None:
        if self._left <= 0:
            return
        self._left -= len(text)
        self.transcript.raw(text.rstrip())
        if self._left <= 0:
            self.transcript.warn(
                f"The build printed more than {LARGEST_OUTPUT >> 20} MB; the rest is left out."
            )
