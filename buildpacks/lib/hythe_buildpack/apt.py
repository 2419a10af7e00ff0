"""Debian packages, unpacked into a folder: without root, and without their install scripts."""

import platform
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from hythe_buildpack.command import run
from hythe_buildpack.report import detail, stop

NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+(:[a-z0-9]+)?(=[\w.+:~-]+)?")
RUN_STATUS = Path("/cnb/stack/run.status")  # what the run image has installed
UNREAD = ("doc", "doc-base", "info", "lintian", "man")
_NETWORK = re.compile(r"Could not (resolve|connect)|Failed to fetch|Temporary failure|Err:\d")


def names(app: Path) -> list[str]:
    """The packages of the Aptfile; stops at a line that is none."""
    found = []
    lines = (app / "Aptfile").read_text(errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        name = line.partition("#")[0].strip()
        if not name:
            continue
        if not NAME.fullmatch(name):
            stop(
                f"Line {number} of the Aptfile is not the name of a Debian package: {name[:80]}",
                "Write one name a line, such as ffmpeg. Addresses and repositories are not read.",
            )
        found.append(name)
    return found


class Apt:
    """apt-get on folders of its own. `without` names packages to count as installed."""

    def __init__(self, folder: Path, without: Sequence[str] = ()) -> None:
        self._folder = folder
        for name in ("state/lists/partial", "cache/archives/partial", "log"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self._status = folder / "status"
        self._status.write_text(RUN_STATUS.read_text() + "".join(map(_installed, without)))

    def unpack(self, wanted: Sequence[str], target: Path) -> int:
        """Download the packages and what they need beyond the image, and unpack them all."""
        code, output = self._run("update", "-q")
        if code != 0 or re.search(r"^(Err|E):", output, re.M):
            self._stop_network(output)
        code, output = self._run(
            "install", "-q", "-y", "--download-only", "--no-install-recommends", *wanted
        )
        if code != 0:
            self._explain(output)
        archives = sorted((self._folder / "cache" / "archives").glob("*.deb"))
        for archive in archives:
            subprocess.run(["dpkg-deb", "-x", str(archive), str(target)], check=True)
            detail(archive.name.split("_")[0])
        for name in UNREAD:
            shutil.rmtree(target / "usr" / "share" / name, ignore_errors=True)
        shutil.rmtree(self._folder)
        return len(archives)

    def _run(self, *arguments: str) -> tuple[int, str]:
        options = {
            "Dir::State": self._folder / "state",
            "Dir::State::status": self._status,
            "Dir::Cache": self._folder / "cache",
            "Dir::Log": self._folder / "log",
            "Debug::NoLocking": "true",
            "APT::Sandbox::User": "",
            "Acquire::Languages": "none",
        }
        flags = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
        return run(["apt-get", *flags, *arguments], env={"LC_ALL": "C"}, quiet=True)

    def _stop_network(self, output: str) -> None:
        first = next((x for x in output.splitlines() if x.startswith(("E:", "Err"))), "")
        stop(
            f"Debian's package lists could not be fetched: {first[:160]}",
            "Check this machine's network, and the control plane's proxies.",
        )

    def _explain(self, output: str) -> None:
        if missing := re.search(
            r"Unable to locate package (\S+)|'?(\S+)'? has no installation cand", output
        ):
            name = missing[1] or missing[2]
            stop(
                f"{_debian()} has no package {name}.",
                "Correct its name in the Aptfile; packages.debian.org finds names.",
            )
        if version := re.search(r"Version '(\S+)' for '(\S+)' was not found", output):
            stop(
                f"{_debian()} has no version {version[1]} of {version[2]}.",
                "Remove the version from the Aptfile, or name one that `apt-cache policy` lists.",
            )
        if _NETWORK.search(output):
            self._stop_network(output)
        last = next((x for x in reversed(output.splitlines()) if x.strip()), "no output")
        stop(f"apt-get failed: {last[:200]}", "Correct the Aptfile.")


def _debian() -> str:
    return f"Debian {platform.freedesktop_os_release().get('VERSION_ID', '')}".strip()


def _installed(name: str) -> str:
    """An entry of dpkg's status file, newer than any."""
    return (
        f"\nPackage: {name}\nStatus: install ok installed\nArchitecture: all\n"
        "Multi-Arch: foreign\nVersion: 999:1\nMaintainer: none\nDescription: none\n"
    )
