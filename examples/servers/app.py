"""Says who serves it. No framework: a callable of PEP 3333.

hythe config:set BP_PYTHON_SERVER=mod_wsgi      (or nginx, gunicorn)
hythe config:set BP_FRONT_CACHE=varnish
"""

import os
import time


def app(environ, start_response):
    server = environ["SERVER_SOFTWARE"]
    if "mod_wsgi.process_group" in environ:
        server = f"Apache, mod_wsgi {'.'.join(map(str, environ['mod_wsgi.version']))}"
    headers = [("Content-Type", "text/plain; charset=utf-8")]
    if environ["PATH_INFO"] == "/cached":
        headers.append(("Cache-Control", "public, max-age=60"))
    start_response("200 OK", headers)
    text = f"{server} in {os.environ.get('HYTHE_INSTANCE', 'no instance')}, made at {time.time()}\n"
    return [text.encode()]
