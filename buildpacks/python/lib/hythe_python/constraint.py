"""Version constraints as Poetry and `requires-python` write them.

Poetry adds to those of PEP 440: ^1.2 (the same leftmost number that is not 0), ~1.2 (the same minor
version), 1.2 (exactly), and `||` between alternatives.
"""

import re

from packaging.specifiers import InvalidSpecifier, SpecifierSet

_OPERATORS = re.compile(r"(===|==|!=|<=|>=|~=|<|>|=)\s+")


class Constraint:
    """Alternatives, of which a version must meet one. Raises ValueError for text that is none."""

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            self._sets = [_specifiers(part) for part in re.split(r"\|\|?", text)]
        except InvalidSpecifier as error:
            raise ValueError(str(error)) from error

    def allows(self, version: str) -> bool:
        return any(each.contains(version, prereleases=True) for each in self._sets)


def _specifiers(text: str) -> SpecifierSet:
    text = _OPERATORS.sub(r"\1", text.strip())
    parts = [part for part in re.split(r"[\s,]+", text) if part]
    return SpecifierSet(",".join(filter(None, map(_pep440, parts))))


def _pep440(part: str) -> str:
    if part == "*":
        return ""
    if part.startswith("^"):
        numbers = _numbers(part[1:])
        fixed = next((at for at, number in enumerate(numbers) if number), len(numbers) - 1)
        return f">={part[1:]},<{_next(numbers, fixed)}"
    if part.startswith("~") and not part.startswith("~="):
        numbers = _numbers(part[1:])
        return f">={part[1:]},<{_next(numbers, min(1, len(numbers) - 1))}"
    if part[0].isdigit():
        return f"=={part}"
    return f"={part}" if re.match(r"=\d", part) else part


def _numbers(text: str) -> list[int]:
    match = re.match(r"\d+(?:\.\d+)*", text)
    if match is None:
        raise ValueError(f"{text} is not a version")
    return [int(number) for number in match[0].split(".")]


def _next(numbers: list[int], at: int) -> str:
    return ".".join(map(str, [*numbers[:at], numbers[at] + 1]))
