"""Which Debian an app gets, and what its base images are made from."""

import pytest
from builders import make_app, make_deployment

from hythe.build import stack
from hythe.build.claim import Claims
from hythe.errors import BuildError
from hythe.model import ConfigVar, Database, Source, Vault
from hythe.settings import Settings
from hythe.suite import DEFAULT, SUITES


@pytest.mark.parametrize(
    ("env", "name"),
    [({}, "bookworm"), ({"BP_STACK": ""}, "bookworm"), ({"BP_STACK": "trixie"}, "trixie"),
     ({"BP_STACK": " hythe-trixie\n"}, "trixie")],
)  # fmt: skip
def test_the_environment_chooses(env: dict[str, str], name: str) -> None:
    assert stack.chosen(env).name == name


def test_a_stack_that_is_none_lists_those_that_are() -> None:
    with pytest.raises(BuildError, match="BP_STACK is 'jessie'") as raised:
        stack.chosen({"BP_STACK": "jessie"})
    assert "bookworm, trixie" in raised.value.fix


def test_each_suite_has_its_own_recipe() -> None:
    one, other = (stack.recipe(suite) for suite in SUITES.values())
    assert set(one.packages("run")) - set(other.packages("run")) == {"python3-distutils"}
    assert one.packages("build") == other.packages("build")
    assert {"curl", "jq", "unzip", "xz-utils", "zip"} <= set(one.packages("build"))
    assert one.digest() != other.digest()
    assert one.reference("run").startswith("hythe-stack/run:bookworm-")
    assert other.reference("build").startswith("hythe-stack/build:trixie-")


@pytest.mark.parametrize(
    ("app_json", "config", "expected"),
    [
        ('{"stack": "trixie"}', None, "trixie"),
        ('{"stack": "trixie", "env": {"BP_STACK": "bookworm"}}', None, "bookworm"),
        ('{"stack": "trixie"}', "bookworm", "bookworm"),
        ('{"stack": "heroku-24"}', None, DEFAULT.name),
        (None, "trixie", "trixie"),
    ],
)
@pytest.mark.one_database("it is about which value wins")
def test_config_comes_before_app_json(
    settings: Settings,
    database: Database,
    app_json: str | None,
    config: str | None,
    expected: str,
) -> None:
    vault = Vault.open(settings.key_file)
    (settings.home / "source").mkdir()
    with database.write() as tx:
        app = make_app(tx)
        source = Source(app_id=app.id, kind="tarball", path="source", created_by="test")
        source.app_json = vault.seal(app_json) if app_json else None
        tx.add(source)
        if config is not None:
            tx.add(ConfigVar(app_id=app.id, key="BP_STACK", value=vault.seal(config)))
        tx.flush()
        make_deployment(tx, app, status="queued").source_id = source.id
    claim = Claims(settings, database, vault).take()
    assert claim is not None
    assert stack.chosen(claim.env).name == expected
