"""Canceling a build: somebody says so in its row, and build/ ends it.

The row says `canceled` when nothing runs any more: its process is killed, its container is gone.
"""

from hythe.errors import BuildCanceled, Conflict
from hythe.model import Build, Deployment, Write, now
from hythe.settings import Settings
from hythe.transcript import Transcript

UNDER_WAY = ("queued", "running")


def request(tx: Write, build: Build, actor: str) -> None:
    """Ask for the end of a build that waits or runs; raises Conflict when it has ended."""
    if build.status not in UNDER_WAY:
        raise Conflict(
            f"Build {build.id} has ended: it {_how(build.status)}.", "List them: `hythe builds`."
        )
    if build.canceled_by is None:
        build.canceled_by = actor
        tx.note(
            "build.cancel",
            f"Build {build.id} is to end",
            actor=actor,
            app_id=build.app_id,
            build=build.id,
        )
    tx.poke(build.app_id)


def carry_out(settings: Settings, tx: Write, deployment: Deployment, build: Build) -> None:
    """Write down that a build of which nothing is left was canceled, with its deployment."""
    error = BuildCanceled(f"{build.canceled_by} canceled the build.")
    tx.note(
        "build.canceled",
        f"Build {build.id} has ended: {error.cause}",
        app_id=build.app_id,
        build=build.id,
        deployment=deployment.id,
    )
    for row in (deployment, build):
        row.status, row.ended_at = "canceled", now()
        row.error_code, row.error_cause, row.error_fix = error.code, error.cause, error.fix
    transcript = Transcript.of(settings, deployment.id)  # the pusher reads it before the row
    transcript.warn(f"{error.cause}\n{error.fix}")
    tx.poke(build.app_id)


def _how(status: str) -> str:
    return "was canceled" if status == "canceled" else status
