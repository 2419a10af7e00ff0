"""The other routers, with the duties of ours: forwarded headers, kept-alive backends, a log line a
request, the same certificate, one worker."""

import resource
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HOST = "app.localhost"


@dataclass(frozen=True)
class Site:
    """Where a router listens and what it needs."""

    folder: Path
    port: int
    tls_port: int
    backend: int
    pem: Path  # key and chain


@dataclass(frozen=True)
class Rival:
    name: str
    program: str | None  # None: it is not installed
    command: Callable[[Site], list[str]]


_NGINX = """
worker_processes 1; daemon off; master_process off; pid {f}/pid; error_log {f}/error;
events {{ worker_connections 32768; }}
http {{
  log_format line '$request_method $uri $host $request_id $remote_addr $upstream_connect_time '
                  '$request_time $status $body_bytes_sent $scheme';
  access_log {f}/log line buffer=64k flush=100ms;
  keepalive_requests 1000000000; client_max_body_size 0;
  map $http_upgrade $upgrade {{ default upgrade; "" ""; }}
  upstream app {{ server 127.0.0.1:{b}; keepalive 128; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{p} backlog=4096; listen 127.0.0.1:{t} ssl backlog=4096{h2};
    ssl_certificate {pem}; ssl_certificate_key {pem}; ssl_protocols TLSv1.2 TLSv1.3;
    location / {{
      proxy_pass http://app; proxy_http_version 1.1; proxy_request_buffering off;
      proxy_set_header Connection $upgrade; proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $host;
      proxy_set_header X-Forwarded-Port $server_port; proxy_set_header X-Request-Id $request_id;
      proxy_set_header X-Request-Start "t=$msec"; proxy_set_header Via "1.1 nginx";
    }}
  }}
}}
"""

_HAPROXY = """
global
  nbthread 1
  maxconn {c}
  log stdout format raw daemon
defaults
  mode http
  log global
  option httplog
  option forwardfor
  http-reuse always
  timeout connect 5s
  timeout client 75s
  timeout server 55s
frontend f
  bind 127.0.0.1:{p}
  bind 127.0.0.1:{t} ssl crt {pem} alpn h2,http/1.1
  http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Request-Id %[uuid()]
  http-request set-header Via "1.1 haproxy"
  default_backend app
backend app
  server one 127.0.0.1:{b}
"""

_CADDY = """
{{
  admin off
  auto_https off
  default_sni {host}
  fallback_sni {host}
}}
(app) {{
  bind 127.0.0.1
  log {{
    output file {f}/log
  }}
  reverse_proxy 127.0.0.1:{b}
}}
http://{host}:{p} {{
  import app
}}
https://{host}:{t} {{
  tls {pem} {pem}
  import app
}}
"""

_ENVOY_HTTP = """
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: http
          use_remote_address: true
          via: 1.1 envoy
          upgrade_configs:
          - upgrade_type: websocket
          access_log:
          - name: envoy.access_loggers.file
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: {f}/log
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {{ prefix: "/" }}
                route: {{ cluster: app, timeout: 0s }}
          http_filters:
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
"""  # noqa: E501

_ENVOY = """
static_resources:
  listeners:
  - address: {{ socket_address: {{ address: 127.0.0.1, port_value: {p} }} }}
    filter_chains:
    - filters:{http}
  - address: {{ socket_address: {{ address: 127.0.0.1, port_value: {t} }} }}
    filter_chains:
    - transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            alpn_protocols: ["h2", "http/1.1"]
            tls_certificates:
            - certificate_chain: {{ filename: {pem} }}
              private_key: {{ filename: {pem} }}
      filters:{http}
  clusters:
  - name: app
    type: STATIC
    load_assignment:
      cluster_name: app
      endpoints:
      - lb_endpoints:
        - endpoint:
            address: {{ socket_address: {{ address: 127.0.0.1, port_value: {b} }} }}
"""  # noqa: E501


def _write(site: Site, name: str, template: str, **more: str) -> str:
    values = {
        "f": site.folder, "p": site.port, "t": site.tls_port, "b": site.backend, "pem": site.pem,
        "host": HOST, "c": resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2 - 50,
    }  # fmt: skip
    path = site.folder / name
    path.write_text(template.format(**values, **more))
    return str(path)


def _envoy(site: Site) -> list[str]:
    http = _ENVOY_HTTP.format(f=site.folder)
    path = _write(site, "envoy.yaml", _ENVOY, http=http)
    options = ["--concurrency", "1", "-l", "error", "--disable-hot-restart"]
    return [_program("envoy") or "", "-c", path, *options]


def _program(name: str) -> str | None:
    """From Debian, or from the environment of this Python."""
    here = Path(sys.executable).parent / name
    return str(here) if here.exists() else shutil.which(name)


RIVALS = [
    Rival(
        "nginx",
        _program("nginx"),
        lambda site: ["nginx", "-c", _write(site, "nginx.conf", _NGINX, h2=" http2")],
    ),
    Rival(
        "HAProxy",
        _program("haproxy"),
        lambda site: ["haproxy", "-f", _write(site, "haproxy.cfg", _HAPROXY)],
    ),
    Rival("Envoy", _program("envoy"), _envoy),
    Rival(
        "Caddy",
        _program("caddyserver"),
        lambda site: [
            _program("caddyserver") or "",
            *("run", "--adapter", "caddyfile"),
            *("--config", _write(site, "Caddyfile", _CADDY)),
        ],
    ),
]
