"""Third-party buildpacks on a real engine, classic and Cloud Native ones."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from integration.build.conftest import Builds
from integration.build.running import running

from hythe.build import detect
from hythe.model import Build

pytestmark = [
    pytest.mark.docker,
    pytest.mark.usefixtures("impatient", "stage"),
    pytest.mark.one_database("it is about containers"),
]
FIXTURES = Path(__file__).parents[2] / "buildpacks"
COMMIT = "c" * 40
Pin = Callable[..., dict[str, str]]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Detection may take a second in the test of one that hangs; builds are forked after this."""
    if "cnb-hangs" in request.node.name:
        monkeypatch.setattr(detect, "DETECT_SECONDS", 1)


@pytest.fixture
def pin(builds: Builds) -> Pin:
    """Lays a fixture out as source/ does, and says what a source has of it then."""

    def pin(name: str, **more: str) -> dict[str, str]:
        folder = builds.settings.home / "sources" / name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(FIXTURES / name, folder)
        url = f"https://example.com/{name}"
        return {"kind": "git", "name": url, "commit": COMMIT, "tree": name, **more}

    return pin


def output(builds: Builds, build: Build, process: str, script: str) -> str:
    """What a script prints in an instance of the process."""
    assert build.processes is not None
    line = {**build.processes, process: script}
    build.processes = line
    with running(builds, build, process) as container:
        assert builds.engine.instances.wait(container.id, 30) is not None
        return "\n".join(builds.engine.instances.logs(container.id))


def test_classic_buildpacks_run_by_their_own_contract(builds: Builds, pin: Pin) -> None:
    builds.configure("GREETING", "hello there", build=True)
    chosen = [pin("classic-tool"), pin("classic-app")]
    files = {"tool.txt": "hammer", "Procfile": "worker: mine\n", ".profile": "export LAST=$ORDER"}
    deployment, build = builds.build(files, chosen)
    said = builds.transcript(deployment.id)
    assert deployment.status == "built", said
    assert "-----> Tool app detected" in said
    assert "build=/app home=/app stack=hythe-bookworm request=set" in said
    assert "env=GREETING GREETING=[secret] exported=no" in said
    assert "FROM_TOOL=yes" in said and "tool says hammer" in said
    assert build.processes == {"web": "tool", "worker": "mine"}
    assert (build.result or {})["buildpacks"][0] == {
        "id": "classic-tool",
        "version": COMMIT[:12],
        "pin": {**chosen[0], "place": "group"},
    }
    script = 'echo "$HOME $PWD $TOOL_MODE $ORDER $LAST"; tool'
    assert output(builds, build, "web", script) == "/app /app quiet 12 12\ntool says hammer"

    again, second = builds.build({**files, "tool.txt": "saw"}, chosen)
    assert "Using the cached tool" in builds.transcript(again.id)
    assert output(builds, second, "web", "tool") == "tool says saw"

    refused = builds.fail({"other.txt": "x"}, chosen)
    assert refused.error_code == "no-buildpack"
    assert "classic-tool: There is no tool.txt in other.txt" in (refused.error_cause or "")


def test_a_cnb_buildpack_makes_layers_processes_and_an_environment(
    builds: Builds, pin: Pin
) -> None:
    build = builds.succeed({"words.txt": "many words\n", "Dockerfile": "x"}, [pin("cnb-words")])
    assert build.processes == {"web": "words", "worker": "cd /tmp && words 'a b'"}
    assert output(builds, build, "web", 'words; echo "$LIST $KIND $MADE"') == (
        "many words\none web by exec.d"
    )
    again, second = builds.build({"words.txt": "other words"}, [pin("cnb-words")])
    assert "Reusing the words of the image" in builds.transcript(again.id)
    assert output(builds, second, "web", "words") == "other words"
    assert output(builds, build, "worker", 'echo "$KIND$WORKER"') == "yes"
    image = builds.engine.images.find(build.image or "")
    assert image is not None and image.labels["org.example.words"] == "many"
    assert image.command == ("words",)
    about = json.loads(image.labels["io.buildpacks.lifecycle.metadata"])
    (words,) = about["buildpacks"]
    assert (words["key"], words["store"]) == ("test/words", {"metadata": {"runs": "kept"}})
    shas = {layer["sha"] for layer in words["layers"].values() if layer["launch"]}
    assert shas and shas | {each["sha"] for each in about["app"]} <= set(image.layers)
    assert about["runImage"]["topLayer"] in image.layers
    made = json.loads(image.labels["io.buildpacks.build.metadata"])
    assert {each["type"]: each.get("buildpackID") for each in made["processes"]} == {
        "web": "test/words", "worker": "test/words",
    }  # fmt: skip
    project = json.loads(image.labels["io.buildpacks.project.metadata"])
    assert project["source"]["version"] == {"tree": "t"}


