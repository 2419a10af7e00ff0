"""The web process that a buildpack declares in launch.toml."""

from pathlib import Path

TOGETHER = """#!/bin/bash
# Runs what makes up this web process together: when one ends, all end.
trap 'kill -TERM $children 2>/dev/null' TERM INT
children=
{starts}
wait -n
code=$?
kill -TERM $children 2>/dev/null
wait
exit $code
"""


def declare_web(layers: Path, line: str) -> None:
    """A shell line as the default web process."""
    quoted = line.replace("\\", "\\\\").replace('"', '\\"')
    process = f'[[processes]]\ntype = "web"\ncommand = ["bash", "-c", "{quoted}"]\ndefault = true\n'
    (layers / "launch.toml").write_text(process)


def together(script: Path, lines: list[str]) -> str:
    """The shell line that runs several shell lines at once, through a script that it writes."""
    starts = "\n".join(f'({line}) &\nchildren="$children $!"' for line in lines)
    script.write_text(TOGETHER.format(starts=starts))
    script.chmod(0o755)
    return f"exec {script}"
