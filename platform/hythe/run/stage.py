"""The run stage, put together: loop, prober, publisher and the routers' link."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from hythe.engine.port import Engine
from hythe.model import Database, Vault
from hythe.names import Names
from hythe.run.apply import Applier
from hythe.run.erase import Eraser
from hythe.run.health import Prober
from hythe.run.loop import Loop, Queue
from hythe.run.publish import Publisher
from hythe.run.routers import Routers
from hythe.run.sleep import Sleeper
from hythe.run.stopper import Say
from hythe.settings import Settings
from hythe.wire import RouteTable

if TYPE_CHECKING:
    from hythe.run.explain import Explanation


class RunStage:
    """Keeps what runs equal to what should."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        engine: Engine,
        names: Names,
        vault: Vault,
        *,
        epoch: int,
        say: Say,
        announce: Callable[[], None],
        isolate: Callable[[], None],
        forget: Sequence[Callable[[int], None]] = (),
        looks: Sequence[Callable[[], None]] = (),
    ) -> None:
        """announce: called when a table is about to reach the routers, with other hosts perhaps."""
        queue = Queue()
        sleeper = Sleeper(database, lambda: self._routers, lambda: publisher.version)
        prober = Prober(queue.add)
        self._routers = Routers(
            settings.control_socket,
            self._routers_changed,
            lambda v: publisher.overtake(v),
            sleeper.wake,
        )

        def send(table: RouteTable) -> None:
            announce()
            self._routers.send(table)

        publisher = Publisher(settings, database, vault, epoch, send)
        eraser = Eraser(settings, database, engine, names, forget)
        applier = Applier(
            settings,
            database,
            engine,
            names,
            vault,
            prober,
            publisher,
            eraser,
            say,
            self._routers.watched,
        )
        self._loop = Loop(
            settings,
            database,
            engine,
            names,
            applier,
            prober,
            publisher,
            self._routers,
            queue,
            isolate,
            [sleeper.look, *looks],
        )

    def start(self) -> None:
        self._routers.start()
        self._loop.start()

    def stop(self) -> None:
        """Stop looking; containers and routers go on as they are."""
        self._loop.stop()
        self._routers.stop()

    def explain(self, app_id: int) -> "Explanation | None":
        """What the loop wants, sees and will do next; None when there is no such app."""
        return self._loop.explain(app_id)

    def _routers_changed(self) -> None:
        self._loop.routers_changed()
