"""The configuration of nginx for a static site, and the script that starts it.

nginx runs unprivileged from its layer. Only $PORT is known no earlier than at the start.
"""

import sysconfig
from pathlib import Path

TRIPLET = sysconfig.get_config_var("MULTIARCH") or "x86_64-linux-gnu"
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
    sendfile on; tcp_nopush on; server_tokens off;
    keepalive_timeout 75s;
    gzip on; gzip_vary on; gzip_min_length 1024; gzip_proxied any; gzip_static on;
    gzip_types {compressed};
    absolute_redirect off;
    map $uri $caching {{
        default "no-cache";
        "~{hashed}" "public, max-age=31536000, immutable";
    }}
    server {{
        listen PORT;
        root {root};
        index index.html;
        add_header Cache-Control $caching;
        add_header X-Content-Type-Options nosniff;
{not_found}
        location ~ /\\.(?!well-known/) {{ return 404; }}
        location / {{ try_files $uri $uri/ $uri.html {fallback}; }}
    }}
}}
"""

START = """#!/bin/sh
# Starts nginx on $PORT.
set -eu
sed "s/listen PORT;/listen $PORT;/" {site}/nginx.conf >/tmp/nginx.conf
export LD_LIBRARY_PATH={nginx}/usr/lib/{triplet}:{nginx}/lib/{triplet}
exec {nginx}/usr/sbin/nginx -e stderr -p /tmp -c /tmp/nginx.conf
"""


def configuration(root: Path, nginx: Path, *, spa: bool) -> str:
    """nginx.conf for a folder; `spa` answers unknown pages with /index.html."""
    own_page = (root / "404.html").is_file()
    return CONFIGURATION.format(
        nginx=nginx,
        root=root,
        compressed=COMPRESSED,
        hashed=HASHED,
        not_found="        error_page 404 /404.html;" if own_page else "",
        fallback="/index.html" if spa else "=404",
    )


def start_script(site: Path, nginx: Path) -> str:
    return START.format(site=site, nginx=nginx, triplet=TRIPLET)
