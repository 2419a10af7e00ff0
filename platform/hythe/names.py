"""Names: what users may choose, and what Hythe derives from it.

Derived names are deterministic, so that a repeated create finds its earlier self. They carry the
installation's id, so that two installations on one machine do not meet.
"""

import re
from dataclasses import dataclass

from hythe.errors import InvalidName

LABEL_INSTALLATION = "io.hythe.installation"
LABEL_KIND = "io.hythe.kind"  # instance | build | spare | release-phase | run
LABEL_APP = "io.hythe.app"  # the app's id
LABEL_APP_NAME = "io.hythe.app-name"
LABEL_PROCESS = "io.hythe.process"
LABEL_INDEX = "io.hythe.index"
LABEL_RELEASE = "io.hythe.release"  # the version, an integer
LABEL_DEPLOYMENT = "io.hythe.deployment"
LABEL_INSTANCE = "io.hythe.instance"  # the instance row's id
LABEL_BUILD = "io.hythe.build"
LABEL_RUN = "io.hythe.run"  # the run row's id

_APP = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
_PROCESS = re.compile(r"[A-Za-z0-9_-]{1,63}")
_CONFIG_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_USER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")
_HOST_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+")
RESERVED_APPS = frozenset({"hythe", "api", "www", "dashboard", "follow"})


def app_name(value: str) -> str:
    """Return value if it may name an app (a DNS label of at most 40), else raise InvalidName."""
    if not _APP.fullmatch(value):
        raise InvalidName(
            f"'{value[:60]}' is not a valid app name.",
            "Use 1 to 40 of a-z, 0-9 and -, starting with a letter, not ending with -.",
        )
    if value in RESERVED_APPS:
        raise InvalidName(f"'{value}' is reserved.", "Choose another name.")
    return value


def process_type(value: str) -> str:
    if not _PROCESS.fullmatch(value):
        raise InvalidName(
            f"'{value[:80]}' is not a valid process type.",
            "Use at most 63 letters, digits, - and _.",
        )
    return value


def user_name(value: str) -> str:
    if not _USER.fullmatch(value):
        raise InvalidName(
            f"'{value[:80]}' is not a valid user name.",
            "Use at most 64 letters, digits and . _ @ + -, starting with a letter or digit.",
        )
    return value


def config_key(value: str) -> str:
    if not _CONFIG_KEY.fullmatch(value):
        raise InvalidName(
            f"'{value[:80]}' is not a valid config key.",
            "Use letters, digits and _, not starting with a digit.",
        )
    if value == "PORT" or value.startswith("HYTHE_"):
        raise InvalidName(f"{value} is set by Hythe.", "Choose another key.")
    return value


def host_name(value: str) -> str:
    """Return value in lower case without its trailing dot if it is a host name (RFC 1123)."""
    host = value.lower().rstrip(".")
    if len(host) > 253 or not all(_HOST_LABEL.fullmatch(part) for part in host.split(".")):
        raise InvalidName(
            f"'{value[:80]}' is not a valid domain.", "Use a name such as shop.example.com."
        )
    return host


def place(value: str, path: str = "") -> str:
    """Where an app may answer, as the route table has it: a host name, `*.` before one for all
    names below it, and a path of plain segments. Raises InvalidName."""
    star = "*." if value.startswith("*.") else ""
    host = star + host_name(value.removeprefix(star))
    below = path.rstrip("/")
    if not below:
        return host
    if not _PATH.fullmatch(below) or {".", ".."} & set(below.split("/")):
        raise InvalidName(
            f"'{path[:80]}' is not a valid path.",
            "Use a path such as /shop, of letters, digits and ._~- between the slashes.",
        )
    return host + below


def host_label(process: str) -> str:
    """A process type as a DNS label, for an instance's host name."""
    return re.sub(r"[^a-z0-9]+", "-", process.lower()).strip("-")[:50] or "process"


@dataclass(frozen=True, slots=True)
class Names:
    """The names that one installation derives."""

    installation: str  # six characters of a-z0-9

    @property
    def prefix(self) -> str:
        return f"hythe-{self.installation}"

    @property
    def labels(self) -> dict[str, str]:
        """The label that everything of this installation carries."""
        return {LABEL_INSTALLATION: self.installation}

    def network(self, app_id: int) -> str:
        return f"{self.prefix}-app{app_id}"

    @property
    def bridge_prefix(self) -> str:
        return f"hy{self.installation}"

    def bridge(self, app_id: int) -> str:
        """The bridge's interface name, at most 15 characters (IFNAMSIZ)."""
        return f"{self.bridge_prefix}{app_id:x}"

    @property
    def build_network(self) -> str:
        return f"{self.prefix}-builds"

    @property
    def build_bridge(self) -> str:
        """No app's bridge is named so: those end in a hexadecimal number."""
        return f"{self.bridge_prefix}-build"

    def instance(self, app: str, process: str, index: int, instance_id: int) -> str:
        """A container name; `.` separates, since no part may hold it."""
        return f"{self.prefix}.{app}.{process}.{index}.i{instance_id}"

    def build(self, app: str, build_id: int) -> str:
        return f"{self.prefix}.{app}.build.{build_id}"

    def spare(self, number: int) -> str:
        """A build container that no build has taken yet."""
        return f"{self.prefix}.spare.{number}"

    def release_phase(self, app: str, deployment_id: int) -> str:
        return f"{self.prefix}.{app}.release.d{deployment_id}"

    def run(self, app: str, number: int, run_id: int) -> str:
        return f"{self.prefix}.{app}.run.{number}.r{run_id}"

    def app_image(self, app_id: int, tag: str) -> str:
        return f"{self.prefix}/app{app_id}:{tag}"

    def build_image(self, app_id: int, build_id: int) -> str:
        """The name by which the engine keeps what a build made."""
        return self.app_image(app_id, f"b{build_id}")

    def layers_image(self, app_id: int, tag: str) -> str:
        """The image that holds an app's dependency layers, without its code."""
        return f"{self.prefix}/app{app_id}-layers:{tag}"
