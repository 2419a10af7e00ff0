"""The base images: `python -m hythe.build ensure-stack|list-stack|update-stack [SUITE]`.

ensure-stack makes them (without SUITE, those of the default), a line a step; update-stack replaces
those that are there; list-stack lists them, with --json as JSON.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict

from hythe.build import stack, stackmaker
from hythe.engine import docker
from hythe.errors import HytheError, InvalidValue
from hythe.settings import Settings
from hythe.suite import DEFAULT, SUITES, Suite


def main(arguments: list[str]) -> int:
    commands: dict[str, Callable[[list[str]], None]] = {
        "ensure-stack": ensure,
        "list-stack": show,
        "update-stack": update,
    }
    if not arguments or arguments[0] not in commands or len(arguments) > 2:
        print(f"usage: python -m hythe.build {'|'.join(commands)} [SUITE]", file=sys.stderr)
        return 64
    try:
        commands[arguments[0]](arguments[1:])
    except HytheError as error:
        print(f" !     {error.cause}\n !     {error.fix}", file=sys.stderr)
        return 1
    return 0


def ensure(names: list[str]) -> None:
    suite = _suite(names[0]) if names else DEFAULT
    stackmaker.ensure(docker.connect(), Settings.read(), suite, _progress())


def update(names: list[str]) -> None:
    engine = docker.connect()
    there = [each for each in SUITES.values() if stack.find(engine, each) is not None]
    for suite in [_suite(names[0])] if names else there or [DEFAULT]:
        progress = _progress(f"{suite.name}: ")
        was_there = stack.find(engine, suite) is not None
        changes = stackmaker.update(engine, Settings.read(), suite, progress)
        for each in changes:
            version = f"{each.before or 'new'} -> {each.after or 'gone'}"
            print(f"{each.kind:5}  {each.name}  {version}")
        if changes:
            progress("Updated. Each app gets it with its next build; until then it runs as it is")
        elif was_there:
            progress("Debian has nothing newer")


def show(options: list[str]) -> None:
    listed = stack.images(docker.connect())
    if options == ["--json"]:
        return print(json.dumps([asdict(each) for each in listed], indent=2))
    width = max((len(each.reference) for each in listed), default=0)
    for suite in SUITES.values():
        default = ", the default" if suite is DEFAULT else ""
        print(f"=== {suite.name}: Debian {suite.version}, Python {suite.python}{default}")
        ours = [each for each in listed if each.suite == suite.name]
        _print(ours, width)
        if not any(each.current for each in ours):
            print(
                f"The images of this version are not made yet: hythe stack:build {suite.name}, or"
                " the first build that asks for it"
            )
    if replaced := [each for each in listed if each.suite is None]:
        print("=== Replaced; the next stack:update removes those that nothing uses")
        _print(replaced, width)


def _print(listed: list[stack.BaseImage], width: int) -> None:
    for each in listed:
        made = time.strftime("%Y-%m-%d", time.localtime(each.made_at))
        state = "of this version" if each.current else "of another version" if each.suite else ""
        print(f"{each.reference:<{width}}  {each.size / 1e6:5.0f} MB  {made}  {state}".rstrip())


def _suite(name: str) -> Suite:
    if name not in SUITES:
        raise InvalidValue(f"There is no stack {name[:60]}.", f"Name one of: {', '.join(SUITES)}.")
    return SUITES[name]


def _progress(prefix: str = "") -> stackmaker.Progress:
    started = time.monotonic()

    def progress(text: str) -> None:
        print(f"[{time.monotonic() - started:5.1f} s] {prefix}{text}", flush=True)

    return progress


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
