"""hythe apply."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from hythe.cli.answers import ManifestChange
from hythe.cli.client import connect
from hythe.cli.deploy import follow
from hythe.cli.failure import Failure, Misuse
from hythe.cli.output import print_json
from hythe.cli.registry import AppOption, JsonOption, chosen, cli
from hythe.cli.waiting import succeeded


@cli.command("apply")
def apply(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="YAML or JSON; - is the input.")],
    app: AppOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the difference.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove things without asking.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make an app match a manifest.

    The app is created when it is missing.

    Example: hythe apply shop.yaml --dry-run
    """
    document = _read(file)
    named = document.get("name")
    name = app or (named if isinstance(named, str) and named else None) or chosen(None)
    client = connect()
    plan = client.apply_manifest(name, document, dry_run=True)
    if not as_json:
        for warning in plan["warnings"]:
            print(f" !    {warning}", file=sys.stderr)
        print("\n".join(_lines(name, plan["changes"])))
    if dry_run or not plan["changes"]:
        if as_json:
            print_json(plan)
        return
    _confirm(plan["changes"], yes)
    applied = client.apply_manifest(name, document, dry_run=False)
    if applied["deployment"] is not None:
        ended = follow(client, name, applied["deployment"], quiet=as_json)
        applied["deployment"] = ended
        if as_json:
            print_json(applied)
        succeeded(ended)
    elif as_json:
        print_json(applied)
    if not as_json:
        print(f"{name} matches {file}")


def _read(file: Path) -> dict[str, Any]:
    import yaml  # late: it takes as long to import as most commands run

    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}.", "Check the path.") from None
    except UnicodeDecodeError:
        raise Failure(f"{file} is not UTF-8.", "Save it as UTF-8.") from None
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        raise Failure(f"{file} is neither YAML nor JSON{where}.", "Correct it.") from None
    if not isinstance(document, dict):
        raise Failure(f"{file} holds no object.", "Begin with a key, such as `name: shop`.")
    return document


def _lines(app: str, changes: Sequence[ManifestChange]) -> list[str]:
    """The difference: + what is new, - what goes, ~ what changes."""
    if not changes:
        return [f"{app} matches already; there is nothing to change."]
    lines = [f"{app}:"]
    for change in changes:
        before, after = change["before"], change["after"]
        if before is None:
            lines.append(f"  + {change['path']}: {after}")
        elif after is None:
            lines.append(f"  - {change['path']}: {before}")
        elif before == after:
            lines.append(f"  ~ {change['path']}: another value")
        else:
            lines.append(f"  ~ {change['path']}: {before} -> {after}")
    return lines


def _confirm(changes: Sequence[ManifestChange], yes: bool) -> None:
    """Ask before anything is removed."""
    gone = [change["path"] for change in changes if change["after"] is None]
    if not gone or yes:
        return
    if not sys.stdin.isatty():
        raise Misuse(f"This removes {', '.join(gone)}.", "Add --yes, or --dry-run to look only.")
    if input(f"This removes {', '.join(gone)}. Go on? [y/N] ").strip().lower() not in ("y", "yes"):
        raise Misuse("Nothing was changed.", "Add --yes to go on without a question.")
