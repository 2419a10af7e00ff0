"""One build, from a source to an image; its process may be killed anywhere."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hythe import procfile
from hythe.build import chosen, dockerfile, lifecycle, metadata, selection, share, stack
from hythe.build import container as jail
from hythe.build import image as images
from hythe.build.agent import SOCKET, SPARE_SECONDS, START_SECONDS, Agent
from hythe.build.buildpack import MOUNTED, catalog
from hythe.build.cache import Cache, write_store
from hythe.build.clock import Clock
from hythe.build.committed import CommittedExport
from hythe.build.detect import Detector, Group
from hythe.build.export import Export, configuration
from hythe.build.layers import read_inside
from hythe.build.operator import registries
from hythe.build.output import Output
from hythe.build.result import BUILDPACKS, Kind, Result
from hythe.build.spare import Spare
from hythe.build.workspace import Workspace
from hythe.buildpackpin import BuildpackPin
from hythe.engine.port import Engine, Image, Limits, Login, Mount
from hythe.errors import BuildError, PlatformError, ProcfileError
from hythe.imagename import ImageName
from hythe.names import Names
from hythe.projecttoml import FILE, LARGEST, ProjectToml
from hythe.settings import Settings
from hythe.suite import DEFAULT, Suite
from hythe.transcript import Transcript


@dataclass(frozen=True, slots=True)
class Request:
    """All that a build needs to know; travels to the build's process as JSON."""

    settings: dict[str, Any]
    installation: str
    app_id: int
    app: str
    deployment_id: int
    build_id: int
    source: str  # absolute path
    tree: str  # of the source's files
    last: str | None  # the image of the app's last build by buildpacks
    network: str  # of the build's containers
    image: str | None = None  # the name of an image to run, instead of a source to build
    login: dict[str, str] | None = None  # engine.port.Login for its registry
    procfile: str | None = None  # replaces that of the source
    env: dict[str, str] = field(default_factory=dict)  # config that the build may see
    buildpacks: list[dict[str, Any]] = field(default_factory=list)  # BuildpackPin.as_json()
    spare: dict[str, Any] | None = None  # Spare.as_json() of the one that has the build's folders

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Job:
    """The parts of one build, and the clock of its steps."""

    def __init__(self, request: Request, engine: Engine, clock: Clock) -> None:
        self.clock = clock
        self.request = request
        self.engine = engine
        self.settings = Settings(**request.settings)
        self.names = Names(request.installation)
        self.workspace = Workspace.of(self.settings, request.build_id)
        self.transcript = Transcript.of(self.settings, request.deployment_id)
        self.spare = Spare.read(request.spare) if request.spare else None
        self.login = Login(**request.login) if request.login else None
        secrets = [value for key, value in request.env.items() if not key.startswith("BP_")]
        secrets += [self.login.password] if self.login else []
        secrets += registries().passwords()
        self.output = Output(self.transcript, secrets, self.settings.build_output)
        self.labels = jail.labels(self.names, request.app_id, request.build_id)
        self.container_name = self.names.build(request.app, request.build_id)
        self.enters: Callable[[str], None] = lambda _: None  # told the container's id

    def run(self) -> Result:
        """Build; raises a HytheError with the cause and the fix."""
        if self.request.image:
            return self._image(ImageName.parse(self.request.image))
        if not self.request.buildpacks and dockerfile.present(Path(self.request.source)):
            return self._dockerfile()
        return self._buildpacks()

    def _image(self, name: ImageName) -> Result:
        declared = self._procfile(None)
        if name.repository.startswith(f"{self.names.prefix}/"):
            raise BuildError(
                f"{name.reference} is an image that Hythe made for a release.",
                "Release it again: `hythe releases:redeploy` or `hythe rollback`.",
            )
        self.transcript.step(f"Pulling {name.reference}")
        known = self.engine.images.find(name.reference) is not None
        with self.clock.step("pull"):
            image = images.pull(self.engine, name, self.login, self.transcript.detail)
        self.engine.images.tag(image.id, self._app_reference())  # keeps it, whatever its tag does
        if not known:  # the image shall go with the app's last release of it
            self.engine.images.remove(name.reference)
        reference = images.pinned(image, name)
        self.transcript.detail(f"Using {reference or image.id}")
        return self._runnable("image", image, declared, reference)

    def _dockerfile(self) -> Result:
        source = Path(self.request.source)
        declared = self._procfile(source)
        self.transcript.step("Building the Dockerfile")
        if (source / "requirements.txt").exists() or (source / "uv.lock").exists():
            self.transcript.detail("A Dockerfile at the root wins over buildpacks")
        limits = Limits(
            self.settings.build_memory, self.settings.build_cpus, self.settings.build_pids
        )
        with self.clock.step("build"):
            image = dockerfile.build(
                self.engine,
                source,
                self._app_reference(),
                self.names.labels,
                limits,
                self.output,
                self.request.network,
            )
        return self._runnable("dockerfile", image, declared)

    def _runnable(
        self,
        kind: Kind,
        image: Image,
        declared: dict[str, str] | None,
        reference: str | None = None,
    ) -> Result:
        """The result for an image that runs as it is."""
        with self.clock.step("look"):
            launch = images.launch(self.engine, image, f"{self.container_name}.look", self.labels)
        processes = images.processes(image, declared, launch)
        self._say_processes(declared, processes)
        facts = images.facts(kind, image, launch, reference)
        return Result(image.id, processes, facts, self.clock.steps)

    def _buildpacks(self) -> Result:
        cache = Cache.of(self.settings, self.request.app_id)
        uid = jail.build_uid()
        with self.clock.step("prepare"):
            self.workspace.copy_source(Path(self.request.source), uid)
            project = self._project()
            env = {**(project.env or {}), **self.request.env}
            suite = stack.chosen(env)
            self.workspace.write_env(env, uid)
            if not cache.lend(self.workspace.layers, suite):
                self._restore_stores()
            if self.request.procfile is not None:
                self.workspace.replace("Procfile", self.request.procfile, uid)
            declared = self._procfile(self.workspace.app)
        if suite != DEFAULT:
            self.transcript.step(f"Building on {suite.name}: Debian {suite.version}")
        bases = self._bases(suite)
        built = self._run_buildpacks(bases, cache)
        processes = built.launch.processes | (declared or {})
        self._say_processes(declared, processes)
        with self.clock.step("export"):
            image, prints = self._export(bases, built, processes)
        with self.clock.step("keep"):
            made = ((each.owner, each.layer) for each in built.layers)
            cache.keep(self.workspace.layers, made, prints)
        used = [buildpack.as_json() for buildpack in built.buildpacks]
        return Result(image, processes, BUILDPACKS, self.clock.steps, used)

    def _restore_stores(self) -> None:
        """Give each buildpack its store.toml of the last image: the cache has gone."""
        last = self.engine.images.find(self.request.last) if self.request.last else None
        for owner, text in metadata.stores(last).items() if last else ():
            write_store(self.workspace.layers / owner, text)

    def _bases(self, suite: Suite) -> stack.Stack:
        """The base images: the spare's, unless they were made anew or removed since.

        Those of another suite than the default are made when first needed.
        """
        known = self.spare.stack if self.spare else None
        if known is not None and known.suite == suite and stack.there(self.engine, known):
            return known
        found = stack.find(self.engine, suite)
        if found is not None:
            return found
        from hythe.build import stackmaker  # late: it is seldom needed

        self.transcript.step(f"Making the base images of {suite.name}, once for this machine")
        with self.clock.step("stack"):
            return stackmaker.ensure(self.engine, self.settings, suite, self.transcript.detail)

    def _run_buildpacks(self, bases: stack.Stack, cache: Cache) -> lifecycle.Built:
        with self.clock.step("container"), ThreadPoolExecutor(1) as pool:
            remembered = pool.submit(cache.remember, self.workspace.layers)
            container = self._container(bases)
            self.enters(container.id)
            remembered.result()  # before anything runs that could change them
        build_id = str(self.request.build_id)
        with self.clock.step("detect"):
            group = self._detect(container, build_id)
        builder = lifecycle.Builder(container, self.workspace, self.output, build_id, cache.launch)
        built = builder.build(group)  # each of its programs is a step
        with self.clock.step("freeze"):
            container.freeze()
        return built

    def _project(self) -> ProjectToml:
        """What project.toml says of the build; the files that it leaves out are gone then."""
        try:
            project = ProjectToml.read(read_inside(self.workspace.app, FILE, LARGEST))
        except FileNotFoundError:
            return ProjectToml()
        if project.include is not None or project.exclude is not None:
            selection.select(self.workspace, project.include, project.exclude)
        return project

    def _detect(self, container: jail.BuildContainer, build_id: str) -> Group:
        found = catalog(share.folder("buildpacks"))
        pins = self.request.buildpacks
        if pins:
            beside = Path(self.request.source).parent
            uid = jail.build_uid()
            found = chosen.choose(found, pins, beside, self.workspace, uid, container.suite)
        named = any(pin.get("place", "group") == "group" for pin in pins)
        say = self.transcript.step
        group = Detector(container, self.workspace, say, named, build_id).choose(found)
        for buildpack in group.buildpacks if pins else ():
            pinned = (buildpack.pin and BuildpackPin.read(buildpack.pin).pinned) or ""
            at = "" if pinned.startswith(buildpack.version) else f" at {pinned[:12]}"
            self.transcript.detail(f"{buildpack.id} {buildpack.version}{at if pinned else ''}")
        return group

    def _container(self, bases: stack.Stack) -> jail.BuildContainer:
        """The spare that was started ahead for this workspace, or a new one."""
        spare = self.spare
        if spare is not None:
            if spare.stack == bases:
                with suppress(PlatformError):  # the engine was restarted, say
                    agent = Agent.reach(self.workspace, SPARE_SECONDS)
                    self.engine.instances.rename(spare.id, self.container_name)
                    return jail.BuildContainer(
                        self.engine, spare.id, self.clock, bases.suite, agent
                    )
            # Both would listen in the same folder: none of the build may run in the spare.
            self.engine.instances.remove(spare.id)
            (self.workspace.scratch / SOCKET).unlink(missing_ok=True)
        spec = jail.spec(
            self.settings,
            self.workspace,
            registries(),
            name=self.container_name,
            image=bases.build_id,
            labels=self.labels,
            network=self.request.network,
            buildpacks=Mount(share.folder("buildpacks"), MOUNTED, read_only=True),
            seconds=str(START_SECONDS),
        )
        container_id = jail.start(self.engine, spec)
        agent = Agent.reach(self.workspace)
        return jail.BuildContainer(self.engine, container_id, self.clock, bases.suite, agent)

    def _export(
        self, bases: stack.Stack, built: lifecycle.Built, processes: Mapping[str, str]
    ) -> tuple[str, dict[str, str]]:
        """The image's id, and the fingerprints of launch layers as far as they were taken."""
        config = configuration(built, processes, self.request.tree, self.names.labels)
        reference, step = self._app_reference(), self.transcript.step
        if self.spare.assembles if self.spare else self.engine.images.assembles():
            cache = Cache.of(self.settings, self.request.app_id)
            exported = Export(self.engine, cache, self.workspace, step).run(
                bases, built, reference, config
            )
            return exported.image.id, exported.prints
        committed = CommittedExport(
            self.engine, self.names, self.request.app_id, self.container_name, self.labels
        )
        image = committed.export(bases, built, self.workspace, reference, config, step)
        return image.id, {}

    def _procfile(self, folder: Path | None) -> dict[str, str] | None:
        if self.request.procfile is not None:
            return procfile.parse(self.request.procfile)
        if folder is None:
            return None
        try:
            text = read_inside(folder, "Procfile", procfile.LARGEST)
        except FileNotFoundError:
            return None
        try:
            return procfile.parse(text.decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise ProcfileError("The Procfile is not UTF-8.", "Save it as UTF-8.") from None

    def _say_processes(
        self, declared: Mapping[str, str] | None, processes: Mapping[str, str]
    ) -> None:
        self.transcript.step("Discovering process types")
        if declared:
            self.transcript.detail(f"Procfile declares types -> {', '.join(declared)}")
        inferred = [name for name in processes if name not in (declared or {})]
        if inferred:
            self.transcript.detail(f"Default types -> {', '.join(inferred)}")

    def _app_reference(self) -> str:
        return self.names.build_image(self.request.app_id, self.request.build_id)
