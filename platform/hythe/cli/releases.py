"""hythe releases, releases:info, diff, promote, abort, redeploy, and rollback."""

from typing import Annotated

import typer

from hythe.cli.answers import Change, Switch
from hythe.cli.builds import buildpack
from hythe.cli.client import Client, connect
from hythe.cli.failure import Failure
from hythe.cli.output import day, doing, print_json, table
from hythe.cli.registry import AppOption, JsonOption, LimitOption, chosen, cli, version_of
from hythe.cli.waiting import release_name, until_live

Version = Annotated[str, typer.Argument(metavar="vN")]
MaybeVersion = Annotated[str | None, typer.Argument(metavar="[vN]")]


@cli.command("releases")
def list_releases(
    app: AppOption = None, num: LimitOption = 15, as_json: JsonOption = False
) -> None:
    """List releases, newest first."""
    releases = connect().releases(chosen(app), num)
    if as_json:
        return print_json(releases)
    table(
        ("Version", "Description", "By", "When", ""),
        [
            (
                f"v{item['version']}",
                item["description"],
                item["created_by"],
                day(item["created_at"]),
                "serving" if item["serving"] else "",
            )
            for item in releases
        ],
    )


@cli.command("releases:info")
def show_release(version: Version, app: AppOption = None, as_json: JsonOption = False) -> None:
    """Show a release."""
    release = connect().release(chosen(app), version_of(version))
    if as_json:
        return print_json(release)
    source = release["source"]
    print(f"=== Release v{release['version']}{' (serving)' if release['serving'] else ''}")
    print(f"Description:  {release['description']}")
    print(f"By:           {release['created_by']}")
    print(f"When:         {day(release['created_at'])}")
    if source and source["commit"]:
        print(f"Commit:       {source['commit']} {source['message'] or ''}".rstrip())
    for one in release["buildpacks"]:
        print(f"Built with:   {buildpack(one)}")
    print(f"Image:        {release['image']}")
    if release["switch"]:
        print(f"Switch:       {_switch(release['switch'])}")
    for process, command in release["processes"].items():
        print(f"{f'{process}:':<13} {command or 'the command of the image'}")


def _switch(counted: Switch) -> str:
    """`1,204 requests, 0 failed`, and by what they failed."""
    said = f"{counted['requests']:,} requests, {counted['failed']:,} failed"
    if counted["failed"] and counted["errors"]:
        said += f" ({', '.join(f'{n} x {code}' for code, n in sorted(counted['errors'].items()))})"
    return said if counted["ended_at"] else f"{said} so far"


@cli.command("releases:diff")
def diff_releases(
    before: Version, after: Version, app: AppOption = None, as_json: JsonOption = False
) -> None:
    """Compare two releases.

    Of config vars it shows the keys only.
    """
    diff = connect().diff(chosen(app), version_of(before), version_of(after))
    if as_json:
        return print_json(diff)
    print(f"=== v{diff['before']} -> v{diff['after']}")
    lines = _changed("commit", diff["commit"]) + _changed("image", diff["image"])
    for process, change in diff["processes"].items():
        lines += _changed(process, change)
    lines += [f"+ config {key}" for key in diff["config_added"]]
    lines += [f"- config {key}" for key in diff["config_removed"]]
    lines += [f"~ config {key}" for key in diff["config_changed"]]
    print("\n".join(lines) or "Nothing differs.")


@cli.command("releases:promote")
def promote(
    version: MaybeVersion = None, app: AppOption = None, as_json: JsonOption = False
) -> None:
    """Give a canary all of the traffic at once."""
    client, name = connect(), chosen(app)
    number = version_of(version) if version else _taking_over(client, name)
    with doing(f"Promoting v{number} of {name}", as_json):
        deployment = until_live(client, name, client.decide(name, number, "promote"))
    if as_json:
        print_json(deployment)


@cli.command("releases:abort")
def abort(version: MaybeVersion = None, app: AppOption = None, as_json: JsonOption = False) -> None:
    """Give up a release that is taking over."""
    client, name = connect(), chosen(app)
    number = version_of(version) if version else _taking_over(client, name)
    with doing(f"Aborting v{number} of {name}", as_json):
        deployment = client.decide(name, number, "abort")
    if as_json:
        print_json(deployment)


def _taking_over(client: Client, app: str) -> int:
    """The version that does."""
    for one in client.deployments(app, 20):
        if one["status"] == "rolling" and one["release"]:
            return one["release"]
    raise Failure(f"No release of {app} is taking over now.", "See `hythe releases`.")


@cli.command("releases:redeploy")
def redeploy(
    version: MaybeVersion = None, app: AppOption = None, as_json: JsonOption = False
) -> None:
    """Release an image again, with today's config."""
    client, name = connect(), chosen(app)
    what = version_of(version) if version else None
    with doing(f"Redeploying {name}{f' v{what}' if what else ''}", as_json) as line:
        deployment = until_live(client, name, client.redeploy(name, what))
        line.done(release_name(deployment))
    if as_json:
        print_json(deployment)


@cli.command("rollback")
def rollback(
    version: MaybeVersion = None,
    app: AppOption = None,
    run_release_phase: Annotated[
        bool, typer.Option("--release-phase", help="Run the release phase too.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Go back to an earlier release.

    Without vN it is the one before the serving one.

    Example: hythe rollback v10
    """
    client, name = connect(), chosen(app)
    what = version_of(version) if version else None
    answer = client.rollback(name, what, run_release_phase)
    base = answer["deployment"]["description"].rpartition(" ")[2]
    with doing(f"Rolling back {name} to {base}", as_json) as line:
        answer["deployment"] = until_live(client, name, answer["deployment"])
        line.done(release_name(answer["deployment"]))
    if as_json:
        return print_json(answer)
    if answer["changed_config"]:
        print(f"Changed config vars: {', '.join(answer['changed_config'])}")


def _changed(name: str, change: Change | None) -> list[str]:
    if change is None:
        return []
    lines = [f"- {name}: {change['before']}"] if change["before"] is not None else []
    return lines + ([f"+ {name}: {change['after']}"] if change["after"] is not None else [])
