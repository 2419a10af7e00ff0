"""Who makes a request, and what that one may do."""

from dataclasses import dataclass
from typing import Literal

from hythe.errors import Forbidden

Scope = Literal["read", "deploy", "manage"]
SCOPES: tuple[Scope, ...] = ("read", "deploy", "manage")
"""From narrow to wide; each allows what the ones before it allow."""


@dataclass(frozen=True, slots=True)
class Actor:
    """A token, or a person who is signed in."""

    name: str
    scope: Scope

    def require(self, scope: Scope) -> None:
        """Raise Forbidden unless this scope covers that one."""
        if SCOPES.index(self.scope) < SCOPES.index(scope):
            raise Forbidden(
                f"This needs the scope {scope}; '{self.name}' has {self.scope}.",
                f"Make a token: `hythe tokens:create --scope {scope}`.",
            )
