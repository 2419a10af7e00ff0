"""What must be known of a Dockerfile before it is built: which builder can, and its arguments."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

# Reach every RUN step of either builder, and stay out of the image's history unless declared.
PREDEFINED = frozenset(
    name
    for each in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY")
    for name in (each, each.lower())
)
# The flags that the classic builder knows.
CLASSIC_FLAGS = {
    "FROM": {"platform"},
    "COPY": {"chown", "from"},
    "ADD": {"chown"},
    "HEALTHCHECK": {"interval", "timeout", "start-period", "retries"},
}

_DIRECTIVE = re.compile(r"#\s*(\w+)\s*=\s*(\S+)\s*")
_INSTRUCTION = re.compile(r"(?:ONBUILD\s+)?([A-Z]+)\s+(.*)", re.IGNORECASE | re.DOTALL)
_FLAG = re.compile(r"--([\w-]+)\S*\s+")
_HEREDOC = re.compile(r"(?<!<)<<-?['\"]?[A-Za-z_]")
_PLATFORM_ARGUMENT = re.compile(r"\b(?:BUILD|TARGET)(?:PLATFORM|OS|ARCH|VARIANT)\b")


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """`buildkit` names what only BuildKit can do; the classic builder builds all else."""

    buildkit: str | None
    declared: frozenset[str]  # names in its ARG instructions

    @classmethod
    def read(cls, path: Path) -> "Dockerfile":
        lines = path.read_text(errors="replace").lstrip("\ufeff").splitlines()
        directives = _directives(lines)
        found = list(_instructions(lines, directives.get("escape", "\\")))
        if "syntax" in directives:
            reason: str | None = "# syntax="
        elif path.with_name(f"{path.name}.dockerignore").is_file():
            reason = f"{path.name}.dockerignore"
        else:
            reason = next(filter(None, (_beyond_classic(*each) for each in found)), None)
        arguments = (text.split() for name, text in found if name == "ARG")
        names = (word.partition("=")[0] for words in arguments for word in words)
        return cls(reason, frozenset(names))

    def accepted(self, args: Mapping[str, str]) -> dict[str, str]:
        """The arguments that reach a step without a trace in the image."""
        return {
            name: value
            for name, value in args.items()
            if name in PREDEFINED and name not in self.declared
        }

    def withheld(self, args: Mapping[str, str]) -> list[str]:
        """What it declares and does not get: a declared argument stays in the image's history."""
        return sorted(self.declared & args.keys())


def _directives(lines: Iterable[str]) -> dict[str, str]:
    """The parser directives; the first line that is none ends them."""
    found: dict[str, str] = {}
    for line in lines:
        directive = _DIRECTIVE.fullmatch(line)
        if not directive:
            break
        found[directive[1].lower()] = directive[2]
    return found


def _instructions(lines: Iterable[str], escape: str) -> Iterator[tuple[str, str]]:
    """Name and text of each instruction, continued lines joined."""
    text = ""
    for line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        text += line.strip()
        if text.endswith(escape):
            text = text.removesuffix(escape) + " "
            continue
        if instruction := _INSTRUCTION.fullmatch(text):
            yield instruction[1].upper(), instruction[2]
        text = ""


def _beyond_classic(name: str, text: str) -> str | None:
    if argument := _PLATFORM_ARGUMENT.search(text):
        return argument[0]
    while flag := _FLAG.match(text):
        if flag[1] not in CLASSIC_FLAGS.get(name, ()):
            return f"{name} --{flag[1]}"
        text = text[flag.end() :]
    if name in ("RUN", "COPY", "ADD") and _HEREDOC.search(text):
        return f"{name} <<"
    return None
