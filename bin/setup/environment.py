"""The checkout's virtual environment, made from the hashed locks.

pip does it, not a faster installer, because pip reads the index settings that people already have.
"""

import compileall
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import stamp
from .machine import failed
from .output import step
from .place import CHECKOUT

PLATFORM = CHECKOUT / "platform"
BUILDPACKS = CHECKOUT / "buildpacks"
VENV = CHECKOUT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "hythe.json"
LOG = VENV / "install.log"
RUN_LOCK = CHECKOUT / "requirements.lock"
DEV_LOCK = CHECKOUT / "requirements-dev.lock"

ENTRY_POINT = f"""\
#!{PYTHON}
import sys

from hythe.cli.main import main

sys.argv[0] = "hythe"
sys.exit(main())
"""


def ready(*, dev: bool = False) -> bool:
    """Whether the environment is complete and made from the locks as they are now."""
    made = stamp.read(STAMP)
    if made.get("run") != _digest(RUN_LOCK):
        return False
    return not dev or made.get("dev") == _digest(DEV_LOCK)


def ensure(*, dev: bool = False) -> None:
    """Make the environment, or bring it up to date. The stamp is written last."""
    if not ready(dev=dev):
        _bring_up(dev=dev)
    _compile()


def _bring_up(*, dev: bool) -> None:
    with locked() as held:
        if not ready():
            _make(held)
        if dev and not ready(dev=True):
            with step("Installing what the tests need"):
                _install(DEV_LOCK, held)
            stamp.write(STAMP, dev=_digest(DEV_LOCK))


def _make(held: int) -> None:
    with step("Making the virtual environment"):
        shutil.rmtree(VENV, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True, pass_fds=[held])
    with step("Installing Hythe's dependencies"):
        _install(RUN_LOCK, held)
    packages = VENV / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    (packages / "hythe.pth").write_text(f"{PLATFORM}\n")
    script = VENV / "bin" / "hythe"
    script.write_text(ENTRY_POINT)
    script.chmod(0o755)
    stamp.write(STAMP, run=_digest(RUN_LOCK))


def _compile() -> None:
    """Compile what changed of Hythe's own code, as pip does with what it installs.

    Where Python may not write bytecode (PYTHONDONTWRITEBYTECODE, a service that is not root), each
    start would compile it all again: 95 ms of processor time for a command that needs about 100.
    Builds cannot write it either. What this Python makes is of use to them where it has the minor
    version of the build image's.
    """
    for folder in (PLATFORM, BUILDPACKS):
        compileall.compile_dir(folder, quiet=2)


def _install(lock: Path, held: int) -> None:
    command = [str(PYTHON), "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    command += ["--progress-bar=off", "--require-hashes", "-r", str(lock)]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        pass_fds=[held],
    )
    LOG.write_text(done.stdout)
    if done.returncode != 0:
        raise failed("`pip install`", done.stdout, LOG)


def _digest(lock: Path) -> str:
    """What an environment depends on: its lock, its Python, its place (scripts hold that)."""
    return hashlib.sha256(f"{sys.version} {VENV} ".encode() + lock.read_bytes()).hexdigest()


@contextmanager
def locked() -> Iterator[int]:
    """One installer a checkout at a time, also when two installations share it.

    The installers inherit the descriptor and with it the lock: when this process is killed, the
    next one waits until the installer that it left behind has ended.
    """
    fd = os.open(CHECKOUT, os.O_RDONLY)
    try:
        with step("Waiting for another installer in this checkout"):
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield fd
    finally:
        os.close(fd)
