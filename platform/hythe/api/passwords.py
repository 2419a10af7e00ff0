"""Passwords: argon2id, at the parameters that OWASP recommends for little memory."""

import threading

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from hythe.errors import InvalidValue

SHORTEST, LONGEST = 10, 1024  # characters

_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)  # KiB
_NOBODY = _HASHER.hash("the password of nobody")
_ONE_AT_A_TIME = threading.Lock()  # many sign-ins at once must not eat the memory and every core


def check(password: str) -> str:
    """The password, if it may be chosen; raises InvalidValue."""
    if len(password) < SHORTEST:
        raise InvalidValue(
            f"The password has fewer than {SHORTEST} characters.",
            "Choose a longer one; four random words do well.",
        )
    if len(password) > LONGEST:
        raise InvalidValue(f"The password has more than {LONGEST} characters.", "Choose a shorter.")
    return password


def hashed(password: str) -> str:
    """Its hash, in the PHC format."""
    with _ONE_AT_A_TIME:
        return _HASHER.hash(password)


def matches(known: str | None, password: str) -> bool:
    """Whether it is the password of this hash. None, for nobody, takes as long as a wrong one."""
    with _ONE_AT_A_TIME:
        try:
            return _HASHER.verify(known or _NOBODY, password) and known is not None
        except VerifyMismatchError:
            return False
