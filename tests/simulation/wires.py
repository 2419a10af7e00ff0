"""What stands between a control plane and its engine and database: here calls fail, and it dies."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Any, Protocol

from hythe.model import Database, Write


class Killed(BaseException):
    """The control plane is dead; not an Exception, so that nothing handles it."""


class Watcher(Protocol):
    """What the simulation is told by one life of a control plane."""

    def before_call(self, operation: str, arguments: tuple[Any, ...]) -> None:
        """Anything may happen now; raises Killed, or the error that this call ends with."""

    def after_call(self, operation: str) -> None:
        """The same, after the engine has done it: what is raised now is a lost answer."""

    def around_commit(self, open_transaction: bool) -> None:
        """Raises Killed or DatabaseAway. Before the commit a write transaction is open."""


class WiredPort:
    """A port of the engine whose every call is announced."""

    def __init__(self, port: object, watcher: Watcher) -> None:
        self._port = port
        self._watcher = watcher

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call = getattr(self._port, name)

        def wired(*args: Any, **kwargs: Any) -> Any:
            self._watcher.before_call(name, args)
            result = call(*args, **kwargs)
            self._watcher.after_call(name)
            return result

        return wired


class WiredDatabase(Database):
    """The same database and bells; every commit is announced."""

    def __init__(self, database: Database, watcher: Watcher) -> None:
        vars(self).update(vars(database))
        self._watcher = watcher
        self.writing = False

    @contextmanager
    def write(self) -> Iterator[Write]:
        self._watcher.around_commit(open_transaction=False)
        try:
            with super().write() as tx:
                self.writing = True
                yield tx
                self._watcher.around_commit(open_transaction=True)
        finally:
            self.writing = False
        self._watcher.around_commit(open_transaction=False)


class AtOnce(Executor):
    """Runs what it is given before `submit` returns: starts come one after the other."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future
