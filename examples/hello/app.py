"""A page that says which release, instance and request answered. No framework, no dependencies."""

import os
from collections.abc import Callable, Iterable
from html import escape

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Hello from Hythe</title>
<style>
  body {{ margin: 0; min-height: 100vh; display: grid; place-items: center;
         font: 1.1rem/1.6 system-ui, sans-serif; color: #123; background: #e8f1f2; }}
  main {{ padding: 2rem 3rem; background: #fff; border-radius: 1rem; box-shadow: 0 1px 8px #0002; }}
  h1 {{ margin: 0 0 .5rem; }}
  dl {{ display: grid; grid-template-columns: auto 1fr; gap: .2rem 1.5rem; margin: 1.5rem 0 0; }}
  dt {{ color: #678; }}
  dd {{ margin: 0; font-family: ui-monospace, monospace; overflow-wrap: anywhere; }}
</style>
<main>
  <h1>Hello from Hythe</h1>
  This page came in with a <code>git push</code>.
  <dl>
    <dt>Release<dd>{release}
    <dt>Instance<dd>{instance}
    <dt>Commit<dd>{commit}
    <dt>Request<dd>{request}
  </dl>
</main>
"""


def app(environ: dict[str, str], start_response: Callable[..., object]) -> Iterable[bytes]:
    """The WSGI callable (PEP 3333)."""
    facts = {
        "release": os.environ.get("HYTHE_RELEASE", "not on Hythe"),
        "instance": os.environ.get("HYTHE_INSTANCE", "-"),
        "commit": os.environ.get("SOURCE_VERSION", "-")[:12],
        "request": environ.get("HTTP_X_REQUEST_ID", "-"),
    }
    page = PAGE.format(**{name: escape(value) for name, value in facts.items()}).encode()
    start_response(
        "200 OK", [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(page)))]
    )
    return [page]
