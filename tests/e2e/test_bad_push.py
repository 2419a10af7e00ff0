"""Pushes that must be refused: the cause and the fix are said, and the old release goes on."""

from pathlib import Path

import pytest

from bench.installation import Installation, Project

pytestmark = [pytest.mark.e2e, pytest.mark.docker]

GOOD = (
    "def application(environ, start_response):\n"
    "    start_response('200 OK', [])\n"
    "    return [b'good']\n"
)


@pytest.fixture(scope="module")
def project(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """An app whose first release is good."""
    folder = tmp_path_factory.mktemp("bad") / "app"
    project = installation.project("bad-push", "wsgi-bare", folder)
    project.push()
    return project


def push_files(project: Project, **files: str | None) -> str:
    """Replace the project's files, push, expect a refusal, and return what was printed."""
    for path in project.folder.iterdir():
        if path.is_file():
            path.unlink()
    for name, text in files.items():
        if text is not None:
            (project.folder / name.replace("__", ".")).write_text(text)
    project.commit("Break it")
    return project.push(fails=True)


def assert_old_release_serves(project: Project) -> None:
    assert project.get("/still").text == "Hello from /still\n"


# What a build refuses is in tests/integration/build; here is one, and what fails after it.
CASES = {
    "no buildpack matches": (
        {"notes__txt": "nothing"},
        ["requirements.txt", "Dockerfile"],
        "build failed",
    ),
    "a syntax error": (
        {
            "wsgi__py": "def application(:\n",
            "Procfile": "web: gunicorn wsgi:application\n",
            "requirements__txt": "gunicorn==27.0.1\n",
        },
        ["SyntaxError"],
        "never became healthy",
    ),
    "an error at import": (
        {
            "wsgi__py": "import no_such_module\n" + GOOD,
            "Procfile": "web: gunicorn wsgi:application\n",
            "requirements__txt": "gunicorn==27.0.1\n",
        },
        ["no_such_module", "H10"],
        "never became healthy",
    ),
    "an app that never binds its port": (
        {"wsgi__py": GOOD, "Procfile": "web: sleep 600\n"},
        ["R10", "$PORT"],
        "never became healthy",
    ),
    "an app that binds the wrong port": (
        {"wsgi__py": GOOD, "Procfile": "web: python3 -m http.server 8123 --bind 127.0.0.1\n"},
        ["R10", "127.0.0.1:8123", "0.0.0.0:$PORT"],
        "never became healthy",
    ),
    "an app that answers with errors": (
        {
            "wsgi__py": GOOD.replace("200 OK", "500 No"),
            "Procfile": "web: gunicorn wsgi:application\n",
            "requirements__txt": "gunicorn==27.0.1\n",
        },
        ["answered 500 on /"],
        "never became healthy",
    ),
    "a command that does not exist": (
        {"wsgi__py": GOOD, "Procfile": "web: no-such-command\n"},
        ["no-such-command"],
        "never became healthy",
    ),
    "a release phase that fails": (
        {"wsgi__py": GOOD, "Procfile": "web: sleep 1\nrelease: echo preparing; exit 7\n"},
        ["preparing", "exited with 7"],
        "release phase failed",
    ),
}


SLOW = ("a syntax error", "an app that never binds its port", "an app that answers with errors")
"""Left to bin/chaos: each is like another one, and waits for a boot time to pass."""


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=pytest.mark.chaos if case in SLOW else ()) for case in CASES],
)
def test_a_bad_push_says_why_and_the_old_release_serves(project: Project, case: str) -> None:
    files, said, reason = CASES[case]
    output = push_files(project, **files)
    for words in said:
        assert words in output, output
    assert "[remote rejected]" in output
    assert reason in output, output
    assert "v1 still serves" in output, output
    assert "remote:  !     " in output
    assert_old_release_serves(project)


def test_another_branch_is_refused_with_the_one_that_deploys(
    project: Project, tmp_path: Path
) -> None:
    output = project.push("HEAD:refs/heads/feature", fails=True)
    assert "main" in output
    assert_old_release_serves(project)


def test_a_first_push_that_fails_says_that_nothing_serves(
    installation: Installation, tmp_path: Path
) -> None:
    project = installation.project("never-good", "wsgi-bare", tmp_path / "app")
    (project.folder / "Procfile").write_text("web: exit 1\n")
    project.commit("Break it")
    output = project.push(fails=True)
    assert "nothing serves yet" in output
    assert project.get().status == 503
    assert project.get().headers["hythe-error"] in ("H10", "H14")
