"""hythe deploy of other sources, apply, registry and git:deploy-key."""

import io
import json
from pathlib import Path

import pytest
from sqlalchemy import select

from hythe.model import Source, Vault

from ..live_api import ControlPlane
from .conftest import Hythe

pytestmark = pytest.mark.usefixtures("shop")

MANIFEST = """\
name: shop
source: {type: image, image: "ghcr.io/me/shop:1"}
env: {GREETING: Ahoy}
formation: {web: {quantity: 1}}
surprise: 1
"""


def newest(plane: ControlPlane) -> Source:
    with plane.database.read() as session:
        found = session.scalars(select(Source).order_by(Source.id.desc())).first()
    assert found is not None
    return found


def test_an_image_is_deployed_with_what_goes_along(
    hythe: Hythe, plane: ControlPlane, folder: Path
) -> None:
    (folder / "p").write_text("web: serve\n")
    (folder / "a.json").write_text('{"env": {"A": "1"}}')
    with plane.carrying_out():
        ran = hythe("deploy", "--image", "me/shop", "--procfile", "p", "--app-json", "a.json",
                    "--port", "8000", "-m", "Try it")  # fmt: skip
    assert ran.code == 0, ran.err
    source = newest(plane)
    assert (source.kind, source.location, source.procfile) == (
        "image",
        "me/shop:latest",
        "web: serve\n",
    )
    assert source.message == "Try it"
    sent = json.loads(Vault.open(plane.settings.key_file).unseal(source.app_json or b""))
    assert sent == {"env": {"A": "1"}, "healthchecks": {"web": [{"port": 8000}]}}


def test_the_working_directory_goes_along_with_other_files(
    hythe: Hythe, plane: ControlPlane, folder: Path
) -> None:
    (folder / "app.py").write_text("x" * 200_000)
    (folder / "p").write_text("web: été\n")
    with plane.carrying_out():
        ran = hythe("deploy", "--procfile", "p")
    assert ran.code == 0, ran.err
    source = newest(plane)
    assert (source.kind, source.procfile) == ("tarball", "web: été\n")
    assert (plane.settings.home / source.path / "app.py").stat().st_size == 200_000


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--image", "x", "--git", "https://h/x"), 2, "more than one source"),
        (("--ref", "main"), 2, "--ref belongs to --git"),
        (("--image", "x", "--procfile", "nosuch"), 1, "nosuch cannot be read"),
        (("--image", "UPPER"), 1, "lower case"),
        (("--git", "file:///etc"), 1, "file:// URLs are not allowed"),
        (("--commit", "abcdef1"), 1, "no commit abcdef1"),
    ],
)
def test_misuse_is_told(
    hythe: Hythe, folder: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    ran = hythe("deploy", *arguments)
    assert ran.code == code
    assert words in ran.err


def test_apply_shows_the_difference_and_asks_before_it_removes(
    hythe: Hythe, plane: ControlPlane, folder: Path
) -> None:
    (folder / "shop.yaml").write_text(MANIFEST)
    ran = hythe("apply", "shop.yaml", "--dry-run")
    assert ran.code == 0, ran.err
    assert "`surprise` is an unknown key" in ran.err
    assert ran.out.splitlines() == [
        "shop:",
        "  ~ source: commit None -> image ghcr.io/me/shop:1",
        "  + env.GREETING: [secret]",
    ]
    with plane.carrying_out():
        ran = hythe("apply", "shop.yaml")
    assert ran.code == 0, ran.err
    assert ran.out.endswith("shop matches shop.yaml\n")
    assert newest(plane).location == "ghcr.io/me/shop:1"

    (folder / "less.json").write_text(json.dumps({"env": {}}))
    ran = hythe("apply", "less.json")
    assert (ran.code, "removes env.GREETING" in ran.err) == (2, True)
    with plane.carrying_out():
        ran = hythe("apply", "less.json", "--yes", "--json")
    assert json.loads(ran.out)["deployment"]["status"] == "live"
    ran = hythe("apply", "less.json")
    assert ran.out == "shop matches already; there is nothing to change.\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [("a: [", "neither YAML nor JSON (line"), ("- a", "holds no object"), ("env: {A: 1}", "env.A")],
)
def test_apply_says_what_is_wrong_with_a_file(
    hythe: Hythe, folder: Path, text: str, words: str
) -> None:
    (folder / "x.yaml").write_text(text)
    ran = hythe("apply", "x.yaml")
    assert ran.code == 1
    assert words in ran.err


def test_registry_credentials_come_and_go(
    hythe: Hythe, plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("s3cr3t\n"))
    ran = hythe("registry:login", "ghcr.io", "-u", "ada", "--password-stdin", "--no-verify")
    assert ran.out == "Logging in to ghcr.io... done, checked at the next pull\n"
    listed = hythe("registry")
    assert "ghcr.io" in listed.out and "ada" in listed.out and "s3cr3t" not in listed.out
    assert hythe("registry:logout", "ghcr.io").code == 0
    assert hythe("registry:logout", "ghcr.io").code == 1


def test_the_deploy_key_is_printed_alone(hythe: Hythe) -> None:
    ran = hythe("git:deploy-key")
    assert ran.out.startswith("ssh-ed25519 ") and ran.out.count("\n") == 1
    assert hythe("git:deploy-key").out == ran.out
    assert hythe("git:deploy-key", "--rotate").out != ran.out
