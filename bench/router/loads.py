"""Requests as fast as they come: wrk with 64 connections, and h2load for HTTP/2."""

import re
import subprocess
from functools import partial

from bench.router.contest import HOST, LOAD_CORE, Running
from bench.router.part import Part, Terms

CONNECTIONS = 64
WRK = ["taskset", "-c", LOAD_CORE, "wrk", "-t1", f"-c{CONNECTIONS}"]

_HEADERS = """
wrk.headers["Host"] = "app.localhost"
wrk.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
wrk.headers["Accept"] = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
wrk.headers["Accept-Encoding"] = "gzip, deflate, br, zstd"
wrk.headers["Accept-Language"] = "en-US,en;q=0.9,de;q=0.8"
wrk.headers["Cache-Control"] = "max-age=0"
wrk.headers["Cookie"] = "session=eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyIjo0Mn0.c2lnbmF0dXJl; theme=dark; consent=1"
wrk.headers["Sec-Fetch-Dest"] = "document"
wrk.headers["Sec-Fetch-Mode"] = "navigate"
wrk.headers["Sec-Fetch-Site"] = "none"
wrk.headers["Upgrade-Insecure-Requests"] = "1"
"""  # noqa: E501
_NEW_EACH_TIME = """
local n = 0
request = function()
  n = n + 1
  wrk.headers["Cookie"] = "session=u" .. n .. "; theme=dark"
  return wrk.format("GET", "/item/" .. n .. "?q=" .. n * 7)
end
"""


def ask(
    router: Running, terms: Terms, *, scheme: str = "http", path: str = "/", more: str = ""
) -> dict[str, float]:
    """`more` is added to wrk's script."""
    script = terms.folder / "script.lua"
    script.write_text(_HEADERS + more)
    where = f"127.0.0.1:{router.site.port}"
    if scheme == "https":
        # wrk sends an address as the name of the server, for which Caddy finds no certificate.
        name = "localhost" if router.name == "Caddy" else "127.0.0.1"
        where = f"{name}:{router.site.tls_port}"
    before = router.cpu()
    done = subprocess.run(
        [*WRK, f"-d{terms.seconds}", "-s", str(script), f"{scheme}://{where}{path}"],
        capture_output=True,
        text=True,
    )
    spent = router.cpu() - before
    text = done.stdout
    if "Non-2xx" in text or "Socket errors" in text or "Requests/sec" not in text:
        raise RuntimeError(f"{router.name}, {path}: {text}{done.stderr}{router.said()}")
    requests = int(re.findall(r"(\d+) requests in", text)[0])
    return {
        "requests/s": float(re.findall(r"Requests/sec:\s+([\d.]+)", text)[0]),
        "us": spent / max(requests, 1),
    }


def _ask_http2(router: Running, terms: Terms) -> dict[str, float]:
    before = router.cpu()
    done = subprocess.run(
        [
            *("taskset", "-c", LOAD_CORE, "h2load", "-c16", "-m4", f"-D{terms.seconds}"),
            *("--connect-to", f"127.0.0.1:{router.site.tls_port}", f"https://{HOST}/"),
        ],
        capture_output=True,
        text=True,
    )
    spent = router.cpu() - before
    succeeded = int(re.findall(r"(\d+) succeeded", done.stdout)[0])
    if not succeeded or "protocol: h2" not in done.stdout:
        raise RuntimeError(f"{router.name}: {done.stdout}{done.stderr}{router.said()}")
    return {
        "requests/s": float(re.findall(r"([\d.]+) req/s", done.stdout)[0]),
        "us": spent / succeeded,
    }


PARTS = [
    Part("small", "small", ask),
    Part("empty", "empty", partial(ask, path="/empty")),
    Part("new", "new paths and cookies", partial(ask, more=_NEW_EACH_TIME)),
    Part("tls", "TLS", partial(ask, scheme="https")),
    Part("16k", "16 KiB", partial(ask, path="/files/16k")),
    Part("http2", "HTTP/2", _ask_http2),
]
