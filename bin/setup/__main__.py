"""python -m setup up|down|test|environment|supervise: called by the scripts in bin/."""

import os
import sys

from .output import Problem


def main(arguments: list[str]) -> int:
    os.environ.pop("PYTHONPATH", None)  # it was for this process only
    command, rest = arguments[0], arguments[1:]
    try:
        if command == "up":
            from .up import main as up

            return up(rest)
        if command == "down":
            from .down import main as down

            return down(rest)
        if command == "test":
            from .testing import main as test

            return test(rest)
        if command == "environment":
            from . import environment

            environment.ensure(dev="--dev" in rest)
            return 0
        if command == "check-dashboard":
            from . import dashboard
            from .place import Place

            place = Place.of(os.environ)
            place.make()
            dashboard.check(place)
            return 0
        if command == "supervise":
            from .place import Place
            from .supervisor import supervise

            supervise(Place.of(os.environ))
        raise SystemExit(f"no such command: {command}")
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 1
    except BrokenPipeError:  # as in `bin/up | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print(
            "\n !     Interrupted. What is done stays done; run it again to go on.", file=sys.stderr
        )
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
