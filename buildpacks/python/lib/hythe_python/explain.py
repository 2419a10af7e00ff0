"""The cause and the fix of an installation that failed, from what uv said."""

import re

from hythe_buildpack.command import was_killed

from hythe_python.dependencies import PROJECTS
from hythe_python.hooks import MEMORY

LOCK = {"uv.lock": "uv lock", "poetry.lock": "poetry lock", "Pipfile.lock": "pipenv lock"}
# Pattern in uv's output, cause, fix; the first that is found counts. {0} is the pattern's group,
# {file} what declares the dependencies, {where} what the user edits, {lock} how it is locked again.
KNOWN = (
    (
        r"[Bb]ecause ([\w.\[\]-]+) was not found in the package registry",
        "{file} names {0}, which no package index has.",
        "Correct the name in {where}, or remove it{lock}.",
    ),
    (
        r"[Bb]ecause there is no version of (\S+)",
        "{file} asks for {0}, a version that does not exist.",
        "Name a version that exists in {where}{lock}.",
    ),
    (
        r"needs to be updated|lockfile.*outdated",
        "uv.lock does not fit pyproject.toml.",
        "Run `uv lock` and commit uv.lock.",
    ),
    (
        r"[Cc]ouldn't parse requirement in `?([^`]+?)`? at position \d+",
        "{file} has a line that is not a requirement ({0}).",
        "Correct it in {where}{lock}.",
    ),
    (
        r"[Hh]ash mismatch for `([^`]+)`",
        "{0} does not have the hash that {file} names.",
        "Make sure of the package's origin; then write its new hash into {file}.",
    ),
    (
        r"[Bb]ecause (\S+) has no (?:wheels|source distribution)",
        "{0} has no package for this Python on Linux.",
        "Ask for another version in {where}{lock}, or choose another Python.",
    ),
    (
        r"No solution found",
        "The requirements in {file} contradict each other.",
        "Read uv's lines above; loosen one{lock}.",
    ),
    (
        r"[Ff]ailed to (?:fetch|download)|dns error|Connection|error sending request",
        "Packages of {file} could not be downloaded.",
        "Check this machine's network, and the control plane's PIP_INDEX_URL and proxies.",
    ),
    (
        r"[Ff]ailed to build `([^`]+)`",
        "{0} has no ready package for this Python and failed to compile.",
        "Ask for a version in {where} that has a wheel{lock}; or use a Dockerfile.",
    ),
    (
        r"build backend returned an error",
        "A package of {file} could not be built.",
        "Read uv's lines above; ask for a version that has a wheel, or use a Dockerfile.",
    ),
)


def explain(file: str, code: int, output: str) -> tuple[str, str]:
    """`file` is one of dependencies.FILES. Where it is a lock, the fix is in its project's file."""
    if was_killed(code, output):
        return f"Installing {file} needs more memory than a build may use.", MEMORY
    lock = f", and run `{LOCK[file]}`" if file in LOCK else ""
    text = " ".join(re.sub(r"[│├╰─▶\u00d7]+", " ", output).split())
    for pattern, cause, fix in KNOWN:
        if found := re.search(pattern, text):
            words = {"file": file, "where": PROJECTS.get(file, file), "lock": lock}
            groups = found.groups()
            return cause.format(*groups, **words), fix.format(*groups, **words)
    return f"Installing {file} failed: uv ended with exit code {code}.", "Read uv's lines above."
