"""What uninstall knows an installation by."""

import secrets
from pathlib import Path

import pytest

from hythe.admin.uninstall import remove
from hythe.engine.port import Engine
from hythe.errors import PlatformError
from hythe.model import Vault
from hythe.model.identity import Record
from hythe.names import Names
from hythe.settings import Settings


@pytest.mark.docker
def test_the_engine_is_cleared_without_the_database(tmp_path: Path, engine: Engine) -> None:
    """HYTHE_DATABASE_URL is not set, or its server is away."""
    settings = Settings(home=tmp_path)
    Vault.open(settings.key_file)
    names = Names(secrets.token_hex(3))
    where = "postgresql://hythe@127.0.0.1:1/hythe"
    Record(names.installation, 1, where).save(settings)
    engine.instances.ensure_network(
        names.network(1), names.bridge(1), ["10.207.251.0/24", "10.207.252.0/24"], names.labels
    )
    said: list[str] = []
    try:
        remove(settings, said.append)
        assert engine.instances.list_networks(names.labels) == []
    finally:
        engine.instances.remove_network(names.network(1))
    assert "1 networks" in said[0]
    assert said[1:] == [f"{where} keeps its tables; drop it yourself"]


def test_a_home_that_does_not_know_its_id_stays(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    Vault.open(settings.key_file)
    with pytest.raises(PlatformError, match="no database in"):
        remove(settings, lambda _text: None)
