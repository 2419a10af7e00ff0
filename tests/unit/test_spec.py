import pytest
from builders import RESULT

from hythe.appjson import Check
from hythe.model import Build
from hythe.settings import Settings
from hythe.spec import PORT, ReleaseSpec


def frozen(settings: Settings, check: Check | None = None, **result: object) -> ReleaseSpec:
    build = Build(result={**RESULT, "kind": "image", **result}, processes={"web": "a 'b c'"})
    return ReleaseSpec.freeze(build, None, settings, check)


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
