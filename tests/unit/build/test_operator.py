"""What of the operator's settings reaches build containers."""

from pathlib import Path

from hythe.build.operator import MOUNTED_BUNDLE, registries


def test_pip_configuration_means_the_same_to_uv(tmp_path: Path) -> None:
    file = tmp_path / "pip.conf"
    file.write_text(
        "[global]\nindex-url = https://one/simple\nextra-index-url =\n  https://two/s\n"
    )
    env = registries({}, (file,)).env
    assert env["PIP_INDEX_URL"] == env["UV_DEFAULT_INDEX"] == "https://one/simple"
    assert env["UV_INDEX"] == "https://two/s"
    assert env["UV_INDEX_STRATEGY"] == "unsafe-best-match"


def test_the_environment_wins_over_files(tmp_path: Path) -> None:
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nindex-url = https://file/simple\n")
    host = {"PIP_INDEX_URL": "https://env/simple", "UV_DEFAULT_INDEX": "https://uv/simple"}
    env = registries(host, (file,)).env
    assert env["PIP_INDEX_URL"] == "https://env/simple"
    assert env["UV_DEFAULT_INDEX"] == "https://uv/simple"


def test_passwords_in_its_urls_are_known_in_every_spelling() -> None:
    host = {
        "PIP_INDEX_URL": "https://bob:p%40ssw0rd@one/simple",
        "UV_INDEX": "own=https://token-alone@two/s https://three/s",
        "HTTPS_PROXY": "http://ann:hunter22@proxy:3128",
        "SSL_CERT_FILE": "/nowhere",
    }
    assert registries(host, ()).passwords() == {
        "bob:p%40ssw0rd", "p%40ssw0rd", "p@ssw0rd", "token-alone", "ann:hunter22", "hunter22",
    }  # fmt: skip


def test_folders_of_the_host_are_left_out() -> None:
    host = {"PIP_FIND_LINKS": "/srv/wheels", "PIP_EXTRA_INDEX_URL": "file:///srv/x https://two/s"}
    env = registries(host, ()).env
    assert "PIP_FIND_LINKS" not in env
    assert env["PIP_EXTRA_INDEX_URL"] == "https://two/s"


def test_proxies_come_in_both_spellings_and_nothing_else_comes() -> None:
    env = registries({"HTTPS_PROXY": "http://p:1", "SECRET": "x"}, ()).env
    assert env["https_proxy"] == env["HTTPS_PROXY"] == "http://p:1"
    assert "SECRET" not in env


def test_a_bundle_of_the_operators_own_is_mounted(tmp_path: Path) -> None:
    bundle = tmp_path / "own.crt"
    bundle.write_text("x")
    found = registries({"SSL_CERT_FILE": str(bundle)}, ())
    assert found.env["SSL_CERT_FILE"] == found.env["PIP_CERT"] == MOUNTED_BUNDLE
    assert [m.source for m in found.mounts if m.target == MOUNTED_BUNDLE] == [bundle]
    assert all(mount.read_only for mount in found.mounts)
