"""What BuildKit prints with --progress=plain, as lines that a person wants to read."""

import re
from collections.abc import Iterable, Iterator

_STEP_LINE = re.compile(r"#\d+ (.*)")
_OUTPUT = re.compile(r"\d+\.\d+ (.*)")  # after the seconds since the step's start
_FAILED_STEP = re.compile(r" > (\[.*):")


class PlainProgress:
    """Yields each step's title and its output, and remembers what failed."""

    def __init__(self) -> None:
        self._step = ""
        self._error = ""

    def read(self, lines: Iterable[str]) -> Iterator[str]:
        for line in map(str.rstrip, lines):
            if numbered := _STEP_LINE.fullmatch(line):
                yield from self._in_step(numbered[1])
            elif failed := _FAILED_STEP.fullmatch(line):
                self._step = failed[1]
            elif line.strip(" -"):
                self._error = line

    def _in_step(self, text: str) -> Iterator[str]:
        if output := _OUTPUT.fullmatch(text):
            yield output[1]
        elif text.startswith("[") and not text.startswith("[internal]"):
            yield text
        elif text == "CACHED":
            yield "cached"

    def cause(self) -> str:
        error = self._error.removeprefix("ERROR: ") or "the docker command ended without a word"
        return f"{self._step} failed: {error}" if self._step else f"The build failed: {error}"
