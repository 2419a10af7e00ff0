"""Django's static files, collected during the build."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from hythe_buildpack.command import last_line, run, was_killed
from hythe_buildpack.report import detail, step, stop, warn

from hythe_python.hooks import MEMORY

SKIP = "DISABLE_COLLECTSTATIC"
COMMAND = "python manage.py collectstatic --noinput"
_UNSET = "without having set the STATIC_ROOT setting"


def collect_static(app: Path, env: Mapping[str, str]) -> None:
    """Run collectstatic where the project has it; its failure fails the build.

    Django refuses it before it does anything when STATIC_ROOT is not set, so no settings are read
    here for that.
    """
    if not (app / "manage.py").is_file():
        return
    if os.environ.get(SKIP, "0").lower() not in ("", "0", "false", "no"):
        step(f"Not collecting static files: {SKIP} is set")
        return
    step("Collecting static files")
    code, output = run(COMMAND.split(), cwd=app, env=env, quiet=True)
    if "Unknown command: 'collectstatic'" in output:
        detail("django.contrib.staticfiles is not among the INSTALLED_APPS: there are none")
    elif code != 0 and _UNSET in output:
        warn("STATIC_ROOT is not set, so no static files are collected.")
        warn('Add to the settings: STATIC_ROOT = BASE_DIR / "staticfiles"')
    elif code != 0:
        for line in output.splitlines()[-20:]:
            detail(line)
        stop(*explain(code, output))
    else:
        detail(last_line(output).replace(f"{app}/", ""))


def explain(code: int, output: str) -> tuple[str, str]:
    """The cause and the fix of a collectstatic that failed."""
    if was_killed(code, output):
        return "collectstatic needs more memory than a build may use.", MEMORY
    last = last_line(output)
    skip = f"`hythe config:set --build {SKIP}=1` builds without it."
    if name := re.search(r"KeyError: '([A-Z][A-Z0-9_]*)'|[Ss]et the ([A-Z][A-Z0-9_]*) env", last):
        variable = name[1] or name[2]
        return (
            f"collectstatic failed: the settings need {variable}, which the build does not have.",
            f"Let builds see it (hythe config:set --build {variable}=...), or give it a default in"
            f" the settings.",
        )
    if module := re.search(r"No module named '([\w.]+)'", last):
        return (
            f"collectstatic failed: there is no module {module[1]}.",
            "Add its package to the app's dependencies (not to those for development).",
        )
    if "could not be found with" in last or "Missing staticfiles manifest entry" in last:
        return (
            f"collectstatic failed: {last}",
            "A style sheet or script names a file that is not there: add it, or correct the path."
            f" {skip}",
        )
    return (
        f"collectstatic failed: {last}",
        f"`{COMMAND}` must work in a fresh clone, without the running app's config. {skip}",
    )
