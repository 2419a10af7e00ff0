import json
from pathlib import Path

import pytest
from builders import make_app
from integration.route.pki import make_certificate

from ..live_api import ControlPlane
from .conftest import Hythe


@pytest.fixture
def files(plane: ControlPlane, tmp_path: Path) -> tuple[str, str]:
    with plane.database.write() as tx:
        make_app(tx, "shop")
    pair = make_certificate("shop.localhost")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_text(pair.chain)
    key.write_text(pair.key)
    return str(chain), str(key)


def test_certificates_are_added_listed_and_removed(hythe: Hythe, files: tuple[str, str]) -> None:
    added = hythe("certs:add", *files, "-a", "shop")
    assert added.out == "Adding a certificate to shop... done, for shop.localhost\n"
    assert "shop.localhost" in hythe("certs", "-a", "shop").out
    (only,) = json.loads(hythe("certs", "-a", "shop", "--json").out)
    assert only["serves"] == ["shop.localhost"]
    removed = hythe("certs:remove", "shop.localhost", "-a", "shop")
    assert removed.out == "Removing the certificate for shop.localhost from shop... done\n"
    assert json.loads(hythe("certs", "-a", "shop", "--json").out) == []


def test_a_file_that_cannot_be_read_is_named(hythe: Hythe, files: tuple[str, str]) -> None:
    failed = hythe("certs:add", "nowhere.pem", files[1], "-a", "shop")
    assert failed.code != 0
    assert "nowhere.pem" in failed.err
