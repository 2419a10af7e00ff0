"""Apps that cannot be built: each failure names its cause and the fix."""

import pytest
from integration.build.conftest import Builds

from hythe.model import Deployment

pytestmark = [
    pytest.mark.docker,
    pytest.mark.usefixtures("stage"),
    pytest.mark.one_database("it is about containers"),
]

BARE = "def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'']\n"

BAD = {
    "nothing matches": ({"README": "x"}, "no-buildpack", "looked for requirements.txt"),
    "misspelt requirements": ({"requirement.txt": "x"}, "no-buildpack", "There is requirement.txt"),
    "unknown package": (
        {"requirements.txt": "flask\nno-such-package-hythe-x1\n", "app.py": BARE},
        "build",
        "no-such-package-hythe-x1, which no package index has",
    ),
    "not a requirement": (
        {"requirements.txt": "flask ==== 1\n", "app.py": BARE}, "build", "not a requirement",
    ),
    "two locks": (
        {"requirements.txt": "", "uv.lock": "", "pyproject.toml": ""}, "build", "both",
    ),
    "dependencies without a lock": (
        {"pyproject.toml": '[project]\nname = "x"\ndependencies = ["flask"]'}, "build", "no lock",
    ),
    "another python": (
        {"app.py": BARE, ".python-version": "3.99"}, "build", "asks for Python 3.99",
    ),
    "no callable": ({"app.py": "print('hello')\n"}, "build", "no Procfile"),
    "bad procfile line": ({"app.py": BARE, "Procfile": "web serve"}, "procfile", "line 1"),
    "duplicate type": (
        {"app.py": BARE, "Procfile": "web: a\n# x\nweb: b"}, "procfile", "line 3 declares `web`",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_app_fails_with_cause_and_fix(builds: Builds, name: str) -> None:
    files, code, cause = BAD[name]
    deployment = builds.fail(files)
    assert deployment.error_code == code
    assert cause in (deployment.error_cause or "")
    assert deployment.error_fix
    assert builds.containers() == []
    assert not (builds.settings.home / "builds" / str(deployment.build_id)).exists()


def test_a_utf16_requirements_file_is_named_as_such(builds: Builds) -> None:
    deployment = builds.queue({"app.py": BARE})
    builds.wait(deployment, until=lambda each: each.status == "built")
    (builds.source / "requirements.txt").write_text("flask\n", encoding="utf-16")
    with builds.database.write() as tx:
        old = tx.get_one(Deployment, deployment)
        new = Deployment(
            app_id=old.app_id, kind="upload", source_id=old.source_id, created_by="test"
        )
        tx.add(new)
        tx.poke(old.app_id)
        tx.flush()
    ended = builds.wait(new.id, until=lambda each: each.status in ("built", "failed"))
    assert "UTF-16" in (ended.error_cause or "")


def test_the_old_cache_survives_a_failed_build(builds: Builds) -> None:
    good = {"requirements.txt": "bottle\n", "app.py": BARE}
    builds.succeed(good)
    builds.fail(good | {"requirements.txt": "bottle\nno-such-package-hythe-x1\n"})
    deployment, _ = builds.build(good)
    assert deployment.status == "built"
    # The failed build had cleared the environment, so it was made again, not reused half-way.
    assert "unchanged" not in builds.transcript(deployment.id)
