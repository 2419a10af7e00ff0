"""The Procfile as buildpacks see it: roughly. The platform reads it strictly, after them."""

import re

# static/bin/detect has the same of `web`, for grep.
_LINE = re.compile(r"^[^\S\n]*([\w-]+)[^\S\n]*:[^\S\n]*(\S.*)$", re.MULTILINE)


def declared(text: str) -> dict[str, str]:
    """What a Procfile declares: {process type: command}."""
    return dict(_LINE.findall(text))
