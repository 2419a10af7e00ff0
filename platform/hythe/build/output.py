"""A build's output on its way to the transcript: shaped, bounded, without secrets."""

import re
from collections.abc import Iterable

from hythe.build.prune import figure
from hythe.errors import BuildError, BuildOutput, HytheError
from hythe.transcript import Transcript

LARGEST_LINE = 2000  # characters
LARGEST_OUTPUT = 4 << 20  # characters of one build
SHORTEST_SECRET = 6  # shorter values would blank ordinary words
SEALED = "Read-only file system"  # strerror(EROFS)
_STEP, _WARNING, _DETAIL = "-----> ", " !     ", "       "
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


class Output:
    """What buildpacks print, line by line.

    Lines that start with `-----> ` are steps, those with ` !     ` warnings, others details. The
    warnings that end a program's output are held back: if it failed, they are its cause and fix.
    """

    def __init__(
        self, transcript: Transcript, secrets: Iterable[str] = (), limit: int = 16 * LARGEST_OUTPUT
    ) -> None:
        """limit: characters after which `line` raises BuildOutput."""
        self.transcript = transcript
        parts = {part.strip() for secret in secrets for part in (secret, *secret.splitlines())}
        self._secrets = sorted(
            (part for part in parts if len(part) >= SHORTEST_SECRET), key=len, reverse=True
        )
        self._limit = self._allowed = limit
        self._sealed = ""  # the last line that told of a write outside
        self._held: list[str] = []
        self._left = LARGEST_OUTPUT

    def line(self, text: str) -> None:
        """One line of a program's output."""
        self._allowed -= len(text) + 1
        if self._allowed < 0:
            raise BuildOutput(f"The build printed more than {figure(self._limit)}.")
        text = self._clean(text)
        if SEALED in text:
            self._sealed = text.strip()
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

    def explain(self, error: HytheError) -> HytheError:
        """The error, or that the build wrote where it may not."""
        if not self._sealed or type(error) is not BuildError:
            return error
        return BuildError(
            f"The build wrote outside its folders: {self._sealed[:200]}",
            "Let it write to the app's folder, its layers, $HOME or /tmp only.",
        )

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
