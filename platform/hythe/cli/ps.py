"""hythe ps, ps:scale, ps:restart, ps:explain."""

import re
from contextlib import suppress
from itertools import groupby
from typing import Annotated

import typer

from hythe.cli.answers import Instance, Process, Run, Usage
from hythe.cli.client import Client, connect
from hythe.cli.failure import Absent, Misuse
from hythe.cli.metrics import usage
from hythe.cli.output import doing, print_json, span
from hythe.cli.registry import AppOption, JsonOption, chosen, cli
from hythe.cli.sleep import said
from hythe.cli.waiting import until_live

_CHANGE = re.compile(r"([A-Za-z0-9_-]+)(=-?|[+-])(\d+)")

RUNS = 100  # of these, those that are under way

Changes = Annotated[
    list[str] | None, typer.Argument(metavar="TYPE=N|TYPE+N|TYPE-N...", help="None: show.")
]


@cli.command("ps")
def list_instances(app: AppOption = None, as_json: JsonOption = False) -> None:
    """List instances."""
    client, name = connect(), chosen(app)
    instances = client.instances(name)
    if as_json:
        return print_json(instances)
    formation = {item["process"]: item for item in client.formation(name)}
    used: dict[str, Usage] = {}
    with suppress(Absent):  # of a server that is older than this command; so below
        used = {each["name"]: each for each in client.metrics(name)["instances"]}
    first = True
    for process, group in groupby(instances, key=lambda instance: instance["process"]):
        if not first:
            print()
        first = False
        print(_heading(process, formation.get(process)))
        for instance in group:
            print(_line(instance, used.get(instance["name"])))
    runs: list[Run] = []
    with suppress(Absent):
        runs = [run for run in client.runs(name, RUNS) if run["state"] != "ended"]
    if runs:
        print("\n=== run: one-off runs" if instances else "=== run: one-off runs")
        for run in reversed(runs):
            print(_run_line(run))
    asleep = ""
    with suppress(Absent):
        asleep = said(client.sleep(name))
    if asleep:
        print(f"{name} {asleep}.")
    elif not instances and not runs:
        print("Nothing runs. Deploy: `git push hythe main`; scale: `hythe ps:scale web=1`.")


@cli.command("ps:scale")
def scale(changes: Changes = None, app: AppOption = None, as_json: JsonOption = False) -> None:
    """Scale process types.

    Without arguments it prints a line that can be typed back.

    Example: hythe ps:scale web=3 worker+1
    """
    client, name = connect(), chosen(app)
    if not changes:
        formation = client.formation(name)
        if as_json:
            return print_json(formation)
        print(" ".join(f"{item['process']}={item['quantity']}" for item in formation))
        return
    quantities = _quantities(client, name, changes)
    with doing(f"Scaling {', '.join(quantities)}", as_json) as line:
        formation = client.scale(name, quantities)
        now = {item["process"]: item["quantity"] for item in formation}
        said = ", ".join(f"{process} at {now[process]}" for process in quantities)
        line.done(f"now running {said}")
    if as_json:
        print_json(formation)


@cli.command("ps:restart")
def restart(app: AppOption = None, as_json: JsonOption = False) -> None:
    """Replace all instances, without a failed request."""
    client, name = connect(), chosen(app)
    with doing(f"Restarting {name}", as_json):
        deployment = until_live(client, name, client.restart(name))
    if as_json:
        print_json(deployment)


@cli.command("ps:explain")
def explain(app: AppOption = None, as_json: JsonOption = False) -> None:
    """Say what happens to the instances, and why."""
    name = chosen(app)
    found = connect().explanation(name)
    if as_json:
        return print_json(found)
    again = f" It looks again in {found['again_in']:.1f} s." if found["again_in"] else ""
    nothing = ["Nothing: all is as it should be."]
    for title, lines in (
        ("Wants", found["wants"]),
        ("Sees", found["sees"] or ["Nothing that runs."]),
        ("Does next", found["next"] or ([f"Nothing.{again}"] if found["waits"] else nothing)),
        ("Waits for", found["waits"]),
    ):
        if lines:
            print(f"=== {title}")
            print("\n".join(lines))


def _quantities(client: Client, app: str, changes: list[str]) -> dict[str, int]:
    """The wanted numbers; `worker+1` counts from what is set now."""
    quantities: dict[str, int] = {}
    now: dict[str, int] | None = None
    for change in changes:
        match = _CHANGE.fullmatch(change)
        if match is None:
            raise Misuse(f"'{change[:60]}' is not TYPE=N.", "Write it as web=3 or worker+1.")
        process, sign, number = match[1], match[2], int(match[3][:20])
        if sign.startswith("="):
            quantities[process] = -number if sign == "=-" else number
            continue
        if now is None:
            now = {item["process"]: item["quantity"] for item in client.formation(app)}
        before = quantities.get(process, now.get(process, 0))
        quantities[process] = before + (number if sign == "+" else -number)
    return quantities


def _heading(process: str, wanted: Process | None) -> str:
    quantity = wanted["quantity"] if wanted else 0
    command = wanted["command"] if wanted else None
    return f"=== {process} ({quantity})" + (f": {command}" if command else "")


def _line(instance: Instance, used: Usage | None) -> str:
    line = f"{instance['name']}: {instance['state']} for {span(instance['since'])}"
    if instance["release"]:
        line += f" (v{instance['release']})"
    if instance["state"] == "up" and used is not None:
        line += f", {usage(used)}"
    if instance["state"] == "crashed":
        line += f", crashed {instance['crashes']} times, last exit code {instance['exit_code']}"
    return line


def _run_line(run: Run) -> str:
    where = f", in {run['instance']}" if run["instance"] else ""
    since = span(run["started_at"] or run["created_at"])
    return f"{run['name']}: {run['state']} for {since}{where}: {run['command']}"
