"""An engine for one who must lead: asks right before each change whether it still does.

Looking is always allowed. Between the question and the change lies no time but the call itself.
"""

from collections.abc import Callable
from typing import Any, cast

from hythe.engine.port import Engine, Images, Instances, Sessions

CHANGES = {
    Images: frozenset({"pull", "load_root", "commit", "assemble", "build", "tag", "remove"}),
    Instances: frozenset(
        {
            "create", "start", "stop", "kill", "rename", "pause", "remove", "ensure_network",
            "remove_network", "isolate", "unisolate",
        }
    ),
    Sessions: frozenset({"run", "stream", "attach", "open", "put"}),
}  # fmt: skip


def fenced(engine: Engine, check: Callable[[], None]) -> Engine:
    """The engine, with `check` before each change; what it raises keeps it from happening."""
    return Engine(
        cast(Images, _Fence(engine.images, CHANGES[Images], check)),
        cast(Instances, _Fence(engine.instances, CHANGES[Instances], check)),
        cast(Sessions, _Fence(engine.sessions, CHANGES[Sessions], check)),
    )


class _Fence:
    """One port."""

    def __init__(self, port: object, changes: frozenset[str], check: Callable[[], None]) -> None:
        self._port = port
        self._changes = changes
        self._check = check

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._port, name)
        if name not in self._changes:
            return call

        def checked(*args: Any, **kwargs: Any) -> Any:
            self._check()
            return call(*args, **kwargs)

        return checked
