"""What a lock of another tool says, as requirements with hashes that uv installs as they are."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pin:
    """One package: `flask==3.1.3`, or `shop @ git+https://...@COMMIT`; the hashes it may have."""

    requirement: str
    hashes: tuple[str, ...] = ()  # sha256:...
    marker: str = ""

    @property
    def line(self) -> str:
        marker = f" ; {self.marker}" if self.marker else ""
        return " \\\n    ".join(
            [self.requirement + marker, *(f"--hash={each}" for each in self.hashes)]
        )


@dataclass(frozen=True)
class Lock:
    pins: tuple[Pin, ...]
    indexes: tuple[str, ...] = ()  # addresses of package indexes beside the operator's own

    @property
    def requirements(self) -> str:
        """A requirements file."""
        return "".join(f"{pin.line}\n" for pin in self.pins)

    @property
    def hashed(self) -> bool:
        """Whether all have hashes; what comes from git or a folder has none."""
        return all(pin.hashes for pin in self.pins)

    @property
    def options(self) -> list[str]:
        """Options of `uv pip install` that go with the file.

        The hashes say which file is the right one, so any index may be asked for it.
        """
        options = ["--no-deps"]
        if self.pins and self.hashed:
            options.append("--require-hashes")
        for address in self.indexes:
            options += ["--extra-index-url", address]
        if self.indexes:
            options += ["--index-strategy", "unsafe-best-match"]
        return options
