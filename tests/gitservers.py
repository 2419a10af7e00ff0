"""Real git servers on loopback: smart HTTP by git's own http-backend, and OpenSSH's sshd."""

import base64
import getpass
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "LC_ALL": "C.UTF-8",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
    "GIT_ALLOW_PROTOCOL": "file:http:https:ssh",
}


class Upstream:
    """A repository that somebody else has; served bare from `root`/NAME.git."""

    def __init__(self, root: Path, name: str = "shop") -> None:
        self.name = name
        self.folder = root / name
        self.bare = root / f"{name}.git"
        self.folder.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str, folder: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder or self.folder,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit(self, files: dict[str, str], message: str = "Change") -> str:
        for name, text in files.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        self.publish()
        return self.git("rev-parse", "HEAD")

    def publish(self) -> None:
        """Make the bare repository that is served what the working copy is."""
        shutil.rmtree(self.bare, ignore_errors=True)
        self.git("clone", "-q", "--bare", str(self.folder), str(self.bare))
        self.git("update-server-info", folder=self.bare)


@dataclass
class HttpServer:
    """git-http-backend behind a small HTTP server."""

    root: Path
    login: str | None = None  # USER:PASSWORD that it wants
    redirects: dict[str, str] = field(default_factory=dict)  # path prefix: where to
    asked: list[str] = field(default_factory=list)  # Authorization headers that came
    stall: bool = False  # accept, and never answer
    certificate: Path | None = None  # with its key, for TLS
    port: int = 0

    @property
    def url(self) -> str:
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}"


def make_certificate(path: Path) -> Path:
    """A certificate for 127.0.0.1 that has signed itself, and its key, in one file."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", str(path), "-out", f"{path}.crt", "-days", "2", "-subj", "/CN=test",
         "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True, timeout=30,
    )  # fmt: skip
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


@contextmanager
def http_server(root: Path, **options: Any) -> Iterator[HttpServer]:
    server = HttpServer(root, **options)
    with _Listener(server) as listener:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        yield server
        listener.over.set()
        listener.shutdown()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, served: HttpServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.served = served
        self.over = threading.Event()
        served.port = self.server_port
        if served.certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(served.certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener

    def log_message(self, *_arguments: object) -> None: ...

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _serve(self, body: bytes) -> None:
        served = self.server.served
        if served.stall:
            self.server.over.wait(60)
            return self._answer(503, {}, b"")
        served.asked.append(self.headers.get("Authorization", ""))
        for prefix, target in served.redirects.items():
            if self.path.startswith(prefix):
                location = target + self.path.removeprefix(prefix)
                return self._answer(301, {"Location": location}, b"")
        if served.login is not None:
            wanted = "Basic " + base64.b64encode(served.login.encode()).decode()
            if self.headers.get("Authorization") != wanted:
                return self._answer(401, {"WWW-Authenticate": 'Basic realm="git"'}, b"")
        return self._answer(*self._backend(served.root, body))

    def _backend(self, root: Path, body: bytes) -> tuple[int, dict[str, str], bytes]:
        path, _, query = self.path.partition("?")
        if path.endswith(".tgz"):  # a plain file beside the repositories
            return 200, {}, (root / path.lstrip("/")).read_bytes()
        done = subprocess.run(
            ["git", "http-backend"],
            input=body,
            capture_output=True,
            env={
                **ENVIRONMENT,
                "GIT_PROJECT_ROOT": str(root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "REQUEST_METHOD": self.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            },
            timeout=60,
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines if ": " in line)
        return int(headers.pop("Status", "200").split()[0]), headers, content

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        with suppress(ConnectionError):
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)


@dataclass
class SshServer:
    """OpenSSH's sshd, with a host key and a list of allowed keys of its own."""

    folder: Path
    port: int

    def url(self, repository: Path) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{repository}"

    def allow(self, public: str) -> None:
        (self.folder / "authorized").write_text(f"{public}\n")


def _make_key(path: Path) -> None:
    path.unlink(missing_ok=True)
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True, timeout=30
    )


def sshd() -> str | None:
    return shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")


@contextmanager
def ssh_server(folder: Path) -> Iterator[SshServer]:
    program = sshd()
    assert program is not None
    folder.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    _make_key(folder / "host")
    (folder / "authorized").touch()
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    (folder / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\n"
        f"AuthorizedKeysFile {folder}/authorized\nStrictModes no\nUsePAM no\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        "PermitRootLogin prohibit-password\nLogLevel VERBOSE\n"
    )
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [program, "-D", "-e", "-f", str(folder / "config")], stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < deadline, "sshd does not listen"
                time.sleep(0.05)
        yield SshServer(folder, port)
    finally:
        process.terminate()
        process.wait(10)
