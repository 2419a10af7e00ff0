"""The folder that a server in front of the app serves itself, at /static/."""

from pathlib import Path

FOLDERS = ("staticfiles", "static")


def folder(app: Path) -> Path | None:
    return next((app / name for name in FOLDERS if (app / name).is_dir()), None)
