"""hythe run, run:detached, runs, runs:stop, ps:exec."""

import os
import shlex
import sys
import time
from typing import Annotated, Any

import typer

from hythe.cli.answers import Run
from hythe.cli.client import Client, connect
from hythe.cli.failure import Failure, Misuse
from hythe.cli.output import day, doing, print_json, table, time_of
from hythe.cli.registry import AppOption, JsonOption, LimitOption, chosen, cli

STOP_SECONDS = 60.0
NO_CODE = 1  # of a run that never had one
UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}

_REST = {"allow_interspersed_args": False}  # options behind the command are the command's own

Command = Annotated[
    list[str], typer.Argument(metavar="COMMAND...", help="One word is a line for the app's shell.")
]
MaybeCommand = Annotated[
    list[str] | None, typer.Argument(metavar="COMMAND...", help="Else a shell.")
]
MemoryOption = Annotated[
    str, typer.Option("--memory", "-m", metavar="SIZE", help="Limit, such as 512m or 2g.")
]
CpusOption = Annotated[float | None, typer.Option("--cpus", min=0.01, help="Limit, cores.")]
TimeoutOption = Annotated[
    int | None, typer.Option("--timeout", min=1, metavar="SECONDS", help="Longest time.")
]
NoTtyOption = Annotated[bool, typer.Option("--no-tty", "-T", help="Do not make a terminal.")]
InstanceOption = Annotated[
    str | None, typer.Option("--instance", "-i", metavar="web.1", help="Else the first that is up.")
]


@cli.command("run", context_settings=_REST)
def run(
    command: Command,
    app: AppOption = None,
    memory: MemoryOption = "",
    cpus: CpusOption = None,
    timeout: TimeoutOption = None,
    no_tty: NoTtyOption = False,
) -> int:
    """Run a command in a new container.

    It has the release that serves, with its config, and this terminal. The exit code is the
    command's. It ends when this command does.

    Example: hythe run -a shop -- python manage.py shell
    """
    client, name = connect(), chosen(app)
    asked = _asked(command, memory, cpus, timeout) | {"attach": True}
    return _attached(client, name, asked, no_tty)


