"""Real Node.js apps, built by the stage, and started as instances are."""

import json
import subprocess
import urllib.error

import pytest
from integration.build.conftest import Builds
from integration.build.running import get, running

from hythe.model import Build, Deployment

pytestmark = [
    pytest.mark.docker,
    pytest.mark.usefixtures("stage"),
    pytest.mark.one_database("it is about containers"),
]

SERVER = """
const http = require('http')
const { serialize } = require('cookie')
const answer = () => `${serialize('a', 'one')} ${process.version} ${process.env.NODE_ENV}`
http.createServer((_, response) => response.end(answer())).listen(process.env.PORT)
"""
COOKIE = {"cookie": "1.0.2"}


def package(**fields: object) -> str:
    return json.dumps({"name": "shop", "version": "1.0.0", **fields})


def lock(**fields: object) -> str:
    """A package-lock.json of these fields with cookie in it, which has no dependencies."""
    root = json.loads(package(**fields))
    return json.dumps(
        {
            "name": "shop",
            "version": "1.0.0",
            "lockfileVersion": 3,
            "requires": True,
            "packages": {"": root, "node_modules/cookie": {"version": COOKIE["cookie"]}},
        }
    )


APP = {"dependencies": COOKIE, "scripts": {"start": "node server.js"}}
FILES = {"package.json": package(**APP), "package-lock.json": lock(**APP), "server.js": SERVER}


def test_a_code_only_push_reuses_node_and_its_modules(builds: Builds) -> None:
    first = builds.succeed(FILES)
    assert first.processes == {"web": "npm start"}
    with running(builds, first) as container:
        answer = get(builds, container)
        assert answer.startswith("a=one v24.")
        assert answer.endswith(" production")
    deployment, second = builds.build(FILES | {"server.js": SERVER.replace("one", "two")})
    text = builds.transcript(deployment.id)
    assert "package-lock.json unchanged, reusing the production dependencies" in text
    assert "Installing" not in text
    with running(builds, second) as container:
        assert get(builds, container).startswith("a=two")


def test_another_version_of_node_comes_from_the_registry(builds: Builds) -> None:
    fields = APP | {"engines": {"node": "20.x"}}
    build = builds.succeed(
        {
            "package.json": package(**fields),
            "package-lock.json": lock(**fields),
            "server.js": SERVER,
        }
    )
    with running(builds, build) as container:
        assert " v20." in get(builds, container)


def test_a_version_that_does_not_exist_is_refused_with_those_that_do(builds: Builds) -> None:
    fields = APP | {"engines": {"node": "999.x"}}
    deployment = builds.fail({"package.json": package(**fields), "server.js": SERVER})
    assert "engines.node in package.json asks for Node.js 999.x" in (deployment.error_cause or "")
    assert "22.x, 23.x, 24.x" in (deployment.error_fix or "")


def test_a_site_that_a_build_makes_is_served_without_node(builds: Builds) -> None:
    script = "mkdir -p dist && node -e \"console.log(require('cookie').serialize('b','2'))\""
    scripts = {
        "build": f"cat prebuilt && {script} > dist/index.html",
        "heroku-prebuild": "echo before >prebuilt",
        "heroku-cleanup": "cp prebuilt dist/after.txt",
    }
    fields = {"devDependencies": COOKIE, "scripts": scripts}
    build = builds.succeed({"package.json": package(**fields), "package-lock.json": lock(**fields)})
    with running(builds, build) as container:
        assert get(builds, container) == "b=2\n"
        assert get(builds, container, "/after.txt") == "before\n"
    image = builds.engine.images.find(build.image or "")
    assert image
    assert "node_modules" not in saved_names(image.id)


def test_assets_of_a_python_app_are_built_by_node(builds: Builds) -> None:
    fields = {"scripts": {"build": "mkdir -p static && echo made > static/site.css"}}
    code = (
        'def app(e, s):\n    s("200 OK", [])\n    return [open("static/site.css", "rb").read()]\n'
    )
    build = builds.succeed({"package.json": package(**fields), "app.py": code})
    with running(builds, build) as container:
        assert get(builds, container) == "made\n"


