"""What is said of instances that ended by themselves, or were meddled with."""

from hythe.model import Database, now
from hythe.run.actions import MarkRestarted, Park
from hythe.run.desired import Desired, Slot

LOST = "its container was stopped or removed from outside; it is started again"
OOM = "Error R15 (Memory quota exceeded): the kernel killed it for memory"
OOM_FIX = "Use less memory, or raise HYTHE_INSTANCE_MEMORY and deploy again."


def ending(action: MarkRestarted | Park) -> str:
    status = action.exit_code
    return "Process exited" + (f" with status {status}" if status is not None else "")


def rest(action: MarkRestarted | Park) -> str:
    """For how long it is left alone, if it is."""
    if not isinstance(action, Park):
        return ""
    seconds = round((action.until - now()).total_seconds())
    return f"; {action.crashes} crashes in a row, so it rests for {seconds} s"


def fix(desired: Desired, slot: Slot) -> str:
    return f"See its last lines: `hythe logs -a {desired.app_name} -i {slot.name}`."


def note_stray(database: Database, app_id: int, container_id: str) -> None:
    """A container that no row knows was removed."""
    with database.write() as tx:
        tx.note(
            "instance.stray",
            f"Removed the container {container_id[:12]}, of which no row knows",
            app_id=app_id,
            container=container_id,
        )
