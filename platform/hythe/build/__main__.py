"""`python -m hythe.build ensure-stack`: make the base images; prints a line a step."""

import sys
import time

from hythe.build import stack
from hythe.engine import docker
from hythe.errors import HytheError
from hythe.settings import Settings


def main(arguments: list[str]) -> int:
    if arguments != ["ensure-stack"]:
        print("usage: python -m hythe.build ensure-stack", file=sys.stderr)
        return 64
    started = time.monotonic()

    def progress(text: str) -> None:
        print(f"[{time.monotonic() - started:5.1f} s] {text}", flush=True)

    try:
        stack.ensure(docker.connect(), Settings.read(), progress)
    except HytheError as error:
        print(f" !     {error.cause}\n !     {error.fix}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
