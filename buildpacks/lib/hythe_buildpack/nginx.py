"""nginx, unprivileged, from a layer. Only $PORT is known no earlier than at the start."""

from pathlib import Path

from hythe_buildpack.debian import libraries
from hythe_buildpack.layer import Layer

PACKAGES = ["nginx-light"]
# A name with a digest in it never changes its content: index-4f3a9c1b.js, main.4f3a9c1b.css.
HASHED = r"[.-][A-Za-z0-9_-]{8,}\.(?:js|mjs|css|woff2?|png|jpe?g|gif|svg|webp|avif|ico|wasm|map)$"
COMPRESSED = (
    "text/css text/plain text/xml text/javascript application/javascript application/json"
    " application/manifest+json application/wasm image/svg+xml"
)
CONFIGURATION = """# Rendered by the build. PORT is put in at the start.
worker_processes 1;
pid /tmp/nginx.pid;
error_log stderr warn;
daemon off;
events {{ worker_connections 1024; }}
http {{
    include {nginx}/etc/nginx/mime.types;
    types {{ text/javascript mjs; application/manifest+json webmanifest; }}
    default_type application/octet-stream;
    client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;
    access_log off;  # the router has one
    sendfile on; tcp_nopush on; server_tokens off; absolute_redirect off;
    keepalive_timeout 75s;
    client_max_body_size 0;  # the router has a limit
    gzip on; gzip_vary on; gzip_min_length 1024; gzip_proxied any; gzip_static on;
    gzip_types {compressed};
    map $uri $caching {{
        default "no-cache";
        "~{hashed}" "public, max-age=31536000, immutable";
    }}
    map $http_upgrade $upgrading {{
        default upgrade;
        "" "";
    }}
{server}
}}
"""


def configuration(layer: Layer, server: str) -> str:
    """nginx.conf around a `server` block, which listens on PORT."""
    return CONFIGURATION.format(
        nginx=layer.folder, compressed=COMPRESSED, hashed=HASHED, server=server
    )


def command(layer: Layer, file: Path, port: str = "$PORT") -> str:
    """The shell line that starts it with a configuration file."""
    copy = "/tmp/nginx.conf"
    nginx = f"{layer.folder}/usr/sbin/nginx -e stderr -p /tmp -c {copy}"
    started = f"LD_LIBRARY_PATH={libraries(layer)} exec {nginx}"
    return f'sed "s/listen PORT/listen {port}/" {file} >{copy} && {started}'
