"""The actions of a plan, done: on the engine, in the database, in the route table.

Each action is one method. What happens to rows and containers is ordered so that a kill between two
steps leaves something that the next pass recognises.
"""

import threading
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from ipaddress import ip_address, ip_network

from sqlalchemy import select

from hythe import logs, network
from hythe import names as n
from hythe.engine.port import ContainerSpec, Engine
from hythe.errors import AddressTaken, EngineError, EngineLacks, ImageMissing, NetworkFull
from hythe.healthcheck import HealthCheck
from hythe.model import App, Database, Deployment, Instance, Release, Vault, Write, now
from hythe.names import Names
from hythe.run import actions as do
from hythe.run import probes, trouble
from hythe.run.boots import Boots
from hythe.run.desired import Desired, Slot, as_slots
from hythe.run.erase import Eraser
from hythe.run.health import Prober
from hythe.run.probes import Probe
from hythe.run.publish import Publisher
from hythe.run.rebuild import rebuild
from hythe.run.rollout import Rollout
from hythe.run.stopper import Say, Stopper
from hythe.run.traffic import Watched, nothing
from hythe.settings import Settings
from hythe.spec import ReleaseSpec, container
from hythe.transcript import Transcript

PARALLEL_STARTS = 8

log = logs.get(__name__)

Move = (
    do.MarkUp
    | do.MarkSick
    | do.MarkRestarted
    | do.MarkReturned
    | do.Park
    | do.Drain
    | do.ForgetCrashes
)
"""What changes an instance row and nothing else."""


