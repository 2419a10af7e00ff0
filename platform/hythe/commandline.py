"""Command lines for images without a shell: words, and nothing that a shell would do."""

import re
import shlex

from hythe.errors import NoShell

_SINGLE = r"'[^']*'"
_DOUBLE = r'"(?:\\.|[^"\\])*"'
_ESCAPED = r"\\."
_QUOTED = re.compile(rf"{_SINGLE}|{_DOUBLE}|{_ESCAPED}", re.DOTALL)
_SPECIAL = re.compile(r"[$`|&;<>()*?\[\]{}~#\n]")
_IN_DOUBLE = re.compile(r"[$`]")  # escaped or not: shlex reads the escape otherwise
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")


def words(line: str, process: str) -> list[str]:
    """The words of a process's command line; raises NoShell for what only a shell understands."""
    bare = _QUOTED.sub(" ", line)
    special = _SPECIAL.search(bare)
    if special is None:
        quoted = (each[0] for each in _QUOTED.finditer(line) if each[0].startswith('"'))
        special = next(filter(None, map(_IN_DOUBLE.search, quoted)), None)
    if special is not None:
        raise NoShell(
            f"The image has no shell, and `{process}` needs one for `{special[0].strip() or ';'}`: "
            f"{line[:80]}"
        )
    try:
        split = shlex.split(line)
    except ValueError as error:
        raise NoShell(f"`{process}` cannot be split into words ({error}): {line[:80]}") from None
    if not split:
        raise NoShell(f"`{process}` is an empty command.")
    if _ASSIGNMENT.match(split[0]):
        raise NoShell(
            f"The image has no shell, and `{process}` begins with a variable: {line[:80]}",
            "Set it with `hythe config:set`, and begin with the program.",
        )
    return split
