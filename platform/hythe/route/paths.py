"""Paths as rules see them. A request is sent on as it came; only a copy is compared with prefixes.

Servers do not agree on what a path means: some take `%2F` for a slash, some merge `//`, some
resolve `..` before and some after that. A rule that looked at one reading could be walked around
with another, so `readings` gives them all, and a path whose readings fall under different rules is
refused.
"""

import re

_UNRESERVED = re.compile(r"%([0-9A-Fa-f]{2})")
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_SLASH = re.compile(r"%2f|%5c", re.IGNORECASE)
_MANY = re.compile(r"//+")
_ODD = re.compile(r"%|//|/\.|;")


def readings(target: bytes) -> set[str]:
    """Every path that a server may read in a request target (origin-form or `*`), at least one."""
    path = target.partition(b"?")[0].decode("latin-1")
    if path == "*":
        return {"/"}
    if not _ODD.search(path):
        return {path}
    plain = _UNRESERVED.sub(_decoded, path)  # means the same for everyone: RFC 3986, 6.2.2.2
    found = {plain, _SLASH.sub("/", plain)}
    found |= {_MANY.sub("/", one) for one in found}
    return found | {_MANY.sub("/", _resolved(one)) for one in found} | set(map(_resolved, found))


def under(path: str, prefix: str) -> bool:
    """Whether a path is the prefix, or below it."""
    return path.startswith(prefix) and (len(path) == len(prefix) or path[len(prefix)] == "/")


def _decoded(match: re.Match[str]) -> str:
    char = chr(int(match[1], 16))
    return char if char in _PLAIN else match[0]


def _resolved(path: str) -> str:
    """Without dot segments (RFC 3986, 5.2.4). `..;x` counts too: some servers cut off at `;`."""
    kept: list[str] = []
    *segments, last = path.split("/")[1:]
    for segment in segments:
        _step(kept, segment)
    _step(kept, last)
    if last.partition(";")[0] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def _step(kept: list[str], segment: str) -> None:
    name = segment.partition(";")[0]
    if name == "..":
        if kept:
            kept.pop()
    elif name != ".":
        kept.append(segment)
