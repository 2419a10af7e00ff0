"""hythe disk."""

from hythe.cli.answers import DiskUse
from hythe.cli.client import connect
from hythe.cli.output import day, print_json, table
from hythe.cli.registry import JsonOption, cli


@cli.command("disk")
def show_disk(as_json: JsonOption = False) -> None:
    """Show what is free, taken, and was pruned.

    Images and build caches are pruned by age, count and budget; volumes never.
    """
    use = connect().disk()
    if as_json:
        return print_json(use)
    for disk in use["disks"]:
        print(f"=== {' and '.join(disk['folders'])}")
        print(f"Free:    {_size(disk['free'])} of {_size(disk['total'])}")
    print(f"Reserve: {_size(use['reserve'])}, without which no build starts")
    print(f"Budget:  {_size(use['budget']) if use['budget'] else 'none'}")
    if use["total"] is None or use["measured_at"] is None:
        return print("Taken:   not measured yet")
    print(f"Taken:   {_size(use['total'])} by images and build caches, {day(use['measured_at'])}")
    _print_apps(use)


def _print_apps(use: DiskUse) -> None:
    if use["apps"]:
        print()
        table(
            ("App", "Images", "Size", "Cache"),
            [
                (
                    share["app"],
                    str(share["images"]),
                    _size(share["image_bytes"]),
                    _size(share["cache_bytes"]),
                )
                for share in use["apps"]
            ],
        )
    if use["pruned"]:
        print()
        table(
            ("Pruned", "App", "What and why"),
            [(day(each["at"]), each["app"] or "", each["message"]) for each in use["pruned"]],
        )


def _size(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
