"""python -m setup COMMAND: called by the scripts in bin/, and by some commands of hythe."""

import os
import sys
from importlib import import_module

from .output import Problem

COMMANDS = {
    "up": ("up", "main"),
    "down": ("down", "main"),
    "test": ("testing", "main"),
    "chaos": ("testing", "chaos"),
    "service:install": ("service", "install_command"),
    "service:uninstall": ("service", "uninstall_command"),
    "uninstall": ("uninstall", "main"),
}


def main(arguments: list[str]) -> int:
    os.environ.pop("PYTHONPATH", None)  # it was for this process only
    command, rest = arguments[0], arguments[1:]
    try:
        if command in COMMANDS:
            module, function = COMMANDS[command]
            return int(getattr(import_module(f".{module}", __package__), function)(rest))
        if command == "environment":
            from . import environment
            from .place import Place
            from .programs import check_environment

            check_environment(Place.of(os.environ))
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
