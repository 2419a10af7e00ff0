"""A real image registry on loopback: Debian's docker-registry, with a password."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import docker

USER, PASSWORD = "ada", "a-long-password"
HTPASSWD = "ada:$2b$05$6wTJim9RHekjiSgIoNu.jOpVbHfQGQM2rI2ZpDc5Fr7uuOPWhKFae\n"  # bcrypt
CONFIG = """\
version: 0.1
log: {{level: warn, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {root}/data}}}}
http: {{addr: "127.0.0.1:{port}"}}
auth: {{htpasswd: {{realm: registry, path: {root}/htpasswd}}}}
"""


@dataclass
class Registry:
    """The engine trusts loopback without TLS."""

    port: int

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def push(self, image: str, name: str) -> str:
        """Store an image of the engine as HOST/NAME; returns that. The engine forgets the name."""
        reference = f"{self.host}/{name}"
        repository, _, tag = reference.rpartition(":")
        client = docker.from_env()
        client.api.tag(image, repository, tag)
        login = {"username": USER, "password": PASSWORD}
        said = client.api.push(repository, tag, auth_config=login, stream=True, decode=True)
        errors = [line["error"] for line in said if "error" in line]
        client.api.remove_image(reference)
        client.close()
        assert errors == []
        return reference


def program() -> str | None:
    return shutil.which("docker-registry")


@contextmanager
def serving(root: Path) -> Iterator[Registry]:
    """Run a registry until the block ends; its data are in root."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    root.mkdir(parents=True, exist_ok=True)
    (root / "htpasswd").write_text(HTPASSWD)
    (root / "config.yml").write_text(CONFIG.format(root=root, port=port))
    with (root / "log").open("w") as log:
        process = subprocess.Popen(
            [str(program()), "serve", str(root / "config.yml")], stdout=log, stderr=log
        )
    try:
        _until_it_listens(port, process, root / "log")
        yield Registry(port)
    finally:
        process.terminate()
        process.wait(10)


def _until_it_listens(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 15
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, "the registry does not listen"
            time.sleep(0.05)
