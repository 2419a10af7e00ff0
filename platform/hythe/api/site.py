"""The dashboard's own files: what Vite built from web/, served as it is.

Only files that lie in the built folder when it is listed can be asked for, so no path leads out of
it. Every other page address gets index.html, since the dashboard routes in the browser.
"""

import contextlib
import mimetypes
import re
import secrets
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from hythe.api import problems

NOTHING = "default-src 'none'; frame-ancestors 'none'"
"""The policy of answers that are no page."""

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; "
    # Mantine, the component library, writes its theme into <style> elements, which carry the nonce,
    # and sizes into style attributes, for which CSP knows no nonce. Neither can run a script.
    "style-src 'self' 'nonce-{nonce}'; style-src-attr 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
PLACEHOLDER = "%CSP_NONCE%"
ENCODINGS = {"br": ".br", "gzip": ".gz"}  # what the build compresses ahead, best first
IMMUTABLE = "public, max-age=31536000, immutable"

_API = re.compile(r"/(v\d+|healthz|metrics)(/|$)")

ABSENT = """<!doctype html><title>Hythe</title>
<h1>The dashboard is not built</h1>
<p>The API and the command line work without it. <code>bin/up</code> builds it; by hand:</p>
<pre>cd web && npm ci && npm run build</pre>
"""


def is_page(scope: Scope) -> bool:
    """Whether a request is for the dashboard's files, not for the API or git."""
    path = scope["path"]
    readable = scope["method"] in ("GET", "HEAD")
    return readable and not _API.match(path) and not problems.is_git(path)


def folder() -> Path:
    """What Vite built: of the installed wheel, or of the checkout."""
    package = Path(str(resources.files("hythe")))
    installed = package / "_share" / "web"
    return installed if installed.is_dir() else package.parent.parent / "web" / "dist"


@dataclass(frozen=True, slots=True)
class _Built:
    """The built folder as it was at some time."""

    made_at: int  # of index.html, ns
    index: str
    files: dict[str, Path] = field(repr=False)  # by the path of their address, without the slash

    @classmethod
    def read(cls, folder: Path) -> "_Built":
        """Raises FileNotFoundError when nothing is built."""
        index = folder / "index.html"
        made_at, text = index.stat().st_mtime_ns, index.read_text()
        inside = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
        files = {path.relative_to(folder).as_posix(): path for path in inside if path != index}
        return cls(made_at, text, files)


class Site:
    """ASGI middleware: answers for pages, and leaves everything else to the endpoints.

    It reads files where it is, in the event loop: they are few, small and in the page cache, and a
    thread for each would take longer than the reading.
    """

    def __init__(self, app: ASGIApp, folder: Path) -> None:
        self._app = app
        self._folder = folder
        self._built: _Built | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not is_page(scope):
            return await self._app(scope, receive, send)
        built = self._newest()
        if built is None:
            answer: Response = HTMLResponse(ABSENT, 503, HEADERS)
        else:
            answer = _answer(built, scope["path"].lstrip("/"), Headers(scope=scope))
        return await answer(scope, receive, send)

    def _newest(self) -> _Built | None:
        """What is built now; a build that was repeated is noticed."""
        try:
            made_at = (self._folder / "index.html").stat().st_mtime_ns
            if self._built is None or self._built.made_at != made_at:
                self._built = _Built.read(self._folder)
        except FileNotFoundError:
            return None
        return self._built


def _answer(built: _Built, name: str, headers: Headers) -> Response:
    with contextlib.suppress(FileNotFoundError):  # it is being built again
        if name in built.files:
            return _file(built, name, headers.get("accept-encoding", ""))
    if "." in name.rpartition("/")[2] and name != "index.html":
        return Response("There is no such file.\n", 404, HEADERS, media_type="text/plain")
    return _page(built)


def _page(built: _Built) -> Response:
    """index.html, with a nonce that no other answer has."""
    nonce = secrets.token_urlsafe(18)
    headers = {
        **HEADERS,
        "Cache-Control": "no-store",
        "Content-Security-Policy": PAGE_POLICY.format(nonce=nonce),
    }
    return HTMLResponse(built.index.replace(PLACEHOLDER, nonce), headers=headers)


def _file(built: _Built, name: str, accepted: str) -> Response:
    """A file, compressed if it was compressed ahead; names in assets/ hold their content's hash."""
    path, encoding = built.files[name], ""
    for candidate, suffix in ENCODINGS.items():
        if name + suffix in built.files and _accepts(accepted, candidate):
            path, encoding = built.files[name + suffix], candidate
            break
    headers = {
        **HEADERS,
        "Cache-Control": IMMUTABLE if name.startswith("assets/") else "no-cache",
        "Vary": "Accept-Encoding",
    }
    if encoding:
        headers["Content-Encoding"] = encoding
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Response(path.read_bytes(), headers=headers, media_type=kind)


def _accepts(header: str, encoding: str) -> bool:
    """Whether an Accept-Encoding header names it, and not with the quality nought."""
    for part in header.lower().replace(" ", "").split(","):
        name, _, quality = part.partition(";q=")
        if name == encoding:
            return not quality or quality.strip("0.") != ""
    return False
