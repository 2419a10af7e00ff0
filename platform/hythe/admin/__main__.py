"""python -m hythe.admin COMMAND: reached as `hythe backup`, `hythe upgrade:check` and so on."""

import os
import sys
from pathlib import Path

from hythe import homefile
from hythe.errors import HytheError
from hythe.settings import Settings


def say(text: str) -> None:
    print(text, flush=True)


def main(arguments: list[str]) -> int:
    command, rest = arguments[0], arguments[1:]
    try:
        homefile.fill(os.environ)
        if command == "backup":
            from hythe.admin.backup import backup

            backup(Settings.read(), Path(rest[0]), lambda text: say(f"-----> {text}"))
            say(" !     It holds the key to all config values: keep it as secret as these.")
        elif command == "restore":
            from hythe.admin.restore import restore

            restore(Settings.read(), Path(rest[0]), lambda text: say(f"-----> {text}"))
        elif command == "upgrade:check":
            from hythe.admin.upgrade import check

            return 0 if check(Settings.read(), say) else 1
        elif command == "uninstall":  # the engine's part of it; see bin/setup/uninstall.py
            from hythe.admin.uninstall import remove

            remove(Settings.read(), say)
        else:
            raise SystemExit(f"no such command: {command}")
    except HytheError as error:
        print(f" !     {error.cause}\n !     {error.fix}", file=sys.stderr)
        return 1
    except PermissionError as error:
        print(f" !     {error.filename}: {error.strerror}.", file=sys.stderr)
        print(" !     Run it as the user of `bin/up`, usually root.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
