"""How a command ends when it does not do what was asked."""


class Failure(Exception):
    """The command failed; exit code 1."""

    exit_code = 1

    def __init__(self, cause: str, fix: str = "") -> None:
        self.cause = cause
        self.fix = fix
        super().__init__(cause)


class Misuse(Failure):
    """The command was typed wrongly; exit code 2."""

    exit_code = 2


class Absent(Failure):
    """What was asked for is not there; or the server is older than the command."""


class OutOfReach(Failure):
    """The API does not answer, or not to this token; exit code 3."""

    exit_code = 3


class Away(OutOfReach):
    """Nobody answers, or the answer broke off; it may be back in a moment."""
