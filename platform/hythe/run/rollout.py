"""How a rollout ends: live, or failed with a cause, a fix and the app's last lines."""

import contextlib
from collections.abc import Iterable

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from hythe.engine.port import Engine
from hythe.errors import (
    BootTimeout,
    CanaryFailed,
    CrashedAtBoot,
    EngineError,
    HytheError,
    NetworkFull,
    RolloutError,
    Unhealthy,
)
from hythe.healthcheck import HealthCheck
from hythe.model import App, Database, Deployment, Domain, Release, Sleep, Write, fail, now
from hythe.names import Names
from hythe.run.actions import Create, Enter, Fail, Switch
from hythe.run.desired import Desired, Slot
from hythe.run.listening import advice, listening
from hythe.run.traffic import Traffic, Watched, nothing, total, word_of
from hythe.settings import Settings
from hythe.spec import ReleaseSpec
from hythe.transcript import Transcript

SHOWN_LINES = 50


class Rollout:
    """Writes the end of deployments that were rolling."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        engine: Engine,
        names: Names,
        watched: Watched = nothing,
    ) -> None:
        self._watched = watched
        self._settings = settings
        self._database = database
        self._engine = engine
        self._names = names

    def answered(self, slot: Slot, said: str) -> None:
        """Tell the pusher that an instance is up."""
        took = (now() - slot.started_at).total_seconds() if slot.started_at else 0.0
        Transcript.of(self._settings, slot.deployment_id).detail(
            f"{slot.name} {said} in {took:.1f}s" if "answered" in said else f"{slot.name} {said}"
        )

    def switch(self, tx: Write, action: Switch) -> None:
        """Give it the traffic, unless a newer deployment has taken over meanwhile."""
        deployment = tx.get_one(Deployment, action.deployment_id)
        if deployment.status != "rolling":
            return
        if action.said:
            Transcript.of(self._settings, deployment.id).detail(action.said)
        tx.get_one(App, deployment.app_id).serving_id = deployment.id
        sleep = tx.get(Sleep, deployment.app_id)
        if sleep is not None:
            sleep.state, sleep.since = "awake", now()  # who deploys wants to see it
        deployment.sharing = ""  # it has all of them

    def enter(self, tx: Write, action: Enter) -> None:
        """Share the requests in another way."""
        deployment = tx.get_one(Deployment, action.deployment_id)
        if deployment.status != "rolling" or deployment.sharing == action.sharing:
            return
        deployment.sharing, deployment.sharing_since = action.sharing, now()
        deployment.share = action.share
        if action.share is not None:
            transcript = Transcript.of(self._settings, deployment.id)
            transcript.step(f"Canary: {action.share}% of the requests for a while")
            transcript.detail(
                "`hythe releases:promote` ends it at once, `releases:abort` undoes it"
            )

    def finish(self, deployment_id: int) -> None:
        """Every router has the new table: the deployment is live."""
        with self._database.write() as tx:
            deployment = tx.get_one(Deployment, deployment_id)
            if deployment.status != "rolling":
                return
            app = tx.get_one(App, deployment.app_id)
            release = tx.get_one(Release, deployment.release_id)
            domain = tx.scalars(
                select(Domain.host)
                .where(Domain.app_id == app.id, ~Domain.host.startswith("*"))
                .order_by(Domain.id)
            ).first()
            url = self._settings.app_url(domain or self._settings.app_host(app.name))
            took = (now() - deployment.created_at).total_seconds()
            verb = "restarted" if deployment.kind == "restart" else "deployed"
            transcript = Transcript.of(self._settings, deployment_id)
            if self._took_over(tx, deployment):
                counted = self._count(deployment)
                transcript.detail(
                    f"{counted.requests:,} requests during the switch, {counted.failures}"
                )
            transcript.done(f"{url} {verb} (v{release.version}) in {took:.1f}s")
            deployment.status, deployment.ended_at = "live", now()
            self._end_earlier_switches(tx, deployment)
            tx.note(
                "deploy.live",
                f"v{release.version} is live",
                actor=deployment.created_by,
                app_id=app.id,
                deployment=deployment_id,
                seconds=round(took, 3),
            )
            tx.poke(app.id)

    def end_switch(self, deployment_id: int) -> None:
        """Nothing is left of what it took over from; the routers' last word is stored."""
        with self._database.write() as tx:
            deployment = tx.get_one(Deployment, deployment_id)
            if deployment.switch_ended_at is None:
                self._count(deployment)
                deployment.switch_ended_at = now()
                tx.poke(deployment.app_id)  # the routers need not watch any more

    @staticmethod
    def _end_earlier_switches(tx: Write, deployment: Deployment) -> None:
        """Those that were still counted when this one began."""
        tx.execute(
            update(Deployment)
            .where(
                Deployment.app_id == deployment.app_id,
                Deployment.id != deployment.id,
                Deployment.switch_requests.is_not(None),
                Deployment.switch_ended_at.is_(None),
            )
            .values(switch_ended_at=now())
        )

    @staticmethod
    def _took_over(tx: Session, deployment: Deployment) -> bool:
        """Whether another deployment had the traffic before."""
        before = select(Deployment.id).where(
            Deployment.app_id == deployment.app_id,
            Deployment.status == "live",
            Deployment.id != deployment.id,
        )
        return tx.scalars(before.limit(1)).first() is not None

    def _count(self, deployment: Deployment) -> Traffic:
        """Store what the routers counted since its first start. A router that was restarted
        counts from nought, so the larger figure stays."""
        counted = total(self._watched(word_of(deployment.id)).values())
        known = deployment.switch_requests
        if known is not None and known > counted.requests:
            return Traffic(known, deployment.switch_failed or 0, deployment.switch_errors or {})
        deployment.switch_requests, deployment.switch_failed = counted.requests, counted.failed
        deployment.switch_errors = dict(counted.errors)
        return counted

    def fail(self, action: Fail, slot: Slot, container: str) -> None:
        """The release never became healthy; the old one goes on."""
        self._end(action.deployment_id, self._explain(action, slot, container), container)

    def refuse(self, desired: Desired, slot: Slot, error: EngineError) -> bool:
        """An instance of the rolling release cannot be started at all; False if it is not one."""
        rolling = desired.rolling
        if rolling is None or rolling.deployment_id != slot.deployment_id:
            return False
        if desired.serving and desired.serving.deployment_id == slot.deployment_id:
            return False
        self._end(slot.deployment_id, error, None)
        return True

    def lacks_room(self, desired: Desired, creates: Iterable[Create], error: NetworkFull) -> bool:
        """Instances that are wanted get no address, and none will be free; False if another
        deployment than the rolling one wants them."""
        rolling = desired.rolling
        if rolling is None or (desired.serving and desired.serving == rolling):
            return False
        if all(create.deployment_id != rolling.deployment_id for create in creates):
            return False
        self._end(rolling.deployment_id, error, None)
        return True

    def _explain(self, action: Fail, slot: Slot, container: str) -> RolloutError:
        if action.code == "H10":
            return CrashedAtBoot(f"{slot.name} {action.said} before it was healthy (H10).")
        if action.code == "unhealthy":
            return Unhealthy(f"{slot.name} {action.said}, so it takes no traffic.", _cure(slot))
        if action.code == CanaryFailed.code:
            return CanaryFailed(f"As a canary it {action.said}.")
        with self._database.read() as session:
            deployment = session.get_one(Deployment, action.deployment_id)
            spec = ReleaseSpec.of(session.get_one(Release, deployment.release_id))
        seconds = slot.rules.boot_timeout or spec.boot_timeout
        cause = f"{slot.name} {action.said} after {seconds:g} s of boot time (R10)."
        others: list[str] = []
        with contextlib.suppress(HytheError):
            found = self._engine.instances.get(container)
            if found is not None:
                others = listening(found)
        if len(spec.exposed) > 1 and spec.port not in spec.exposed:
            ports = ", ".join(map(str, spec.exposed))
            heard = f"; it listens on {', '.join(others)}" if others else ""
            return BootTimeout(
                cause,
                f"The image exposes {ports}{heard}. Name the one for HTTP: `--port`, or `port` "
                "in healthchecks.web of app.json.",
            )
        return BootTimeout(cause, advice(others, spec.port))

    def _end(self, deployment_id: int, error: HytheError, container: str | None) -> None:
        with self._database.read() as session:
            if session.get_one(Deployment, deployment_id).status != "rolling":
                return  # a newer one has taken over
        transcript = Transcript.of(self._settings, deployment_id)
        transcript.warn(f"{error.cause}\n{error.fix}")
        if container is not None:
            self._show_log(transcript, container)
        with self._database.write() as tx:
            deployment = tx.get_one(Deployment, deployment_id)
            if deployment.status != "rolling":
                return
            if self._took_over(tx, deployment):
                counted = self._count(deployment)
                transcript.detail(f"{counted.requests:,} requests meanwhile, {counted.failures}")
                deployment.switch_ended_at = now()
            fail(tx, deployment, error)

    def _show_log(self, transcript: Transcript, container: str) -> None:
        with contextlib.suppress(HytheError):
            lines = list(self._engine.instances.logs(container, SHOWN_LINES))
            if lines:
                transcript.step(f"Last {len(lines)} log lines")
                transcript.detail("\n".join(lines))
            else:
                transcript.detail("The app wrote nothing to its log.")


def _cure(slot: Slot) -> str | None:
    """What would make its check pass; None where the general advice fits."""
    check = slot.startup
    if check is None or check == HealthCheck():
        return None
    if check.kind == "command":
        return "Let the command of its health check exit with 0; it ran inside the instance."
    wanted = f"{check.lowest} to {check.highest}" if check.lowest != 100 else "below 500"
    holding = f" and '{check.content[:60]}' in it" if check.content else ""
    return f"Answer GET {check.path} with a status {wanted}{holding}; the app's log says more."
