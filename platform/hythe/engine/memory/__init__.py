"""An engine in memory, for tests of what stands above the ports; as nasty as a real one.

A freed address is reused at once, and a held one refused. Exits come late, events and logs get
lost, calls fail, and the engine restarts, whenever a test says so.
"""

from hythe.engine.memory.images import MemoryImages
from hythe.engine.memory.instances import MemoryInstances
from hythe.engine.memory.sessions import MemorySessions
from hythe.engine.memory.world import Program, World
from hythe.engine.port import Engine, Image

__all__ = ["Memory", "Program"]


class Memory(World):
    """The world, what a test may do to it, and `engine`: the ports through which Hythe sees it."""

    def __init__(self) -> None:
        super().__init__()
        self.engine = Engine(MemoryImages(self), MemoryInstances(self), MemorySessions(self))

    def images_add(self, ref: str, exposed: tuple[int, ...] = ()) -> Image:
        return self.add_image(ref, exposed=exposed)

    def fail_next(self, operation: str, error: Exception) -> None:
        """Make the next call of a port's method of this name raise error; repeat to queue more."""
        with self.lock:
            self.faults.setdefault(operation, []).append(error)

    def exit(self, name: str, code: int, oom_killed: bool = False) -> None:
        """The container's program ends by itself."""
        with self.lock:
            box = self.box(name)
            box.oom_killed = oom_killed
            self.end(box, code)

    def log(self, name: str, line: str) -> None:
        """The container's program prints a line."""
        with self.lock:
            self.print(self.box(name), line)
            self.changed.notify_all()

    def lose_log(self, name: str) -> None:
        with self.lock:
            self.box(name).log.clear()

    def settle(self) -> None:
        """Let every exit happen that was late, and every restart that was due."""
        with self.lock:
            late, self.late = self.late, []
            for box, code in late:
                self.ended(box, code)
            for box in list(self.boxes.values()):
                if box.state == "restarting":
                    self.come_back(box)

    def restart_engine(self) -> None:
        """Everything dies with 137; what has the restart policy and was not stopped comes back."""
        with self.lock:
            running = [box for box in self.boxes.values() if box.state in ("running", "restarting")]
            for box in running:
                box.state, box.exit_code, box.finished_at = "exited", 137, self.clock()
                self.hang_up(box)
            for box in running:
                if box.spec.restart and not box.stopped:
                    self.come_back(box)
            self.break_feeds()

    def answer(self, address: str) -> int | None:
        """The HTTP status at an address: as `answers` says, else 200; None when nobody is there."""
        with self.lock:
            if address not in self.addresses():
                return None
            told = self.answers.get(address)
        return told() if told else 200
