"""Images as sources: pulled from a real registry, or taken from the engine."""

import tarfile
from collections.abc import Iterator
from contextlib import suppress

import docker
import pytest
from conftest import missing
from images import busybox
from integration.build.conftest import Builds
from registry import PASSWORD, USER, Registry, program, serving

from hythe.build.result import IMAGE_CAPABILITIES
from hythe.build.stack import LAUNCHER
from hythe.engine.port import ContainerSpec, ImageConfig
from hythe.model import Build, Deployment, Source
from hythe.model import Registry as Credentials
from hythe.spec import ReleaseSpec

pytestmark = [
    pytest.mark.docker,
    pytest.mark.usefixtures("stage"),
    pytest.mark.one_database("it is about containers"),
]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    if program() is None:
        missing("registry", "Debian's package `docker-registry` is not installed.")
    with serving(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture
def made(builds: Builds) -> Iterator["Made"]:
    made = Made(builds)
    yield made
    client = docker.from_env()
    for image in made.images:
        with suppress(docker.errors.ImageNotFound):
            client.images.remove(image, force=True)
    client.close()


class Made:
    """Images of this test; they go at its end."""

    def __init__(self, builds: Builds) -> None:
        self.builds = builds
        self.base = busybox(builds.engine)
        self.images: list[str] = []

    def image(self, text: str = 'EXPOSE 9000\nUSER 7\nCMD ["httpd", "-f"]') -> str:
        """An image on top of busybox, by these Dockerfile instructions."""
        client = docker.from_env()
        folder = self.builds.settings.home / f"context{len(self.images)}"
        folder.mkdir()
        (folder / "Dockerfile").write_text(f"FROM {self.base.id}\nLABEL n={folder}\n{text}\n")
        built, _ = client.images.build(path=str(folder), rm=True)
        client.close()
        self.images.append(built.id)
        return str(built.id)

    def bare(self, config: ImageConfig) -> str:
        """An image without a shell, under a name of its own."""
        folder = self.builds.settings.home
        (folder / "server").write_text("not run here")
        with tarfile.open(folder / "root.tar", "w") as tar:
            tar.add(folder / "server", "server")
        name = f"hythe-test/bare-{self.builds.names.installation}:1"
        self.builds.engine.images.load_root(folder / "root.tar", name, config)
        self.images.append(name)
        return name


def deploy(builds: Builds, name: str, procfile: str | None = None) -> tuple[Deployment, Build]:
    with builds.database.write() as tx:
        source = Source(
            app_id=builds.app_id, kind="image", location=name, procfile=procfile, created_by="test"
        )
        tx.add(source)
        tx.flush()
        deployment = Deployment(
            app_id=builds.app_id, kind="image", source_id=source.id, created_by="test"
        )
        tx.add(deployment)
        tx.flush()
        tx.poke(builds.app_id)
    ended = builds.wait(deployment.id, until=lambda each: each.status in ("built", "failed"))
    with builds.database.read() as tx:
        return ended, tx.get_one(Build, ended.build_id)


def log_in(builds: Builds, registry: Registry, password: str = PASSWORD) -> None:
    with builds.database.write() as tx:
        sealed = builds.vault.seal(password)
        tx.add(Credentials(host=registry.host, username=USER, password=sealed))


def test_an_image_is_pulled_with_credentials_and_frozen_by_digest(
    builds: Builds, registry: Registry, made: Made
) -> None:
    first, second = made.image(), made.image()
    name = registry.push(first, "shop:1")
    made.images.append(name)
    log_in(builds, registry)
    deployment, build = deploy(builds, name)
    assert deployment.status == "built", builds.transcript(deployment.id)
    assert (build.builder, build.processes, build.image) == ("image", {"web": ""}, first)
    assert build.result is not None
    reference = build.result.pop("reference")
    assert reference.startswith(f"{registry.host}/shop@sha256:")
    assert build.result == {
        "kind": "image", "launch": ["/bin/sh", "-c"], "init": True, "user": "7",
        "capabilities": list(IMAGE_CAPABILITIES), "exposed": [9000],
    }  # fmt: skip
    assert builds.engine.images.find(name) is None  # only the app's own name holds it
    said = builds.transcript(deployment.id)
    assert f"-----> Pulling {name}" in said and f"Using {reference}" in said
    assert PASSWORD not in said

    registry.push(second, "shop:1")  # the tag moves; what was released does not
    assert deploy(builds, reference)[1].image == first
    assert deploy(builds, name)[1].image == second


def test_wrong_credentials_are_not_called_a_missing_image(
    builds: Builds, registry: Registry, made: Made
) -> None:
    name = registry.push(made.image(), "private:1")
    deployment, _ = deploy(builds, name)
    assert deployment.error_code == "registry-denied"
    assert "none are stored" in (deployment.error_cause or "")
    assert f"hythe registry:login {registry.host}" in (deployment.error_fix or "")
    log_in(builds, registry, "wrong")
    deployment, _ = deploy(builds, name)
    assert deployment.error_code == "registry-denied"
    assert "does not accept the stored credentials" in (deployment.error_cause or "")


def test_an_image_that_does_not_exist_is_said(builds: Builds, registry: Registry) -> None:
    log_in(builds, registry)
    deployment, _ = deploy(builds, f"{registry.host}/nosuch:1")
    assert deployment.error_code == "image-missing"
    assert "nosuch:1" in (deployment.error_cause or "")


def test_a_registry_that_is_away_is_said(builds: Builds) -> None:
    deployment, _ = deploy(builds, "127.0.0.1:1/shop:1")
    assert deployment.error_code == "registry-away"


def test_a_local_image_is_used_when_the_registry_is_away(builds: Builds, made: Made) -> None:
    image = made.image()
    name = f"127.0.0.1:1/shop-{builds.names.installation}:1"
    builds.engine.images.tag(image, name)
    made.images.append(name)
    deployment, build = deploy(builds, name)
    assert build.image == image
    said = builds.transcript(deployment.id)
    assert "127.0.0.1:1 could not be reached; taking the image of that name" in said


def test_images_of_other_releases_are_not_for_deploys(builds: Builds, made: Made) -> None:
    name = builds.names.app_image(999, "b1")
    builds.engine.images.tag(made.image(), name)
    deployment, _ = deploy(builds, name)
    assert deployment.error_code == "build"
    assert "is an image that Hythe made" in (deployment.error_cause or "")


def test_an_image_without_a_command_needs_a_procfile(builds: Builds, made: Made) -> None:
    name = made.bare(ImageConfig())
    deployment, _ = deploy(builds, name)
    assert deployment.error_code == "no-command"
    assert "hythe deploy --procfile" in (deployment.error_fix or "")
    _, build = deploy(builds, name, "web: /server --port 'a b'\nworker: /server work\n")
    assert build.processes == {"web": "/server --port 'a b'", "worker": "/server work"}
    assert build.result is not None and build.result["launch"] == []


def test_an_image_that_buildpacks_made_runs_by_its_launcher(builds: Builds, made: Made) -> None:
    """Its process types are in the rows of the installation that built it."""
    name = made.bare(ImageConfig(entrypoint=(LAUNCHER,)))
    deployment, _ = deploy(builds, name)
    assert deployment.error_code == "no-command"
    assert "holds no process types" in (deployment.error_cause or "")
    _, build = deploy(builds, name, "web: gunicorn app:app --port $PORT\n")
    assert build.result is not None and build.result["launch"] == [LAUNCHER]


def test_what_needs_a_shell_is_refused_without_one(builds: Builds, made: Made) -> None:
    name = made.bare(ImageConfig(command=("/server",)))
    deployment, _ = deploy(builds, name, "web: /server -p $PORT")
    assert deployment.error_code == "no-shell"
    assert "`web` needs one for `$`" in (deployment.error_cause or "")


def test_looking_for_a_shell_leaves_nothing_behind(builds: Builds, made: Made) -> None:
    deploy(builds, made.bare(ImageConfig(command=("/server",))))
    assert builds.containers() == []


def test_an_image_without_a_shell_runs_its_words(builds: Builds, made: Made) -> None:
    """busybox as the only file: no /bin/sh, and a program that can say its arguments."""
    client = docker.from_env()
    box = client.containers.create(made.base.id)
    stream, _ = client.api.get_archive(box.id, "/bin/busybox")
    path = builds.settings.home / "only.tar"
    path.write_bytes(b"".join(stream))
    box.remove()
    client.close()
    name = f"hythe-test/only-{builds.names.installation}:1"
    builds.engine.images.load_root(path, name, ImageConfig(entrypoint=("/no",), command=("no",)))
    made.images.append(name)
    _, build = deploy(builds, name, "web: /busybox echo 'a  b' c\n")
    assert build.result is not None and build.processes is not None
    entrypoint, command = ReleaseSpec.freeze(build, None, builds.settings).invocation("web")
    container = builds.engine.instances.create(
        ContainerSpec("hythe-test-words", name, command, entrypoint, labels=builds.names.labels)
    )
    builds.engine.instances.start(container.id)
    assert builds.engine.instances.wait(container.id, 20) == 0
    assert list(builds.engine.instances.logs(container.id)) == ["a  b c"]
