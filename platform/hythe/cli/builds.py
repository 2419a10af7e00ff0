"""hythe builds, builds:info."""

from typing import Annotated

import typer

from hythe.cli.answers import UsedBuildpack
from hythe.cli.client import connect
from hythe.cli.output import day, print_json, table, time_of
from hythe.cli.registry import AppOption, JsonOption, LimitOption, chosen, cli

Number = Annotated[int, typer.Argument(metavar="BUILD", min=1)]


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
                item["status"],
                item["builder"] or "",
                (item["source"]["commit"] or "")[:7],
                day(item["created_at"]),
                _took(item["created_at"], item["ended_at"]),
            )
            for item in builds
        ],
    )


@cli.command("builds:info")
def show_build(number: Number, app: AppOption = None, as_json: JsonOption = False) -> None:
    """Show a build and what it printed."""
    client, name = connect(), chosen(app)
    build = client.build(name, number)
    if as_json:
        return print_json(build)
    print(f"=== Build {build['id']}: {build['status']}")
    print(f"With:    {build['builder'] or 'not known yet'}")
    for one in build["buildpacks"]:
        print(f"         {buildpack(one)}")
    print(f"Commit:  {build['source']['commit'] or 'a tarball'}")
    print(f"Took:    {_took(build['created_at'], build['ended_at'])}")
    if build["error"]:
        print(f"Cause:   {build['error']['cause']}")
        print(f"Fix:     {build['error']['fix']}")
    print(f"\n{client.build_log(name, number)}", end="")


def buildpack(one: UsedBuildpack) -> str:
    """A buildpack with what it was pinned to: `hythe/python 0.1.0`."""
    pinned = f" at {one['pinned']}" if one["pinned"] else ""
    source = f" ({one['source']}{pinned})" if one["source"] else ""
    return f"{one['id']} {one['version']}{source}"


def _took(start: str, end: str | None) -> str:
    return f"{(time_of(end) - time_of(start)).total_seconds():.1f}s" if end else "runs"
