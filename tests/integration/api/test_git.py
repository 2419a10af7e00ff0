"""git with its stock client against the API."""

import os
import subprocess
from pathlib import Path

import httpx
import pytest
from builders import make_app

from hythe.api.actor import Scope

from .live_api import ControlPlane


@pytest.fixture
def repository(plane: ControlPlane, tmp_path: Path) -> Path:
    """A repository with one commit, and an app to push it to."""
    with plane.database.write() as tx:
        make_app(tx)
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "app.py").write_text("print()")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "Say it")
    return folder


def git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder.parent),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        **{f"GIT_{who}_NAME": "Someone" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "someone@example.com" for who in ("AUTHOR", "COMMITTER")},
    }
    return subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def remote(plane: ControlPlane, scope: Scope, app: str = "shop") -> str:
    return f"{plane.url.replace('//', f'//hythe:{plane.token(scope)}@')}/{app}.git"


def test_a_push_becomes_a_deployment_of_the_tokens_owner(
    plane: ControlPlane, api: httpx.Client, repository: Path
) -> None:
    with plane.carrying_out():
        pushed = git(repository, "push", remote(plane, "deploy"), "main")
    assert pushed.returncode == 0, pushed.stderr
    assert "remote: -----> Starting web.1" in pushed.stderr
    (deployment,) = api.get("/v1/apps/shop/deployments").json()["items"]
    assert (deployment["kind"], deployment["created_by"]) == ("push", "tester")
    assert deployment["source"]["message"] == "Say it"
    listed = git(repository, "ls-remote", remote(plane, "read"))
    assert "refs/heads/main" in listed.stdout


def test_a_failed_deployment_rejects_the_push(plane: ControlPlane, repository: Path) -> None:
    with plane.carrying_out(("build", "It broke.", "Mend it.")):
        pushed = git(repository, "push", remote(plane, "deploy"), "main")
    assert pushed.returncode != 0
    assert "remote:  !     It broke." in pushed.stderr
    assert "[remote rejected]" in pushed.stderr


def test_a_read_token_does_not_push(plane: ControlPlane, repository: Path) -> None:
    pushed = git(repository, "push", remote(plane, "read"), "main")
    assert pushed.returncode != 0
    assert "This needs the scope deploy" in pushed.stderr


def test_a_push_to_no_app_says_so(plane: ControlPlane, repository: Path) -> None:
    pushed = git(repository, "push", remote(plane, "deploy", "chop"), "main")
    assert "remote: There is no app 'chop'." in pushed.stderr


def test_a_push_without_a_token_is_refused(plane: ControlPlane, repository: Path) -> None:
    pushed = git(repository, "push", f"{plane.url}/shop.git", "main")
    assert pushed.returncode != 0
    assert "could not read Username" in pushed.stderr


def test_other_services_do_not_exist(api: httpx.Client, repository: Path) -> None:
    answers = [
        api.get("/shop.git/info/refs"),
        api.get("/shop.git/info/refs", params={"service": "git-shell"}),
        api.get("/shop.git/HEAD"),
        api.post("/shop.git/git-upload-archive"),
        api.get("/shop.git/objects/info/packs"),
    ]
    assert [answer.status_code for answer in answers] == [422, 404, 405, 404, 404]
