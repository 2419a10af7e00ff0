"""The root of the error tree."""

from typing import ClassVar


class HytheError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    default_fix: ClassVar[str] = "See the control plane's log (`bin/up` prints where it is)."

    def __init__(self, cause: str | None = None, fix: str | None = None) -> None:
        self.cause = cause or (self.__doc__ or "").strip().splitlines()[0]
        self.fix = fix or self.default_fix
        super().__init__(f"{self.cause} {self.fix}")
