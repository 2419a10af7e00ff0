"""hythe apps, apps:create, apps:info, apps:destroy, git:remote, open."""

import sys
from typing import Annotated

import typer

from hythe.cli import credentials, git
from hythe.cli.answers import Traffic
from hythe.cli.client import Client, connect
from hythe.cli.failure import Misuse
from hythe.cli.output import day, doing, print_json
from hythe.cli.registry import AppOption, JsonOption, chosen, cli


@cli.command("apps")
def list_apps(as_json: JsonOption = False) -> None:
    """List apps."""
    apps = connect().apps()
    if as_json:
        return print_json(apps)
    for app in apps:
        print(app["name"] + (" (asleep)" if app["state"] == "asleep" else ""))
    if not apps:
        print("No apps yet. Create one: `hythe apps:create`.", file=sys.stderr)


@cli.command("apps:create")
def create_app(
    name: Annotated[str | None, typer.Argument(help="Made up when absent.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Create an app, and its git remote.

    The remote is added where the command runs in a repository that has none.

    Example: hythe apps:create shop
    """
    client = connect()
    with doing(f"Creating {name or 'app'}", as_json) as line:
        app = client.create_app(name)
        if not name:
            line.done(app["name"])
    remote = git.inside() and git.app_of_remote() is None
    if remote:
        _set_remote(client, app["git_url"])
    if as_json:
        return print_json(app)
    print(f"{app['url']} | {app['git_url']}")
    if remote:
        print(f"Git remote `{git.REMOTE}` added. Deploy: `git push hythe {app['deploy_branch']}`")


@cli.command("apps:info")
def show_app(app: AppOption = None, as_json: JsonOption = False) -> None:
    """Show an app."""
    client, name = connect(), chosen(app)
    shown = client.app(name)
    if as_json:
        return print_json(shown)
    formation = [f"{item['process']}={item['quantity']}" for item in client.formation(name)]
    release = f"v{shown['release']}" if shown["release"] else "none yet"
    print(f"=== {shown['name']}")
    print(f"URL:           {shown['url']}")
    print(f"Git URL:       {shown['git_url']} (branch {shown['deploy_branch']})")
    print(f"Domains:       {', '.join(shown['hosts'])}")
    print(f"Release:       {release}")
    print(f"Formation:     {' '.join(formation) or 'none yet'}")
    if shown["builder"]:
        print(f"Built with:    {shown['builder']}")
        print(f"Runs as:       {shown['user'] or 'the user of its image'}")
        print(f"Capabilities:  {', '.join(shown['capabilities']) or 'none'}")
    print(f"Traffic:       {_traffic(client.traffic(name))}")
    print(f"Created:       {day(shown['created_at'])}")


def _traffic(counted: Traffic) -> str:
    """What the router counted, in one line."""
    if not counted["known"]:
        return "unknown: no router answers on this machine"
    line = f"{counted['requests']:,} requests since the router started"
    if counted["requests"]:
        p50, p95, p99 = (1000 * counted[key] for key in ("p50", "p95", "p99"))
        times = f"p50 {p50:.3g} ms, p95 {p95:.3g} ms, p99 {p99:.3g} ms"
        line += f", {counted['in_flight']} now; {times}"
    failed = counted["statuses"].get("5xx", 0)
    return line + (f"; {failed:,} failed (5xx)" if failed else "")


@cli.command("apps:destroy")
def destroy_app(
    name: Annotated[str | None, typer.Argument(help="The app; --app works too.")] = None,
    app: AppOption = None,
    confirm: Annotated[str | None, typer.Option(metavar="NAME", help="Its name again.")] = None,
) -> None:
    """Destroy an app and all that belongs to it.

    Example: hythe apps:destroy shop --confirm shop
    """
    target = chosen(name or app)
    if confirm is None and sys.stdin.isatty():
        confirm = input(f"This destroys {target} for good. Type its name to go on: ")
    if confirm != target:
        raise Misuse(f"{target} was not destroyed.", f"Confirm with `--confirm {target}`.")
    with doing(f"Destroying {target}"):
        connect().destroy_app(target, confirm)


@cli.command("git:remote")
def add_remote(app: AppOption = None) -> None:
    """Add the git remote `hythe`, which deploys an app."""
    if not git.inside():
        raise Misuse("This folder is no git repository.", "Make it one: `git init`.")
    client = connect()
    shown = client.app(chosen(app))
    _set_remote(client, shown["git_url"])
    print(f"Git remote `{git.REMOTE}` is {shown['git_url']}")


def _set_remote(client: Client, git_url: str) -> None:
    path = credentials.default_path()
    pinned = credentials.certificate_file(path, client.url) if client.pinned else None
    git.set_remote(git_url, path, pinned)


@cli.command("open")
def open_app(app: AppOption = None) -> None:
    """Print an app's address, and open it in the browser."""
    url = connect().app(chosen(app))["url"]
    print(url)
    if sys.stdout.isatty():
        import webbrowser

        webbrowser.open(url)
