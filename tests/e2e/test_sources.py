"""An image, a git URL and a manifest, deployed by the command line and asked through the router."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import docker
import pytest
from conftest import missing
from gitservers import Upstream, http_server
from images import busybox
from registry import PASSWORD, USER, Registry, program, serving

from bench.installation import EXAMPLES, ROOT, Installation, until
from hythe.engine.port import Engine

pytestmark = [pytest.mark.docker, pytest.mark.e2e]

SERVER = 'RUN echo Ahoy >/www/index.html\nCMD ["httpd", "-f", "-p", "9000", "-h", "/www"]'


@pytest.fixture
def make_app(installation: Installation) -> Iterator[Callable[[str], str]]:
    made: list[str] = []

    def make(name: str) -> str:
        made.append(name)
        return name

    yield make
    for name in made:
        installation.hythe("apps:destroy", name, "--confirm", name)


@pytest.fixture(scope="module")
def registry(
    installation: Installation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Registry]:
    """A private registry that the installation is logged in to."""
    if program() is None:
        missing("registry", "Debian's package `docker-registry` is not installed.")
    with serving(tmp_path_factory.mktemp("registry")) as registry:
        login = f"{ROOT}/bin/hythe registry:login {registry.host} -u {USER} --password-stdin"
        installation.run("sh", "-c", f"printf %s {PASSWORD} | {login}")
        yield registry


@pytest.fixture
def image(
    engine: Engine, registry: Registry, tmp_path: Path
) -> Iterator[Callable[[str, str], str]]:
    """Pushes an image of these EXPOSE lines, and forgets it here; returns its name."""
    client = docker.from_env()
    made: list[str] = []

    def push(tag: str, exposed: str) -> str:
        text = f"FROM {busybox(engine).id}\nLABEL at={tmp_path}\n{exposed}\n{SERVER}\n"
        (tmp_path / "Dockerfile").write_text(text)
        built, _ = client.images.build(path=str(tmp_path), rm=True)
        made.append(registry.push(str(built.id), tag))
        return made[-1]

    yield push
    for name in made:  # what a deploy pulled has the installation's own name too
        with suppress(docker.errors.ImageNotFound):
            client.images.remove(name)
    client.close()


def test_an_image_serves_on_the_port_that_it_exposes(
    installation: Installation,
    make_app: Callable[[str], str],
    image: Callable[[str, str], str],
) -> None:
    app = make_app("image1")
    installation.hythe("apps:create", app)
    one, several = image("one:1", "EXPOSE 9000"), image("several:1", "EXPOSE 9000 9001")

    output = installation.hythe("deploy", "-a", app, "--image", one)
    assert "deployed (v1)" in output
    assert until(lambda: installation.get(app).text) == "Ahoy\n"
    assert "Built with:    image" in installation.hythe("apps:info", "-a", app)

    output = installation.hythe("deploy", "-a", app, "--image", several, fails=True)
    assert "(R10)" in output and "The image exposes 9000, 9001; it listens on" in output
    assert "`--port`" in output
    assert installation.get(app).text == "Ahoy\n"

    output = installation.hythe("deploy", "-a", app, "--image", several, "--port", "9000")
    assert "deployed (v3)" in output
    assert installation.get(app).text == "Ahoy\n"


def test_a_git_url_is_built_and_served(
    installation: Installation, make_app: Callable[[str], str], tmp_path: Path
) -> None:
    app = make_app("giturl1")
    installation.hythe("apps:create", app)
    upstream = Upstream(tmp_path / "served")
    shutil.copytree(EXAMPLES / "wsgi-bare", upstream.folder, dirs_exist_ok=True)
    commit = upstream.commit({})
    with http_server(tmp_path / "served") as server:
        url = f"{server.url}/shop.git"
        output = installation.hythe("deploy", "-a", app, "--git", url, "--ref", "main")
        assert f"-----> Fetching {url} at main" in output
        assert installation.get(app, "/x").text == "Hello from /x\n"
        release = json.loads(installation.hythe("releases", "-a", app, "--json"))[0]
        assert release["source"]["commit"] == commit
        output = installation.hythe("deploy", "-a", app, "--git", url, "--ref", "no", fails=True)
        assert "has no branch, tag or commit no" in output


def test_a_manifest_makes_an_app_and_then_changes_what_differs(
    installation: Installation,
    make_app: Callable[[str], str],
    image: Callable[[str, str], str],
    tmp_path: Path,
) -> None:
    app = make_app("applied1")
    text = (
        f"name: {app}\nsource: {{type: image, image: '{image('applied:1', 'EXPOSE 9000')}'}}\n"
        "env: {GREETING: Ahoy}\nformation: {web: {quantity: 2}}\n"
    )
    file = tmp_path / "app.yaml"
    file.write_text(text)

    output = installation.hythe("apply", str(file), "--dry-run")
    assert f"+ app: {app}" in output and "+ env.GREETING: [secret]" in output
    assert app not in installation.hythe("apps")

    output = installation.hythe("apply", str(file))
    assert "Starting web.1, web.2" in output
    assert installation.get(app).text == "Ahoy\n"
    assert "nothing to change" in installation.hythe("apply", str(file))
    assert len(json.loads(installation.hythe("releases", "-a", app, "--json"))) == 1

    file.write_text(text.replace("{GREETING: Ahoy}", "{OTHER: '1'}"))
    assert "Add --yes" in installation.hythe("apply", str(file), fails=True)
    output = installation.hythe("apply", str(file), "--yes")
    assert "- env.GREETING" in output and "deployed (v2)" in output
    assert installation.hythe("config:get", "OTHER", "-a", app) == "1\n"