@cli.command("run:detached", context_settings=_REST)
def run_detached(
    command: Command,
    app: AppOption = None,
    memory: MemoryOption = "",
    cpus: CpusOption = None,
    timeout: TimeoutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run a command in the background.

    It has a new container of the release that serves. Its output is in the app's log.

    Example: hythe run:detached -a shop -- python report.py
    """
    client, name = connect(), chosen(app)
    with doing(f"Running {_shown(command)} on {name}", as_json) as line:
        made = client.run(name, _asked(command, memory, cpus, timeout))
        line.done(made["name"])
    if as_json:
        return print_json(made)
    print(f"Its output: hythe logs -t -i {made['name']} -a {name}")


@cli.command("ps:exec", context_settings=_REST)
def execute(
    command: MaybeCommand = None,
    app: AppOption = None,
    instance: InstanceOption = None,
    timeout: TimeoutOption = None,
    no_tty: NoTtyOption = False,
) -> int:
    """Run a command inside a live instance, at this terminal.

    Example: hythe ps:exec -a shop -i web.1 -- ps aux
    """
    client, name = connect(), chosen(app)
    asked = _asked(command or [], "", None, timeout)
    return _attached(client, name, asked | {"instance": instance or _first(client, name)}, no_tty)


@cli.command("runs")
def list_runs(app: AppOption = None, num: LimitOption = 15, as_json: JsonOption = False) -> None:
    """List one-off runs, newest first."""
    runs = connect().runs(chosen(app), num)
    if as_json:
        return print_json(runs)
    table(
        ("Run", "State", "Command", "By", "When", "Took"),
        [
            (
                each["name"],
                _state(each),
                each["command"] + (f" (in {each['instance']})" if each["instance"] else ""),
                each["created_by"],
                day(each["created_at"]),
                _took(each),
            )
            for each in runs
        ],
    )


@cli.command("runs:stop")
def stop_run(
    run_name: Annotated[str, typer.Argument(metavar="run.N")],
    app: AppOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a one-off run.

    Example: hythe runs:stop run.3 -a shop
    """
    client, name = connect(), chosen(app)
    number = _number(run_name)
    with doing(f"Stopping run.{number}", as_json) as line:
        ended = client.stop_run(name, number)
        deadline = time.monotonic() + STOP_SECONDS
        while ended["state"] != "ended":
            if time.monotonic() > deadline:
                raise Failure(
                    f"run.{number} has not ended within {STOP_SECONDS:.0f} s.",
                    "It ends when the control plane gets to it: `hythe runs`.",
                )
            time.sleep(0.1)
            ended = client.show_run(name, number)
        line.done(_state(ended))
    if as_json:
        print_json(ended)


def _attached(client: Client, app: str, asked: dict[str, Any], no_tty: bool) -> int:
    """Run it at this terminal; returns its exit code."""
    from hythe.cli.terminal import Attached, size

    tty = not no_tty and os.isatty(0) and os.isatty(1)
    if tty:
        asked["tty"] = True
        asked["rows"], asked["columns"] = size()
    made = client.run(app, asked)
    where = f"in {made['instance']} of {app}" if made["instance"] else f"on {app}"
    print(f"Running {made['command']} {where}... ", end="", file=sys.stderr, flush=True)
    opened = client.attach(app, made["number"])
    print(made["name"], file=sys.stderr, flush=True)
    ended = Attached(opened, tty).run()
    if ended["reason"] != "exited":
        print(f" !    {made['name']}: {ended['detail'] or ended['reason']}", file=sys.stderr)
    return NO_CODE if ended["exit_code"] is None else ended["exit_code"]


def _asked(
    command: list[str], memory: str, cpus: float | None, timeout: int | None
) -> dict[str, Any]:
    """The body of the request, without what was not said."""
    asked = {
        "command": _shown(command) if command else None,
        "memory": _bytes(memory),
        "cpus": cpus,
        "timeout": timeout,
    }
    return {key: value for key, value in asked.items() if value is not None}


def _shown(command: list[str]) -> str:
    """One word is a line already; several are words, and stay as they were typed."""
    return command[0] if len(command) == 1 else shlex.join(command)


def _bytes(text: str) -> int | None:
    if not text:
        return None
    digits = text.lower().removesuffix("b").rstrip("kmg")
    unit = text.lower().removesuffix("b")[len(digits) :]
    if not digits.isascii() or not digits.isdecimal() or unit not in UNITS or len(digits) > 15:
        raise Misuse(f"'{text[:40]}' is not a size.", "Write it as 512m or 2g.")
    return int(digits) * UNITS[unit]


def _number(text: str) -> int:
    digits = text.removeprefix("run.")
    if not digits.isascii() or not digits.isdecimal() or not 0 < int(digits[:12]) < 2**31:
        raise Misuse(f"'{text[:40]}' is not a run.", "Write it as run.3; `hythe runs` lists them.")
    return int(digits)


def _first(client: Client, app: str) -> str:
    for each in client.instances(app):
        if each["state"] == "up":
            return each["name"]
    raise Failure(f"No instance of {app} is up.", "See `hythe ps`; `hythe run` starts its own.")


def _state(run: Run) -> str:
    if run["state"] != "ended":
        return run["state"]
    code = "" if run["exit_code"] is None else f" {run['exit_code']}"
    return f"{run['reason']}{code}"


def _took(run: Run) -> str:
    if run["started_at"] is None:
        return ""
    if run["ended_at"] is None:
        return "runs"
    seconds = (time_of(run["ended_at"]) - time_of(run["started_at"])).total_seconds()
    return f"{seconds:.1f}s"
