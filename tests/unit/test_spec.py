from dataclasses import replace

import pytest
from builders import RESULT

from hythe.appjson import AppJson, Check
from hythe.model import App, Build, Release
from hythe.settings import Settings
from hythe.spec import PORT, ReleaseSpec, environment


def frozen(settings: Settings, check: Check | None = None, **result: object) -> ReleaseSpec:
    build = Build(result={**RESULT, "kind": "image", **result}, processes={"web": "a 'b c'"})
    about = AppJson(healthchecks={"web": [check]}) if check else None
    return ReleaseSpec.freeze(build, None, settings, about)


@pytest.mark.parametrize(
    ("exposed", "check", "port"),
    [
        ([], Check(), PORT),
        ([80], Check(), 80),
        ([80, 81], Check(), PORT),
        ([80, 81], Check(port=81), 81),
        ([80], Check(port=90), 90),
    ],
)
def test_the_port_of_an_image(
    settings: Settings, exposed: list[int], check: Check, port: int
) -> None:
    assert frozen(settings, check, exposed=exposed).port == port


def test_what_buildpacks_expose_does_not_count(settings: Settings) -> None:
    spec = frozen(settings, kind="buildpacks", exposed=[80])
    assert (spec.port, spec.exposed) == (PORT, ())


def test_a_command_runs_in_the_shell_of_the_image_or_as_words(settings: Settings) -> None:
    assert frozen(settings, launch=["/bin/sh", "-c"]).invocation("web") == (
        ("/bin/sh", "-c"),
        ("a 'b c'",),
    )
    assert frozen(settings, launch=[]).invocation("web") == (("a",), ("b c",))


@pytest.mark.parametrize(
    ("memory", "cpus", "workers"),
    [(512, 1.0, "2"), (100, 1.0, "1"), (4096, 1.0, "4"), (4096, 0.25, "1"), (4096, 2.0, "8")],
)
def test_workers_follow_the_limits(
    settings: Settings, memory: int, cpus: float, workers: str
) -> None:
    spec = replace(frozen(settings), memory=memory << 20, cpus=cpus)
    given = environment(spec, App(name="shop"), Release(version=1), {}, "web.1")
    assert given["WEB_CONCURRENCY"] == workers
    own = environment(spec, App(name="shop"), Release(version=1), {"WEB_CONCURRENCY": "3"}, "web.1")
    assert own["WEB_CONCURRENCY"] == "3"
