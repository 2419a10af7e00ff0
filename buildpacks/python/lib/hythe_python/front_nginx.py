"""nginx in front of the Python server, in the same instance; it serves static files itself."""

from pathlib import Path

from hythe_buildpack import debian, nginx
from hythe_buildpack.report import detail

from hythe_python import server, static
from hythe_python.web import Served

SOCKET = "/tmp/app.sock"
SERVER = """    upstream app {{ server unix:{socket} fail_timeout=0; }}
    server {{
        listen PORT;
{static}
        location / {{
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $upgrading;
            proxy_buffering off;  # the router is the one that slow clients wait on
            proxy_request_buffering off;
            proxy_read_timeout 1h;
        }}
    }}"""
FILES = """        location /static/ {{
            alias {folder}/;
            add_header Cache-Control $caching;
        }}"""


def provide(app: Path, layers: Path, site: Path, served: Served, port: str) -> list[str]:
    """Install and configure both; returns the shell lines that start them."""
    layer = debian.provide(layers, "nginx", nginx.PACKAGES)
    folder = static.folder(app)
    if folder:
        detail(f"nginx serves {folder.name}/ at /static/")
    files = FILES.format(folder=folder) if folder else ""
    file = site / "nginx.conf"
    file.write_text(nginx.configuration(layer, SERVER.format(socket=SOCKET, static=files)))
    return [server.command(served, socket=SOCKET), nginx.command(layer, file, port)]
