"""One-off runs, carried from state to state.

Whoever asks for a run inserts a row; whoever serves its client attaches to the container once that
is made, and says so. Everything else about containers of runs happens here. See oneoff_plan.py.
"""

import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import delete, func, select

from hythe import logs, network
from hythe import names as n
from hythe.engine.port import Container, ContainerSpec, Engine
from hythe.errors import EngineError, HytheError, ImageMissing
from hythe.model import App, Database, Deployment, Release, Run, Vault, now
from hythe.names import Names
from hythe.run import marked
from hythe.run import oneoff_plan as do
from hythe.run.rebuild import rebuild
from hythe.run.stopper import Say
from hythe.settings import Settings
from hythe.spec import container

LOOK_SECONDS = 2.0  # while anything is under way: limits of time, and events that got lost
SWEEP_SECONDS = 15.0
PARALLEL = 16
KEEP_DAYS = 30
TERM = "xterm-256color"

log = logs.get(__name__)


class OneOffs:
    def __init__(
        self,
        settings: Settings,
        database: Database,
        engine: Engine,
        names: Names,
        vault: Vault,
        say: Say,
    ) -> None:
        self._settings = settings
        self._database = database
        self._engine = engine
        self._names = names
        self._vault = vault
        self._say = say
        self._bell = database.subscribe()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="one-offs", daemon=True)
        self._pool = ThreadPoolExecutor(PARALLEL, thread_name_prefix="one-off")
        self._busy: set[int] = set()  # by run
        self._lock = threading.Lock()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop looking; what runs goes on, and the next one finds it."""
        self._stopping.set()
        self._bell.ring(0)
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def forget(self, app_id: int) -> None:
        """Remove the containers of a destroyed app."""
        for found in self._containers({n.LABEL_APP: str(app_id)}):
            self._engine.instances.remove(found.id)

    def _work(self) -> None:
        swept = -SWEEP_SECONDS
        while not self._stopping.is_set():
            busy = True
            try:
                busy = self._look()
                if time.monotonic() - swept >= SWEEP_SECONDS:
                    self._sweep()
                    swept = time.monotonic()
            except Exception as error:  # the thread must outlive an engine or database that is away
                log.warning("one-off runs not looked at", error=str(error))
            self._bell.wait(LOOK_SECONDS if busy else SWEEP_SECONDS)

    def _look(self) -> bool:
        """Carry on whatever is under way; whether there is anything."""
        with self._database.read() as session:
            ids = session.scalars(select(Run.id).where(Run.state != "ended")).all()
        for run_id in ids:
            with self._lock:
                if run_id in self._busy or self._stopping.is_set():
                    continue
                self._busy.add(run_id)
            self._pool.submit(self._advance, run_id)
        return bool(ids)

    def _advance(self, run_id: int) -> None:
        try:
            while self._step(run_id):
                pass
        except Exception as error:  # the next look tries again
            expected = isinstance(error, EngineError)
            log.warning("one-off run held up", run=run_id, exc_info=None if expected else error)
        finally:
            with self._lock:
                self._busy.discard(run_id)

    def _step(self, run_id: int) -> bool:
        """Do the next thing; whether there was any."""
        with self._database.read() as session:
            run = session.get(Run, run_id)
            app = session.get(App, run.app_id) if run is not None else None
        if run is None or app is None:
            return False
        if app.destroyed_at is not None and run.stop is None:
            return self._write(run, stop="stopped", detail="Its app is being destroyed.")
        name = run.container or self._names.run(app.name, run.number, run.id)
        found = self._engine.instances.get(name)
        step = do.next_step(run, found, now())
        match step:
            case do.Create() | do.Start():
                self._bring_up(run, app, name, step)
            case do.Ready():
                self._write(run, state="ready", ready_at=now())
            case do.Ask(reason, detail):
                self._write(run, stop=reason, detail=detail)
            case do.Stop():
                self._stop(run, name)
            case do.End():
                self._end(run, step, name)
        return step is not None

    def _bring_up(self, run: Run, app: App, name: str, step: do.Create | do.Start) -> None:
        """Create or start its container; a run that the engine refuses has failed."""
        try:
            if isinstance(step, do.Create):
                self._create(run, app, name)
            else:
                self._start(run, name)
        except ImageMissing:
            rebuild(self._settings, self._database, run.deployment_id)
            text = "The image of its release is gone; it is built again. Try again in a minute."
            self._end(run, do.End("failed", text), name)
        except HytheError as error:
            if isinstance(error, EngineError) and not error.transient:
                self._end(run, do.End("failed", f"{error.cause} {error.fix}"), name)
            else:
                raise

    def _create(self, run: Run, app: App, name: str) -> None:
        with self._database.read() as session:
            deployment = session.get_one(Deployment, run.deployment_id)
            release = session.get_one(Release, deployment.release_id)
        subnet = network.ensure(self._engine, self._database, self._settings, self._names, app)
        with self._database.write() as tx:
            row = tx.get_one(Run, run.id)
            if row.address is None or row.address not in network.run_addresses(subnet):
                others = select(Run.address).where(Run.app_id == app.id, Run.state != "ended")
                row.address = network.run_address(subnet, set(tx.scalars(others)))
        self._engine.instances.create(self._spec(row, app, release, name))
        self._write(run, state="ready", ready_at=now())

    def _spec(self, run: Run, app: App, release: Release, name: str) -> ContainerSpec:
        made = container(
            self._names,
            app,
            release,
            self._vault.unseal_map(release.config),
            name=name,
            kind="run",
            process="run",
            index=run.number,
            deployment_id=run.deployment_id,
            address=run.address or "",
            restart=False,
            labels={n.LABEL_RUN: str(run.id)},
            line=run.command,
        )
        limits = replace(
            made.limits,
            memory=run.memory or made.limits.memory,
            cpus=run.cpus or made.limits.cpus,
        )
        size = (run.rows, run.columns) if run.rows and run.columns else None
        env = {"TERM": TERM, **made.env} if run.tty else made.env
        attached = run.kind == "attached"
        return replace(made, limits=limits, env=env, stdin=attached, tty=run.tty, size=size)

    def _start(self, run: Run, name: str) -> None:
        self._engine.instances.start(name)
        if self._write(run, state="running", started_at=now()):
            self._tell(run, f"Started by {run.created_by}: {run.command}")

    def _stop(self, run: Run, name: str) -> None:
        if run.kind != "exec":
            if run.tty:  # shells ignore SIGTERM at a terminal
                self._engine.instances.kill(name, "SIGHUP")
            self._engine.instances.stop(name, self._settings.stop_timeout)
            return
        detail = run.detail
        try:
            marked.end(self._engine, name, run.id)
        except EngineError as error:
            if error.transient:
                raise
            detail = f"{detail or ''} What it started may go on: {error.cause}".strip()
        self._end(run, do.End(do.reason_of(run), detail), name)

    def _end(self, run: Run, end: do.End, name: str) -> None:
        """The row first: a container is found again without it, an exit code is not."""
        code = end.exit_code
        said = "It never ran." if run.started_at is None else f"Process exited with status {code}"
        text = end.detail or said
        with self._database.write() as tx:
            row = tx.get(Run, run.id)
            if row is None or row.state == "ended":
                return
            row.state, row.ended_at = "ended", now()
            row.reason, row.detail, row.exit_code = end.reason, end.detail, code
            tx.note("run.end", f"{run.name}: {text}", app_id=run.app_id, run=run.number)
            tx.poke(run.app_id)
        if run.kind != "exec":
            self._tell(run, said if code is not None else text)
            if end.detail and code is not None:
                self._tell(run, end.detail)
            self._engine.instances.remove(name)

    def _write(self, run: Run, **values: object) -> bool:
        """Change the row, unless it has ended."""
        with self._database.write() as tx:
            row = tx.get(Run, run.id)
            if row is None or row.state == "ended":
                return False
            for key, value in values.items():
                setattr(row, key, value)
            tx.poke(run.app_id)
        return True

    def _tell(self, run: Run, text: str) -> None:
        with self._database.read() as session:
            deployment = session.get(Deployment, run.deployment_id)
            release = session.get(Release, deployment.release_id) if deployment else None
        self._say(run.app_id, run.name, f"v{release.version}" if release else "", text)

    def _containers(self, labels: Mapping[str, str]) -> list[Container]:
        mine = {**self._names.labels, n.LABEL_KIND: "run", **labels}
        return list(self._engine.instances.list(mine))

    def _sweep(self) -> None:
        """Remove the containers of runs that have ended, and forget old runs."""
        for found in self._containers({}):
            number = found.labels.get(n.LABEL_RUN, "")
            with self._database.read() as session:
                run = session.get(Run, int(number)) if number.isdecimal() else None
            with self._lock:
                busy = run is not None and run.id in self._busy
            if not busy and (run is None or run.state == "ended"):
                self._pool.submit(self._remove, found.id)
        newest = select(func.max(Run.id)).group_by(Run.app_id)
        old = (Run.ended_at < now() - timedelta(days=KEEP_DAYS)) & Run.id.not_in(newest)
        with self._database.read() as session:
            any_old = session.scalar(select(Run.id).where(old).limit(1))
        if any_old is not None:
            with self._database.write() as tx:
                tx.execute(delete(Run).where(old))

    def _remove(self, container_id: str) -> None:
        try:
            self._engine.instances.remove(container_id)
        except HytheError as error:
            log.warning("container of a one-off run left behind", cause=error.cause)
