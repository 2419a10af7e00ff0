"""What Hythe needs of the machine: root, disk space, Debian packages, free ports."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from . import engine
from .output import Problem, ask, detail, has_terminal, say, step
from .place import Place
from .process import ADMIN_PATH

FREE_BYTES = 3 * 1000**3
ENGINE_ROOT = Path("/var/lib/docker")
DEBIAN_KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")  # mmdebstrap wants it
KEPT = re.compile(
    r"HYTHE_|PIP_|UV_|NPM_CONFIG_|YARN_NPM_|DOCKER_HOST$|CI$|PG[A-Z]+$|(https?|no|all)_proxy$"
    r"|SSL_CERT|NODE_EXTRA_CA|GIT_SSL_CAINFO$|(CURL|REQUESTS)_CA_BUNDLE$",
    re.IGNORECASE,
)
"""The variables that Hythe's programs need of the environment in which somebody types bin/up."""
OFFLINE = re.compile(
    r"Temporary failure resolving|Could not resolve|Could not connect|Failed to fetch"
    r"|Unable to fetch|Network is unreachable|Connection (timed out|refused)"
    r"|\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH)\b"
    r"|Failed to establish a new connection|NewConnectionError|Name or service not known"
)


def become_root(arguments: list[str]) -> None:
    """Continue under sudo unless this is root already; the settings go along."""
    if os.geteuid() == 0:
        return
    command = " ".join(["bin/" + arguments[0], *arguments[1:]])
    if not shutil.which("sudo"):
        raise Problem(
            "Hythe installs packages and runs containers, which takes root; there is no sudo here.",
            f"Run it as root: su -c '{command}'",
        )
    unasked = subprocess.run(["sudo", "-n", "true"], capture_output=True)
    if unasked.returncode != 0 and not has_terminal():
        raise Problem(
            "Hythe needs root, and sudo asks for a password, but there is no terminal.",
            f"Run `{command}` as root, or in a terminal.",
        )
    say("-----> Continuing as root, with sudo: for packages, containers and firewall rules")
    _sudo(arguments)


def _sudo(arguments: list[str]) -> NoReturn:
    environment = [f"{name}={value}" for name, value in os.environ.items() if KEPT.match(name)]
    folder = f"PYTHONPATH={Path(__file__).resolve().parents[1]}"
    command = ["sudo", "env", *environment, folder, sys.executable, "-m", "setup", *arguments]
    os.execvp("sudo", command)


def check_disk(place: Place, *others: Path) -> None:
    """Raise Problem when a file system that Hythe fills has less than 3 GB left."""
    for folder in (place.home, ENGINE_ROOT, *others):
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        free = shutil.disk_usage(existing).free
        if free < FREE_BYTES:
            raise Problem(
                f"Only {free / 1000**3:.1f} GB are free at {existing}; base images and builds "
                f"need {FREE_BYTES // 1000**3} GB.",
                "Free some space (`docker image prune` removes unused images), and run it again.",
            )


def program(name: str) -> str | None:
    """Where a program is, also one that only root has on its path."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{ADMIN_PATH}")


def missing_packages(programs: tuple[str, ...] = ()) -> list[str]:
    """The Debian packages that this machine lacks; programs are named like their packages."""
    wanted: dict[str, bool] = {
        "ca-certificates": Path("/etc/ssl/certs/ca-certificates.crt").exists(),
        "docker.io": engine.answers() or program("dockerd") is not None,
        "git": program("git") is not None,
        "iptables": program("iptables") is not None,
        "mmdebstrap": program("mmdebstrap") is not None or not program("apt-get"),
        "debian-archive-keyring": not program("apt-get") or DEBIAN_KEYS.exists(),
        f"python3.{sys.version_info.minor}-venv": importlib.util.find_spec("ensurepip") is not None,
        **{name: program(name) is not None for name in programs},
    }
    return [package for package, there in wanted.items() if not there]


def install_packages(
    place: Place, asking: bool, programs: tuple[str, ...] = (), more: tuple[str, ...] = ()
) -> list[str]:
    """Install what is missing with apt, after saying what and asking where there is a terminal.

    programs: commands that are wanted besides; more: packages. Returns what was installed.
    """
    packages = [*missing_packages(programs), *more]
    if not packages:
        return []
    names = " ".join(packages)
    if not program("apt-get"):
        raise Problem(
            f"These are missing, and this machine has no apt-get (Debian, Ubuntu): {names}",
            "Install them with your system's own package manager, and run it again.",
        )
    say(f"-----> Hythe needs these Debian packages: {names}")
    if asking and has_terminal():
        if not ask("Install them with apt-get?"):
            raise Problem(
                "Nothing was installed.", f"Install them yourself: apt-get install {names}"
            )
    else:
        detail("Installing them with apt-get")
    with step("Reading Debian's package lists"):
        _apt(place, "update")
    with step(f"Installing {names}"):
        _apt(place, "install", "-y", "--no-install-recommends", *packages)
    return packages


def _apt(place: Place, *arguments: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    command = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=120", *arguments]
    with place.setup_log.open("a+") as log:
        begin = log.tell()
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=environment
        )
        log.seek(begin)
        output = log.read()
    offline = OFFLINE.search(output)
    if done.returncode == 0 and not (arguments[0] == "update" and offline):
        return
    raise failed(f"`apt-get {arguments[0]}`", output, place.setup_log)


def failed(what: str, output: str, log: Path) -> Problem:
    """The problem of a program that needs the network and failed."""
    lines = output.strip().splitlines()
    offline = [line for line in lines if OFFLINE.search(line)]
    if offline:
        return Problem(
            f"{what} could not reach its servers.",
            "Check the network (and http_proxy, https_proxy behind a proxy), and run it again.\n"
            f"All its output is in {log}",
            offline[-1],
        )
    return Problem(
        f"{what} failed.",
        f"Correct what it says above, and run it again. All of it is in {log}",
        "\n".join(lines[-8:]),
    )


def check_port(address: str, port: int, setting: str) -> None:
    """Raise Problem when something else listens on an address that Hythe is about to use."""
    holders = list(_listeners(port))
    if not holders:
        return
    who = next((holder for holder in holders if holder), "another program")
    raise Problem(
        f"Port {port} on {address} is in use by {who}.",
        f"Stop that, or choose another port: {setting}={port + 1} bin/up",
    )


def _listeners(port: int) -> Iterator[str]:
    """Who listens on a TCP port of this machine; an empty string where /proc does not tell."""
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        if not table.exists():
            continue
        for line in table.read_text().splitlines()[1:]:
            fields = line.split()
            listening = fields[3] == "0A"
            if listening and int(fields[1].rpartition(":")[2], 16) == port:
                yield _owner(fields[9])


def _owner(inode: str) -> str:
    """The process that holds a socket, such as `nginx (pid 812)`."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(fd.readlink()) == f"socket:[{inode}]" for fd in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
        except OSError:
            continue  # gone meanwhile, or somebody else's
    return ""
