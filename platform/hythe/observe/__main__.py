"""The log collector's process: python -m hythe.observe [--home DIR]"""

import argparse
import functools
import gc
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from hythe import logs
from hythe.engine.port import Instances
from hythe.observe.collect import Collector
from hythe.observe.pulse import HANG_SECONDS
from hythe.observe.sampler import Sampler

log = logs.get("hythe.observe")


@functools.cache
def engine() -> Instances:
    """Imported where it is needed only: the SDK takes three times what the collector takes."""
    from hythe.engine import docker

    log.info("log files cannot be read; asking the engine")
    return docker.connect().instances


def unseal(home: Path) -> Callable[[str], str]:
    """The vault of a home, opened when a drain needs it; cryptography takes some memory."""

    def opened(sealed: str) -> str:
        from hythe.vault import Vault

        return Vault((home / "key").read_bytes().strip()).unseal(sealed.encode())

    return opened


def _outlive_no_hang() -> None:
    """Let the kernel end this process unless it is asked again in time; then it is started anew."""
    signal.alarm(int(HANG_SECONDS))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="hythe.observe", description="The log collector.")
    parser.add_argument(
        "--home",
        type=Path,
        default=Path(os.environ.get("HYTHE_HOME") or ".hythe"),
        help="HYTHE_HOME, the folder that holds all state",
    )
    home = parser.parse_args(arguments).home.expanduser().absolute()
    logs.configure("collector")
    try:
        collector = Collector(home, engine, unseal(home), _outlive_no_hang)
    except BlockingIOError:
        print(
            f" !     Another log collector works on {home}.\n"
            " !     Stop it with `bin/down`, or choose another HYTHE_HOME.",
            file=sys.stderr,
        )
        return 1
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: collector.stop())
    gc.freeze()
    sampler = Sampler(home)
    sampler.start()
    log.info("log collector ready", home=home)
    collector.run()
    sampler.stop()
    log.info("log collector stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
