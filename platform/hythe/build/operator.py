"""What the operator set for reaching package registries, handed to build containers.

Builds get the host's CA bundle (a company's proxy may sign with its own), its index settings and
its proxies, in the build container's environment and as read-only mounts: images never hold them.
An index that is a folder of this machine is left out.
"""

import configparser
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from hythe.engine.port import Mount

CERTIFICATES = Path("/etc/ssl/certs")
BUNDLE = CERTIFICATES / "ca-certificates.crt"
MOUNTED_BUNDLE = "/cnb/operator/ca-certificates.crt"

PROXY = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")
INDEX = (
    "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_TRUSTED_HOST",
    "PIP_DEFAULT_TIMEOUT",
    "UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS",
    "UV_INDEX_STRATEGY", "UV_INSECURE_HOST", "UV_HTTP_TIMEOUT", "UV_PYTHON_INSTALL_MIRROR",
    "NPM_CONFIG_REGISTRY", "YARN_NPM_REGISTRY_SERVER",
)  # fmt: skip
CA = (
    "SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
)  # fmt: skip
# What pip reads, and what uv reads for the same.
PIP_TO_UV = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_FIND_LINKS": "UV_FIND_LINKS",
    "PIP_TRUSTED_HOST": "UV_INSECURE_HOST",
}

_USER_INFO = re.compile(r"://([^/\s]+)@")


@dataclass(frozen=True, slots=True)
class Registries:
    """The environment and the mounts that a build container gets for it."""

    env: Mapping[str, str]
    mounts: tuple[Mount, ...]

    def settings(self) -> dict[str, str]:
        """The environment without the places of the CA bundle."""
        return {name: value for name, value in self.env.items() if name not in CA}

    def passwords(self) -> set[str]:
        """What its URLs hold before the @, whole and in parts, as written and as meant."""
        found: set[str] = set()
        for value in self.settings().values():
            for user_info in _USER_INFO.findall(value):
                user, _, password = user_info.partition(":")
                secret = password or user  # a token may stand alone
                found |= {user_info, secret, unquote(secret)}
        return found - {""}

    def bundle(self) -> Path | None:
        """The CA bundle on the host."""
        inside = self.env.get(CA[0])
        if inside is None:
            return None
        sources = {mount.target: mount.source for mount in self.mounts}
        return sources.get(inside, Path(inside))


def proxy_env(host: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The proxy variables that are set, in both spellings."""
    found: dict[str, str] = {}
    for name in PROXY:
        value = host.get(name) or host.get(name.upper())
        if value:
            found |= {name: value, name.upper(): value}
    return found


def registries(
    host: Mapping[str, str] = os.environ, pip_files: tuple[Path, ...] | None = None
) -> Registries:
    """Read the operator's settings from the environment and pip's own configuration files."""
    settings = _pip_configuration(_pip_files(host) if pip_files is None else pip_files)
    settings |= {name: host[name] for name in INDEX if host.get(name)}
    settings = {name: kept for name, value in settings.items() if (kept := _reachable(value))}
    if host.get("npm_config_registry"):
        settings.setdefault("NPM_CONFIG_REGISTRY", host["npm_config_registry"])
    for pip, uv in PIP_TO_UV.items():
        if pip in settings:
            settings.setdefault(uv, settings[pip])
    if "PIP_EXTRA_INDEX_URL" in settings:
        settings.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")  # pip's rule: the best of all
    ca_env, ca_mounts = _certificates(host)
    env = {**proxy_env(host), **settings, **ca_env}
    return Registries(env, ca_mounts)


def _pip_files(host: Mapping[str, str]) -> tuple[Path, ...]:
    """Where pip looks, the strongest last."""
    home = Path(host.get("HOME", "/root"))
    user = Path(host.get("XDG_CONFIG_HOME", home / ".config"))
    files = [Path("/etc/pip.conf"), home / ".pip/pip.conf", user / "pip/pip.conf"]
    if host.get("PIP_CONFIG_FILE"):
        files.append(Path(host["PIP_CONFIG_FILE"]))
    return tuple(files)


def _pip_configuration(files: tuple[Path, ...]) -> dict[str, str]:
    """Index settings of pip.conf files, as the variables that mean the same."""
    found: dict[str, str] = {}
    for file in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError, OSError):
            continue  # pip would refuse it as well; the host's own pip tells the operator
        for section in ("global", "install"):
            if parser.has_section(section):
                for key, value in parser.items(section):
                    name = "PIP_" + key.upper().replace("-", "_")
                    if name in PIP_TO_UV:
                        found[name] = " ".join(value.split())
    return found


def _certificates(host: Mapping[str, str]) -> tuple[dict[str, str], tuple[Mount, ...]]:
    """The host's CA bundle: the system's folder, or the file that SSL_CERT_FILE names."""
    named = Path(host.get("SSL_CERT_FILE") or BUNDLE)
    mounts: list[Mount] = []
    if CERTIFICATES.is_dir():
        mounts.append(Mount(CERTIFICATES, str(CERTIFICATES), read_only=True))
    if not named.is_file():
        return {}, tuple(mounts)
    inside = str(named)
    if not named.is_relative_to(CERTIFICATES):
        inside = MOUNTED_BUNDLE
        mounts.append(Mount(named.resolve(), inside, read_only=True))
    return dict.fromkeys(CA, inside), tuple(mounts)


def _reachable(value: str) -> str:
    """The value without places that are folders of this machine: a container does not see those."""
    return " ".join(place for place in value.split() if not place.startswith(("/", "file:")))
