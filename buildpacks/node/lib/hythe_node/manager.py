"""Which package manager installs: the one whose lockfile the app has."""

from dataclasses import dataclass

from hythe_buildpack.report import stop

from hythe_node.package import Package

LOCKS = {
    "package-lock.json": "npm",
    "npm-shrinkwrap.json": "npm",
    "yarn.lock": "yarn",
    "pnpm-lock.yaml": "pnpm",
}
# The major version to use where packageManager names none.
YARN_CLASSIC, YARN_BERRY, PNPM = "1", "4", "9"
OLD_PNPM = {"5.4": "7", "6.0": "8", "6.1": "8"}  # by lockfileVersion


@dataclass(frozen=True)
class Manager:
    """A package manager, and the commands to run."""

    name: str  # npm | yarn | pnpm
    lock: str | None
    version: str | None = None  # to install; None is the one that comes with Node
    berry: bool = False

    @property
    def spec(self) -> str | None:
        """What npm must install to have it."""
        if self.version is None:
            return None
        name = "@yarnpkg/cli-dist" if self.berry else self.name
        return f"{name}@{self.version}"

    def install(self, *, production: bool) -> list[str]:
        """The command that installs exactly what the lockfile says."""
        if self.name == "npm":
            omit = ["--omit=dev"] if production else ["--include=dev"]
            verb = "ci" if self.lock else "install"
            return ["npm", verb, *omit, "--no-audit", "--no-fund", "--loglevel=error"]
        if self.name == "pnpm":
            only = ["--prod"] if production else ["--prod=false"]
            return ["pnpm", "install", "--frozen-lockfile", "--reporter=append-only", *only]
        if not self.berry:
            kind = "true" if production else "false"
            flags = ["--frozen-lockfile", "--non-interactive", "--ignore-engines", "--silent"]
            return ["yarn", "install", *flags, f"--production={kind}"]
        if production:
            return ["yarn", "workspaces", "focus", "--production", "--all"]
        return ["yarn", "install", "--immutable"]

    def run(self, script: str) -> list[str]:
        return [self.name, "run", script]


def choose(package: Package) -> Manager:
    """The manager of the app's only lockfile; npm where there is none."""
    found = [name for name in LOCKS if (package.app / name).is_file()]
    managers = {LOCKS[name] for name in found}
    if len(managers) > 1:
        stop(
            f"The app has {' and '.join(found)}; only one can decide what is installed.",
            "Keep the one of the package manager that you use, and delete the other.",
        )
    wanted = package.manager_version
    if not found:
        return Manager("npm", None)
    name, lock = LOCKS[found[0]], found[0]
    version = wanted[1] if wanted and wanted[0] == name else None
    text = (package.app / lock).read_text(errors="replace")
    if name == "yarn":
        berry = "__metadata:" in text
        version = version or (YARN_BERRY if berry else YARN_CLASSIC)
        return Manager(name, lock, version, berry=berry and not version.startswith("1."))
    if name == "pnpm":
        return Manager(name, lock, version or _pnpm_for(text))
    return Manager(name, lock, version)


def _pnpm_for(text: str) -> str:
    first = text.split("\n", 1)[0]
    return OLD_PNPM.get(first.partition(":")[2].strip().strip("'\""), PNPM)
