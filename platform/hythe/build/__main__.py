"""`python -m hythe.build ensure-stack`: make the base images; prints a line a step.

`list-stack` lists those that the engine has.
"""

import sys
import time

from hythe.build import stack
from hythe.engine import docker
from hythe.errors import HytheError
from hythe.settings import Settings


def main(arguments: list[str]) -> int:
    try:
        if arguments == ["ensure-stack"]:
            ensure()
        elif arguments == ["list-stack"]:
            show()
        else:
            print("usage: python -m hythe.build ensure-stack|list-stack", file=sys.stderr)
            return 64
    except HytheError as error:
        print(f" !     {error.cause}\n !     {error.fix}", file=sys.stderr)
        return 1
    return 0


def ensure() -> None:
    started = time.monotonic()

    def progress(text: str) -> None:
        print(f"[{time.monotonic() - started:5.1f} s] {text}", flush=True)

    stack.ensure(docker.connect(), Settings.read(), progress)


def show() -> None:
    listed = stack.images(docker.connect())
    width = max((len(each.reference) for each in listed), default=0)
    for each in listed:
        made = time.strftime("%Y-%m-%d", time.localtime(each.made_at))
        state = "of this version" if each.current else "of another version"
        print(f"{each.reference:<{width}}  {each.size / 1e6:5.0f} MB  {made}  {state}")
    if not any(each.current for each in listed):
        print("The images of this version are not made yet: hythe stack:build")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