def saved_names(image: str) -> str:
    program = "find / -xdev -maxdepth 4 -name node_modules || true"
    command = ["docker", "run", "--rm", "--entrypoint", "/bin/sh", image, "-c", program]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    ("files", "cause", "fix"),
    [
        ({"package.json": "{"}, "not valid JSON", "Correct package.json"),
        ({"yarn.lock": "# yarn lockfile v1\n"}, "only one can decide", "delete the other"),
        (
            {"package.json": package(dependencies={"cookie": "0.5.0"})},
            "package-lock.json does not fit package.json",
            "npm install",
        ),
        (
            {
                "package.json": package(dependencies={"hythe-no-such-package-1": "1.0.0"}),
                "package-lock.json": None,
            },
            "hythe-no-such-package-1",
            "Correct it in package.json",
        ),
        (
            {"package.json": package(**APP | {"scripts": {"build": "exit 3"}})},
            "The script `build` of package.json failed with exit code 3",
            "npm run build",
        ),
        (
            {"package.json": package(dependencies=COOKIE), "server.js": None, "index.js": "1"},
            "nothing to serve",
            '"start": "node index.js"',
        ),
    ],
    ids=["json", "locks", "out-of-sync", "unknown", "script", "nothing"],
)
def test_what_cannot_be_built_says_why(
    builds: Builds, files: dict[str, str | None], cause: str, fix: str
) -> None:
    given = {name: text for name, text in {**FILES, **files}.items() if text is not None}
    if "scripts" in (files.get("package.json") or "") or files.get("server.js", "") is None:
        given["package-lock.json"] = lock(**json.loads(given["package.json"]))
    deployment = builds.fail(given)
    assert cause in (deployment.error_cause or "")
    assert fix in (deployment.error_fix or "")


YARN_LOCK = '# yarn lockfile v1\n\ncookie@1.0.2:\n  version "1.0.2"\n'
PNPM_LOCK = """lockfileVersion: '9.0'
settings:
  autoInstallPeers: true
  excludeLinksFromLockfile: false
importers:
  .:
    dependencies:
      cookie:
        specifier: 1.0.2
        version: 1.0.2
packages:
  cookie@1.0.2:
    resolution: {integrity: INTEGRITY}
    engines: {node: '>=18'}
snapshots:
  cookie@1.0.2: {}
""".replace(
    "INTEGRITY",
    "sha512-9Kr/j4O16ISv8zBBhJoi4bXOYNTkFLOqSL3UDB0njXxCXNezjeyVrJyGOWtg"
    "fs/q2km1gwBcfH8q1yEGoMYunA==",
)


@pytest.mark.parametrize(
    ("name", "text"),
    [("yarn.lock", YARN_LOCK), ("pnpm-lock.yaml", PNPM_LOCK)],
    ids=["yarn", "pnpm"],
)
def test_other_package_managers_install_by_their_lockfile(
    builds: Builds, name: str, text: str
) -> None:
    build = builds.succeed({"package.json": FILES["package.json"], name: text, "server.js": SERVER})
    with running(builds, build) as container:
        assert get(builds, container).startswith("a=one")


def test_a_static_site(builds: Builds) -> None:
    files = {"index.html": "home", "about.html": "about", "404.html": "lost", ".env": "SECRET=1"}
    build = builds.succeed(files)
    with running(builds, build) as container:
        assert get(builds, container) == "home"
        assert get(builds, container, "/about") == "about"
        for path in ("/missing", "/.env"):
            with pytest.raises(urllib.error.HTTPError) as error:
                get(builds, container, path)
            assert (error.value.code, error.value.read()) == (404, b"lost")


def test_a_procfile_app_with_a_debian_package(builds: Builds) -> None:
    files = {
        "Procfile": "web: ./serve\n",
        "Aptfile": "jq  # JSON\n",
        "serve": "#!/bin/bash\njq -n 1+1 > index.html; exec python3 -m http.server $PORT\n",
    }
    deployment = builds.queue(files)
    (builds.source / "serve").chmod(0o755)
    builds.wait(deployment, until=lambda each: each.status in ("built", "failed"))
    with builds.database.read() as tx:
        build = tx.get_one(Build, tx.get_one(Deployment, deployment).build_id)
    with running(builds, build) as container:
        assert get(builds, container, "/index.html") == "2\n"


def test_a_package_that_debian_does_not_have_is_named(builds: Builds) -> None:
    deployment = builds.fail({"Aptfile": "no-such-package\n", "Procfile": "web: x\n"})
    assert deployment.error_cause == "Debian 12 has no package no-such-package."
