from pathlib import Path

import pytest

from hythe.errors import PlatformError
from hythe.model import Vault


def test_the_key_file_is_private_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "key"
    sealed = Vault.open(path).seal("secret")
    assert path.stat().st_mode & 0o777 == 0o600
    assert b"secret" not in sealed
    assert Vault.open(path).unseal(sealed) == "secret"


def test_another_key_is_told_apart(tmp_path: Path) -> None:
    sealed = Vault.open(tmp_path / "one").seal("secret")
    with pytest.raises(PlatformError, match="key file"):
        Vault.open(tmp_path / "two").unseal(sealed)
