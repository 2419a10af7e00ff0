"""hythe service:install and service:uninstall: systemd keeps Hythe up, also after a reboot."""

import argparse
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import machine, renewal, supervisor, units
from .engine import SYSTEMD
from .output import Problem, ask, detail, has_terminal, say, step
from .place import Place
from .programs import READY_SECONDS, prepare, programs

ETC = Path("/etc")
PROC_SYS = Path("/proc/sys")


def install_command(arguments: list[str]) -> int:
    options = _options("service:install", arguments)
    place = machine.here(["service:install", *arguments])
    if options.dry_run:
        for path, text in units.files(place, ETC).items():
            say(f"==> {path}\n{text}")
        return 0
    place.check_unchanged()  # or the services would start with other settings than bin/up did
    with _systemd("service:install", arguments, place):
        install(place, options.yes)
    return 0


def uninstall_command(arguments: list[str]) -> int:
    _options("service:uninstall", arguments)
    place = machine.here(["service:uninstall", *arguments])
    with _systemd("service:uninstall", arguments, place):
        uninstall(place)
    return 0


def _options(command: str, arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"hythe {command}", description=__doc__)
    parser.add_argument("--dry-run", action="store_true", help="print the files, change nothing")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    return parser.parse_args(arguments)


@contextmanager
def _systemd(command: str, arguments: list[str], place: Place) -> Iterator[None]:
    """As root, alone, on a machine with systemd."""
    machine.become_root([command, *arguments])
    if not SYSTEMD.is_dir():
        raise Problem(
            "systemd does not run on this machine.",
            "bin/up --detach supervises Hythe without it; start that at boot by what you have.",
        )
    place.make()
    with place.locked():
        yield


def installed(place: Place, etc: Path = ETC) -> bool:
    """Whether systemd keeps this very installation up."""
    return SYSTEMD.is_dir() and _owner(etc) == str(place.home)


def _owner(etc: Path) -> str | None:
    """The HYTHE_HOME for which the units were written."""
    try:
        text = (etc / units.FOLDER / units.CONTROL).read_text()
    except FileNotFoundError:
        return None
    first = text.partition("\n")[0]
    return first.removeprefix(units.MARK) if first.startswith(units.MARK) else ""


def install(place: Place, yes: bool, etc: Path = ETC) -> None:
    """Write the units and limits, and let systemd take over what bin/up started."""
    owner = _owner(etc)
    if owner not in (None, str(place.home)):
        raise Problem(
            f"The services of this machine belong to another installation, {owner or 'not ours'}.",
            "Remove them there first: `hythe service:uninstall`. bin/up works beside them.",
        )
    say("-----> Hythe's services: these files are written")
    for path in units.files(place, etc):
        detail(str(path))
    if not yes and has_terminal() and not ask("Write them, and start the services?"):
        raise Problem("Nothing was changed.", "See what would be written: --dry-run.")
    prepare(place)
    place.remember()
    with step("Handing over to systemd"):
        write(place, etc)
        _systemctl("daemon-reload")
        supervisor.stop(place)
        for program in programs(place):
            if program.process(place) and not _runs(program.name):
                program.stop(place)
        start(place, etc=etc)
    for line in (etc / units.SYSCTL).read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            _set(*line.split("=", 1))
    say("=====> systemd keeps Hythe up; journalctl --namespace hythe shows what it says")


def write(place: Place, etc: Path) -> None:
    """Write all files, whole or not at all."""
    for path, text in units.files(place, etc).items():
        if path == etc / units.SYSCTL:
            if path.exists():  # it remembers what was there before
                continue
            text = units.kernel({key: _get(key) for key in units.KERNEL})
        _put(path, text)


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    draft.write_text(text)
    draft.chmod(0o644)
    draft.rename(path)


def uninstall(place: Place, etc: Path = ETC) -> None:
    """Stop the services, and remove what `install` wrote; nothing else."""
    if _owner(etc) != str(place.home):
        say("=====> This installation has no services")
        return
    with step("Stopping Hythe's services"):
        there = [name for name in units.NAMES if (etc / units.FOLDER / name).exists()]
        subprocess.run(["systemctl", "disable", "--now", *there], capture_output=True)
    remove(place, etc)
    _systemctl("daemon-reload")
    say("=====> The services are gone; bin/up starts Hythe without them")


def remove(place: Place, etc: Path) -> None:
    sysctl = etc / units.SYSCTL
    if sysctl.exists():
        for line in sysctl.read_text().splitlines():
            if line.startswith(units.BEFORE):
                _set(*line.removeprefix(units.BEFORE).split("=", 1))
    for path in units.files(place, etc):
        path.unlink(missing_ok=True)


def start(place: Place, *, restart: bool = False, etc: Path = ETC) -> None:
    """Start the services with the settings of the home, and wait until they answer."""
    before = _router_unit(etc)
    write(place, etc)  # the router's ports are in its unit
    _systemctl("daemon-reload")
    _systemctl("enable", *units.NAMES)  # an older version may not have had all of them
    names = list(units.NAMES)
    if restart and before == _router_unit(etc):  # another unit takes effect at a start only
        router = next(program for program in programs(place) if program.name == "router")
        if renewal.renew(router, place, f"journalctl --namespace hythe -u {units.ROUTER}"):
            names.remove(units.ROUTER)
    _systemctl("restart" if restart else "start", *names)
    deadline = time.monotonic() + READY_SECONDS
    for program in programs(place):
        while not program.answers():
            if time.monotonic() > deadline:
                raise Problem(
                    f"The {program.name.replace('-', ' ')} does not answer.",
                    f"See why: journalctl --namespace hythe -u {units.UNITS[program.name]}",
                )
            time.sleep(0.05)


def _router_unit(etc: Path) -> str:
    unit = etc / units.FOLDER / units.ROUTER
    return unit.read_text() if unit.exists() else ""


def stop(*names: str) -> None:
    """Stop services until they are started again; they come back at the next boot."""
    _systemctl("stop", *(names or units.NAMES))


def _runs(name: str) -> bool:
    return subprocess.run(["systemctl", "-q", "is-active", units.UNITS[name]]).returncode == 0


def _systemctl(*arguments: str) -> None:
    done = subprocess.run(["systemctl", *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise Problem(
            f"`systemctl {' '.join(arguments)}` failed.",
            "See why: journalctl --namespace hythe -n 30",
            done.stderr.strip(),
        )


def _get(key: str) -> str:
    try:
        return (PROC_SYS / key.replace(".", "/")).read_text().strip()
    except OSError:
        return ""


def _set(key: str, value: str) -> None:
    """Set a kernel value now; a kernel or container that refuses keeps its own."""
    try:
        (PROC_SYS / key.replace(".", "/")).write_text(value)
    except OSError as error:
        detail(f"{key} stays {_get(key) or 'unknown'}: {error.strerror}")
