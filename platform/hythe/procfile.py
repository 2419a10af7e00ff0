"""The Procfile: which processes an app has."""

from hythe.errors import InvalidName, ProcfileError
from hythe.names import process_type

LARGEST = 64 * 1024  # bytes


def parse(text: str) -> dict[str, str]:
    """Read a Procfile into {process type: command}, in the file's order.

    Blank lines and lines that start with # are skipped. Raises ProcfileError with the line's number
    for a line that is not `type: command`, an invalid type, an empty command or a repeated type.
    """
    processes: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, colon, command = line.partition(":")
        name, command = name.strip(), command.strip()
        if not colon or not command:
            raise ProcfileError(f"Procfile line {number} is not `type: command`: {line[:80]}")
        try:
            process_type(name)
        except InvalidName as error:
            raise ProcfileError(f"Procfile line {number}: {error.cause}", error.fix) from None
        if name in processes:
            raise ProcfileError(
                f"Procfile line {number} declares `{name}` a second time.",
                "Keep one of the two lines.",
            )
        processes[name] = command
    return processes