def test_equal_sources_give_one_image_whatever_the_cache_holds(builds: Builds, pin: Pin) -> None:
    files = {"words.txt": "many words\n", "docs/a.md": "a", "docs/b/c.md": "c"}
    first = builds.succeed(files, [pin("cnb-words")])
    second = builds.succeed(files, [pin("cnb-words")])
    shutil.rmtree(builds.settings.home / "cache")
    cold = builds.succeed(files, [pin("cnb-words")])
    said = builds.transcript(builds.newest())
    assert 'Stored: runs = "kept"' in said, "by the label of the last image"
    assert "Making the words" in said
    assert first.image == second.image == cold.image
    other = builds.succeed({**files, "words.txt": "other\n"}, [pin("cnb-words")])
    layers = [
        image.layers
        for each in (first, other)
        if (image := builds.engine.images.find(each.image or "")) is not None
    ]
    assert layers[0][:-1] == layers[1][:-1] and layers[0][-1] != layers[1][-1]
    assert output(builds, other, "web", "words; ls /workspace/docs/b") == "other\nc.md"
    assert output(builds, other, "web", "/cnb/process/worker x 'y z'") == "other"


def test_project_toml_decides_files_environment_and_scripts(builds: Builds) -> None:
    script = 'echo "KEY is $KEY, LEVEL is $LEVEL"; ls; cat > "$CNB_LAYERS_DIR/launch.toml" <<END\n'
    script += '[[processes]]\ntype = "web"\ncommand = ["cat", "left.txt"]\nEND'
    builds.configure("LEVEL", "of config", build=True)
    project = (
        '[build]\nexclude = ["*.md"]\n[[build.env]]\nname = "KEY"\nvalue = "of the file"\n'
        '[[build.env]]\nname = "LEVEL"\nvalue = "of the file"\n'
    )
    files = {"project.toml": project, "left.txt": "left", "gone.md": "gone"}
    pin = {"kind": "inline", "name": "me/inline", "script": {"inline": script}}
    deployment, build = builds.build(files, [pin])
    said = builds.transcript(deployment.id)
    assert deployment.status == "built", said
    assert "KEY is of the file, LEVEL is [secret]" in said
    assert "gone.md" not in said
    assert build.processes == {"web": "cat left.txt"}


REFUSED = {
    "cnb-needs": ("no-buildpack", "test/needs@1 requires jdk"),
    "cnb-hangs": ("build", "Detection by test/hangs did not end within 1 s"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_buildpack_that_cannot_be_used_is_refused(builds: Builds, pin: Pin, name: str) -> None:
    code, cause = REFUSED[name]
    refused = builds.fail({"words.txt": "x"}, [pin(name), pin("cnb-words")])
    assert refused.error_code == code and cause in (refused.error_cause or "")
    assert refused.error_fix and builds.containers() == []


LAYER = "cd $CNB_LAYERS_DIR; mkdir odd; printf '[types]\\nlaunch = true\\n' >odd.toml; "
LEFT = {
    "a pipe": (LAYER + "mkfifo odd/pipe", "pipe in the layer me_inline/odd is a device, a pipe"),
    "a link out": (
        LAYER + "ln -s /platform/env/KEY odd/key", "is a link to /platform/env/KEY, which is not",
    ),
    "malformed TOML": ("echo x = >$CNB_LAYERS_DIR/launch.toml", "launch.toml is not valid TOML"),
    "a layer without its folder": (
        LAYER + "rmdir odd", "declares the layer odd, but made no folder",
    ),
    "flags at the top": (
        "echo launch = true >$CNB_LAYERS_DIR/odd.toml", "`launch` at the top level",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LEFT)
def test_a_build_that_leaves_what_no_image_can_have_fails(builds: Builds, name: str) -> None:
    script, cause = LEFT[name]
    pin = {"kind": "inline", "name": "me/inline", "script": {"inline": script}}
    deployment = builds.fail({"a.txt": "a", "Procfile": "web: true\n"}, [pin])
    assert cause in (deployment.error_cause or "")
    assert deployment.error_fix and builds.containers() == []