class Applier:
    """Applies one app's plan; may work for several apps at once, never twice for one."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        engine: Engine,
        names: Names,
        vault: Vault,
        prober: Prober,
        publisher: Publisher,
        eraser: Eraser,
        say: Say,
        watched: Watched = nothing,
        starts: Executor | None = None,
        thread: type[threading.Thread] = threading.Thread,
    ) -> None:
        """watched: what the routers counted, by deployment. starts, thread: where starts and stops
        run; a simulation has its own."""
        self._settings = settings
        self._database = database
        self._engine = engine
        self._names = names
        self._vault = vault
        self._prober = prober
        self._publisher = publisher
        self._eraser = eraser
        self._say = say
        self._stopper = Stopper(settings, database, engine, prober, say, thread)
        self._rollout = Rollout(settings, database, engine, names, watched)
        self.boots = Boots(settings, database)
        self._starts = starts or ThreadPoolExecutor(PARALLEL_STARTS, thread_name_prefix="start")

    def apply(self, desired: Desired, actions: Sequence[do.Action]) -> bool:
        """Do them; True when another look at once is worth it. Raises EngineError."""
        slots = {slot.id: slot for slot in desired.slots}
        starts = [action for action in actions if isinstance(action, do.Start)]
        routed = self._write_states(desired, slots, actions)
        if routed:
            self._publisher.publish()
        for action in actions:
            self._act(desired, slots, action)
        creates = [action for action in actions if isinstance(action, do.Create)]
        created = self._create(desired, creates, _frees_addresses(desired, actions))
        boots = [slots[action.slot_id] for action in starts]
        boots += [slot for slot, action in zip(created, creates, strict=False) if action.start]
        boots = self.boots.take(boots)
        for error in list(self._starts.map(lambda slot: self._start(desired, slot), boots)):
            if error is not None:
                raise error
        return bool(created or boots or routed)

    def close(self) -> None:
        self._starts.shutdown(wait=False, cancel_futures=True)

    def join(self) -> None:
        """Wait for what its threads still do."""
        self._starts.shutdown(wait=True)
        self._stopper.join()

    def _act(self, desired: Desired, slots: dict[int, Slot], action: do.Action) -> None:
        match action:
            case do.Watch(slot_id):
                self._watch(desired, slots[slot_id])
            case do.Tend(slot_id):
                self._tend(desired, slots[slot_id])
            case do.Stop(slot_id):
                slot = slots[slot_id]
                self._stopper.retire(
                    desired.app_id,
                    slot,
                    self._name(desired, slot),
                    self._release_of(desired, slot),
                )
            case do.Halt(slot_id):
                self._stopper.halt(slots[slot_id], self._name(desired, slots[slot_id]))
            case do.RemoveStray(container_id):
                self._engine.instances.remove(container_id)
                trouble.note_stray(self._database, desired.app_id, container_id)
            case do.Finish() | do.EndSwitch() | do.Fail():
                self._end(desired, slots, action)
            case do.Erase():
                self._eraser.erase(desired.app_id)
                self._publisher.publish()

    def _end(
        self, desired: Desired, slots: dict[int, Slot], action: do.Finish | do.EndSwitch | do.Fail
    ) -> None:
        match action:
            case do.Finish(deployment_id):
                self._rollout.finish(deployment_id)
            case do.EndSwitch(deployment_id):
                self._rollout.end_switch(deployment_id)
            case do.Fail():
                slot = slots[action.slot_id]
                self._rollout.fail(action, slot, self._name(desired, slot))

    def _name(self, desired: Desired, slot: Slot) -> str:
        return self._names.instance(desired.app_name, slot.process, slot.index, slot.id)

    def _release_of(self, desired: Desired, slot: Slot) -> str:
        for group in desired.groups:
            if group.deployment_id == slot.deployment_id:
                return f"v{group.version}"
        return ""

    def _changed(self, desired: Desired, slot: Slot, state: str) -> None:
        if slot.state != state:
            self._say(
                desired.app_id,
                slot.name,
                self._release_of(desired, slot),
                f"State changed from {slot.state} to {state}",
            )

    # Rows

    def _create(
        self, desired: Desired, creates: Sequence[do.Create], others_leave: bool
    ) -> list[Slot]:
        """Insert rows for the first of them, as many as there are free addresses.

        Raises NetworkFull when there is no subnet for the app.
        """
        if not creates:
            return []
        with self._database.read() as session:
            app = session.get_one(App, desired.app_id)
        try:
            if app.subnet is None:
                network.ensure(self._engine, self._database, self._settings, self._names, app)
        except NetworkFull as error:
            if self._rollout.lacks_room(desired, creates, error):
                return []
            raise
        full: NetworkFull | None = None
        rows: list[Instance] = []
        with self._database.write() as tx:
            held = {slot.address for slot in desired.slots}
            newest = select(Instance.address).where(Instance.app_id == desired.app_id)
            last = tx.scalars(newest.order_by(Instance.id.desc())).first()
            for action in creates:
                try:
                    last = network.free_address(app.subnet or "", held, last)
                except NetworkFull as error:
                    full = error
                    break  # the rest follows when those that leave have gone
                held.add(last)
                row = Instance(
                    app_id=desired.app_id,
                    deployment_id=action.deployment_id,
                    process=action.process,
                    index=action.index,
                    address=last,
                )
                tx.add(row)
                rows.append(row)
        self._announce(desired, creates[: len(rows)])
        if full is not None and (
            others_leave or not self._rollout.lacks_room(desired, creates[len(rows) :], full)
        ):
            log.warning("no free address", app=desired.app_id, cause=full.cause)
        with self._database.read() as session:
            return as_slots(session, desired.app_id, rows)

    def _announce(self, desired: Desired, creates: Sequence[do.Create]) -> None:
        if desired.rolling is None:
            return
        deployment_id = desired.rolling.deployment_id
        started = [f"{a.process}.{a.index}" for a in creates if a.deployment_id == deployment_id]
        if started:
            Transcript.of(self._settings, deployment_id).step(f"Starting {', '.join(started)}")

    def _write_states(
        self, desired: Desired, slots: dict[int, Slot], actions: Sequence[do.Action]
    ) -> bool:
        """Move rows to their new state; True when the route table may change by it."""
        moves = [
            action
            for action in actions
            if isinstance(action, Move | do.Switch | do.Enter)
            or (isinstance(action, do.Start) and slots[action.slot_id].state == "up")
        ]
        if not moves:
            return False
        with self._database.write() as tx:
            for action in moves:
                if isinstance(action, do.Switch):
                    self._rollout.switch(tx, action)
                elif isinstance(action, do.Enter):
                    self._rollout.enter(tx, action)
                else:
                    self._move(tx, desired, slots[action.slot_id], action)
        return True

    def _move(
        self,
        tx: Write,
        desired: Desired,
        slot: Slot,
        action: "Move | do.Start",
    ) -> None:
        row = tx.get_one(Instance, slot.id)
        match action:
            case do.Start():  # it was up; out of the table before anything is done to it
                row.state = "starting"
                self._note(tx, desired, slot, "instance.lost", trouble.LOST)
            case do.MarkUp(_, said):
                row.state, row.ready_at = "up", now()
                self._changed(desired, slot, "up")
                self._prober.forget(slot.id)
                if desired.rolling and desired.rolling.deployment_id == slot.deployment_id:
                    self._rollout.answered(slot, said)
            case do.MarkRestarted(_, crashes, restarts, exit_code):
                row.state, row.started_at = "starting", now()
                row.crashes, row.restarts, row.exit_code = crashes, restarts, exit_code
                self._prober.forget(slot.id)
                self._crash(tx, desired, slot, action)
            case do.MarkReturned(_, restarts):
                row.ready_at, row.restarts = now(), restarts
                self._prober.forget(slot.id)
            case do.Park(_, crashes, until, exit_code):
                row.state, row.retry_at = "crashed", until
                row.crashes, row.exit_code = crashes, exit_code
                self._prober.forget(slot.id)
                self._crash(tx, desired, slot, action)
                self._changed(desired, slot, "crashed")
            case do.MarkSick(_, crashes, until, said):
                row.state, row.retry_at, row.crashes = "crashed", until, crashes
                self._prober.forget(slot.id)
                self._note(tx, desired, slot, "instance.sick", f"Restarting: it {said}")
                self._changed(desired, slot, "crashed")
            case do.Drain():
                row.state, row.draining_at = "draining", now()
                row.left_epoch = row.left_sequence = None
                self._prober.forget(slot.id)
            case do.ForgetCrashes():
                row.crashes = 0

    def _crash(
        self, tx: Write, desired: Desired, slot: Slot, action: do.MarkRestarted | do.Park
    ) -> None:
        text, more, fix = trouble.ending(action), trouble.rest(action), trouble.fix(desired, slot)
        self._note(tx, desired, slot, "instance.crash", text, more=more, fix=fix)
        if action.oom_killed:
            self._note(tx, desired, slot, "instance.oom", trouble.OOM, fix=trouble.OOM_FIX)

    def _note(
        self,
        tx: Write,
        desired: Desired,
        slot: Slot,
        kind: str,
        text: str,
        *,
        more: str = "",
        **data: str,
    ) -> None:
        """Say it in the app's log, and as an event, which may say more."""
        self._say(desired.app_id, slot.name, self._release_of(desired, slot), text)
        message = f"{slot.name}: {text}{more}"
        tx.note(kind, message, app_id=desired.app_id, instance=slot.id, **data)

    # Containers

    def _start(self, desired: Desired, slot: Slot) -> EngineError | None:
        """Create and start one container; returns an error instead of raising it."""
        try:
            self._start_container(desired, slot)
        except AddressTaken as error:
            log.warning("address taken", app=desired.app_id, instance=slot.id, cause=error.cause)
            self._stopper.gone(desired.app_id, slot.id, self._name(desired, slot))
        except EngineError as error:
            again = error.transient or isinstance(error, EngineLacks)  # somebody removed it
            if again or not self._rollout.refuse(desired, slot, error):
                if isinstance(error, ImageMissing):
                    rebuild(self._settings, self._database, slot.deployment_id)
                return error
        finally:
            self.boots.give_back(slot)
        return None

    def _start_container(self, desired: Desired, slot: Slot) -> None:
        with self._database.read() as session:
            app = session.get_one(App, desired.app_id)
            deployment = session.get_one(Deployment, slot.deployment_id)
            release = session.get_one(Release, deployment.release_id)
        spec = container(
            self._names,
            app,
            release,
            self._vault.unseal_map(release.config),
            name=self._name(desired, slot),
            kind="instance",
            process=slot.process,
            index=slot.index,
            deployment_id=slot.deployment_id,
            address=slot.address,
            restart=True,
            labels={n.LABEL_INSTANCE: str(slot.id)},
        )
        try:
            self._run(app, spec)
        except EngineLacks:  # the network was deleted by hand, or was never made
            network.ensure(self._engine, self._database, self._settings, self._names, app)
            self._engine.instances.remove(spec.name)  # one of the lost network never starts
            self._run(app, spec)
        with self._database.write() as tx:
            row = tx.get_one(Instance, slot.id)
            row.state, row.started_at, row.retry_at = "starting", now(), None
            row.restarts = 0  # the engine counts from each start
            tx.poke(desired.app_id)
        self._changed(desired, slot, "starting")
        self._prober.forget(slot.id)
        if slot.asked:
            self._watch(desired, slot)

    def _run(self, app: App, spec: ContainerSpec) -> None:
        if ip_address(spec.address or "") not in ip_network(app.subnet or spec.address or ""):
            raise AddressTaken(f"{spec.address} is not in the app's network any more.")
        self._engine.instances.start(self._engine.instances.create(spec).id)

    def _watch(self, desired: Desired, slot: Slot) -> None:
        check = slot.startup or HealthCheck()
        self._prober.watch(desired.app_id, slot.id, self._probe(desired, slot, check), check)

    def _tend(self, desired: Desired, slot: Slot) -> None:
        if slot.liveness is not None:
            probe = self._probe(desired, slot, slot.liveness)
            self._prober.tend(desired.app_id, slot.id, probe, slot.liveness)

    def _probe(self, desired: Desired, slot: Slot, check: HealthCheck) -> Probe:
        with self._database.read() as session:
            deployment = session.get_one(Deployment, slot.deployment_id)
            spec = ReleaseSpec.of(session.get_one(Release, deployment.release_id))
        host = self._settings.app_host(desired.app_name)
        name = self._name(desired, slot)
        return probes.make(check, self._engine.sessions, name, slot.address, spec.port, host)


def _frees_addresses(desired: Desired, actions: Sequence[do.Action]) -> bool:
    """Whether instances are on their way out."""
    leaving = any(isinstance(action, do.Drain | do.Stop) for action in actions)
    return leaving or any(slot.state == "draining" for slot in desired.slots)
