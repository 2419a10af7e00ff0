"""The units, as systemd itself reads them; and that what is written is what is removed."""

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import missing
from setup import service, units
from setup.place import Place

from hythe import homefile

ODD = "ho me 100%"


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A home whose name needs quotes, in a shell with settings."""
    monkeypatch.setenv("HYTHE_DOMAIN", 'a"b$c d')
    monkeypatch.setenv("SECRET", "not for a service")
    kernel = tmp_path / "sys"
    for key, value in {"net/core/somaxconn": "8192", "net/ipv4/tcp_migrate_req": "0"}.items():
        (kernel / key).parent.mkdir(parents=True)
        (kernel / key).write_text(value + "\n")
    monkeypatch.setattr(service, "PROC_SYS", kernel)
    place = Place.of({"HYTHE_HOME": str(tmp_path / ODD), "HYTHE_ROUTER_WORKERS": "3"})
    place.make()
    return place


def test_systemd_accepts_the_units(odd: Place, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        missing("systemd-analyze", "Debian's package `systemd` is not installed.")
    etc = tmp_path / "etc"
    service.write(odd, etc)
    found = sorted((etc / units.FOLDER).iterdir())
    assert [path.name for path in found] == [units.COLLECTOR, units.ROUTER, units.CONTROL]
    done = subprocess.run([analyze, "verify", *map(str, found)], capture_output=True, text=True)
    mine = [line for line in done.stderr.splitlines() if "hythe" in line]
    assert (done.returncode, mine) == (0, [])


def test_the_router_keeps_its_sockets_and_needs_nobody(odd: Place, tmp_path: Path) -> None:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(units.files(odd, tmp_path)[tmp_path / units.FOLDER / units.ROUTER])
    assert parser["Service"]["FileDescriptorStoreMax"] == "12"
    assert parser["Service"]["Type"] == "notify"
    assert parser["Service"]["Restart"] == "always"
    assert "Requires" not in parser["Unit"] and "hythe.service" not in parser["Unit"]["After"]
    command = parser["Service"]["ExecStart"]
    assert f'"{odd.home}/run/control.sock"'.replace("%", "%%") in command


def test_the_services_have_the_settings_of_the_home(odd: Place, tmp_path: Path) -> None:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    for unit in units.NAMES:
        parser.read_string(units.files(odd, tmp_path)[tmp_path / units.FOLDER / unit])
        section = parser["Service"]
        assert section["EnvironmentFile"] == f"{odd.home}/hythe.env".replace("%", "%%")
        assert f'"HYTHE_HOME={odd.home}"'.replace("%", "%%") in section["Environment"]


def test_a_higher_kernel_value_stays_and_the_old_ones_come_back(odd: Place, tmp_path: Path) -> None:
    etc = tmp_path / "etc"
    service.write(odd, etc)
    lines = (etc / units.SYSCTL).read_text().splitlines()
    assert "net.core.somaxconn=8192" in lines
    assert "net.ipv4.tcp_migrate_req=1" in lines
    service._set("net.ipv4.tcp_migrate_req", "1")
    service.write(odd, etc)  # again, with the new value in the kernel
    service.remove(odd, etc)
    assert service._get("net.ipv4.tcp_migrate_req") == "0"


def test_remove_leaves_nothing_that_write_made(odd: Place, tmp_path: Path) -> None:
    etc = tmp_path / "etc"
    (etc / "sysctl.d").mkdir(parents=True)
    (etc / "sysctl.d" / "99-mine.conf").write_text("a=1\n")
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    service.write(odd, etc)
    assert {path for path in tmp_path.rglob("*") if path.is_file()} > before
    service.remove(odd, etc)
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == before


def test_without_systemd_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    monkeypatch.setattr(service, "SYSTEMD", Path("/nowhere"))
    monkeypatch.setenv("HYTHE_HOME", str(place.home))
    with pytest.raises(service.Problem, match="systemd does not run"):
        service.install_command(["--yes"])
    assert not service.installed(place)


def test_a_dry_run_prints_and_writes_nothing(
    odd: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HYTHE_HOME", str(odd.home))
    assert service.install_command(["--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "==> /etc/systemd/system/hythe-router.service" in printed
    assert "tcp_migrate_req=1" in printed
    assert not (odd.home / homefile.NAME).exists()
