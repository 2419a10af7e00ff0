"""hythe builds, builds:info, builds:cancel."""

import time
from typing import Annotated

import typer

from hythe.cli.answers import Build, UsedBuildpack
from hythe.cli.client import Client, connect
from hythe.cli.failure import Failure
from hythe.cli.output import day, doing, print_json, table, time_of
from hythe.cli.registry import AppOption, JsonOption, LimitOption, chosen, cli

CANCEL_SECONDS = 30.0

Number = Annotated[int, typer.Argument(metavar="BUILD", min=1)]
Newest = Annotated[
    int | None, typer.Argument(metavar="BUILD", min=1, help="Else the one that runs or waits.")
]


@cli.command("builds")
def list_builds(app: AppOption = None, num: LimitOption = 15, as_json: JsonOption = False) -> None:
    """List builds, newest first."""
    builds = connect().builds(chosen(app), num)
    if as_json:
        return print_json(builds)
    table(
        ("Build", "Status", "With", "Commit", "When", "Took"),
        [
            (
                str(item["id"]),
                _status(item),
                item["builder"] or "",
                (item["source"]["commit"] or "")[:7],
                day(item["created_at"]),
                _took(item),
            )
            for item in builds
        ],
    )


@cli.command("builds:info")
def show_build(number: Number, app: AppOption = None, as_json: JsonOption = False) -> None:
    """Show a build, where its time went, and what it printed."""
    client, name = connect(), chosen(app)
    build = client.build(name, number)
    if as_json:
        return print_json(build)
    print(f"=== Build {build['id']}: {_status(build)}")
    print(f"With:    {build['builder'] or 'not known yet'}")
    for one in build["buildpacks"]:
        print(f"         {buildpack(one)}")
    print(f"Commit:  {build['source']['commit'] or 'a tarball'}")
    print(f"Took:    {_took(build)}")
    if build["error"]:
        print(f"Cause:   {build['error']['cause']}")
        print(f"Fix:     {build['error']['fix']}")
    _print_steps(build)
    print(f"\n{client.build_log(name, number)}", end="")


@cli.command("builds:cancel")
def cancel_build(number: Newest = None, app: AppOption = None, as_json: JsonOption = False) -> None:
    """End a build that runs or waits.

    The old release goes on serving.

    Example: hythe builds:cancel -a shop
    """
    client, name = connect(), chosen(app)
    wanted = number or _under_way(client, name)
    with doing(f"Canceling build {wanted}", as_json):
        build = client.cancel_build(name, wanted)
        deadline = time.monotonic() + CANCEL_SECONDS
        while build["status"] in ("queued", "running"):
            if time.monotonic() > deadline:
                raise Failure(
                    f"Build {wanted} has not ended within {CANCEL_SECONDS:.0f} s.",
                    "It ends when the control plane gets to it: `hythe builds`.",
                )
            time.sleep(0.1)
            build = client.build(name, wanted)
        if build["status"] != "canceled":
            raise Failure(
                f"Build {wanted} had ended before: it {build['status']}.", "See `hythe builds`."
            )
    if as_json:
        print_json(build)


def buildpack(one: UsedBuildpack) -> str:
    """A buildpack with what it was pinned to: `hythe/python 0.1.0`."""
    pinned = f" at {one['pinned']}" if one["pinned"] else ""
    source = f" ({one['source']}{pinned})" if one["source"] else ""
    return f"{one['id']} {one['version']}{source}"


def _under_way(client: Client, app: str) -> int:
    """The newest build that waits or runs."""
    for build in client.builds(app, 50):
        if build["status"] in ("queued", "running"):
            return build["id"]
    raise Failure(f"No build of {app} runs or waits.", "List them: `hythe builds`.")


def _status(build: Build) -> str:
    if build["place"] is not None:
        return f"queued, place {build['place']} in line"
    if build["canceled_by"] and build["status"] == "canceled":
        return f"canceled by {build['canceled_by']}"
    return build["status"]


def _print_steps(build: Build) -> None:
    """Where the time went: each step with its share; a queued build's wait comes first."""
    steps = [(step["name"], step["seconds"]) for step in build["steps"]]
    if build["started_at"]:
        waited = _seconds(build["created_at"], build["started_at"])
        if waited >= 0.1:
            steps.insert(0, ("in line", waited))
    if not steps:
        return
    total = sum(seconds for _, seconds in steps) or 1.0
    print()
    table(
        ("Step", "Seconds", "Share"),
        [(name, f"{seconds:.3f}", f"{seconds / total:4.0%}") for name, seconds in steps],
    )


def _took(build: Build) -> str:
    if build["ended_at"] is None:
        return "waits" if build["status"] == "queued" else "runs"
    start = build["started_at"] or build["created_at"]
    return f"{_seconds(start, build['ended_at']):.1f}s"


def _seconds(start: str, end: str) -> float:
    return (time_of(end) - time_of(start)).total_seconds()
