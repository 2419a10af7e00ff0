"""hythe ps:sleep."""

from typing import Annotated

import typer

from hythe.cli.answers import Sleep
from hythe.cli.client import connect
from hythe.cli.failure import Misuse
from hythe.cli.output import doing, print_json, span, span_of
from hythe.cli.registry import AppOption, JsonOption, chosen, cli


@cli.command("ps:sleep")
def sleep(
    process: Annotated[str, typer.Argument(metavar="TYPE", help="web: requests wake it.")] = "web",
    after: Annotated[
        str | None, typer.Option("--after", help="Without a request: 30m, 2h, 1d.")
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="Never sleep again.")] = False,
    app: AppOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stop web while nobody asks; a request wakes it.

    That request is held until an instance is up. Without --after or --off: show.

    Example: hythe ps:sleep web --after 30m
    """
    if process != "web":
        raise Misuse(f"'{process[:40]}' cannot sleep.", "Only web can: requests wake it.")
    if off and after is not None:
        raise Misuse("--after and --off exclude each other.", "Choose one.")
    seconds = span_of(after) if after is not None else None
    if after is not None and seconds is None:
        raise Misuse(f"'{after[:20]}' is not a time.", "Write it as 30m, 2h or 1d.")
    client, name = connect(), chosen(app)
    if seconds is not None:
        with doing(f"Letting {name} sleep", as_json) as line:
            shown = client.let_sleep(name, int(seconds))
            line.done(f"after {after} without a request")
    elif off:
        with doing(f"Keeping {name} awake", as_json):
            shown = client.keep_awake(name)
    else:
        shown = client.sleep(name)
        if not as_json:
            print(said(shown) or f"{name} never sleeps. Let it: `hythe ps:sleep web --after 30m`.")
    if as_json:
        print_json(shown)


def said(shown: Sleep) -> str:
    """`asleep for 3h; a request wakes it`, or when it will sleep; nothing if it never does."""
    if shown["after"] is None:
        return ""
    if shown["state"] == "asleep" and shown["since"]:
        return f"asleep for {span(shown['since'])}; a request wakes it"
    return f"sleeps after {shown['after'] / 60:.3g} min without a request"
