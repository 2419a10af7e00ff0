"""Apache with mod_wsgi in daemon mode: the app runs in processes of Apache's."""

from pathlib import Path

from hythe_buildpack import debian

from hythe_python import static
from hythe_python.environment import Environment
from hythe_python.web import Served

PACKAGES = ["apache2-bin", "libapache2-mod-wsgi-py3"]
CONFIGURATION = """# Rendered by the build; Apache reads ${{...}} from its environment.
ServerRoot /tmp
ServerName localhost
ServerTokens Prod
Listen ${{HTTPD_PORT}}
PidFile /tmp/httpd.pid
DefaultRuntimeDir /tmp
ErrorLog "|/bin/cat 1>&2"
LogLevel warn
Timeout 120
KeepAliveTimeout 10
TraceEnable off
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule alias_module {modules}/mod_alias.so
LoadModule mime_module {modules}/mod_mime.so
LoadModule wsgi_module {modules}/mod_wsgi.so
TypesConfig /tmp/mime.types
AddType text/css .css
AddType text/javascript .js .mjs
AddType image/svg+xml .svg
AddType image/png .png
AddType image/jpeg .jpg .jpeg
AddType application/json .json
<Directory />
    Require all denied
</Directory>
{static}
WSGISocketPrefix /tmp/wsgi
WSGIDaemonProcess app processes=${{WEB_CONCURRENCY}} threads=4 python-home={venv} \\
    python-path=/workspace graceful-timeout=30 eviction-timeout=30
WSGIScriptAlias / {site}/app.wsgi process-group=app application-group=%{{GLOBAL}}
WSGIImportScript {site}/app.wsgi process-group=app application-group=%{{GLOBAL}}
<Directory {site}>
    Require all granted
</Directory>
"""


def provide(
    app: Path, layers: Path, site: Path, environment: Environment, served: Served, port: str
) -> str:
    """Install and configure it; returns the shell line that starts it."""
    layer = debian.provide(layers, "apache", PACKAGES)
    folder = static.folder(app)
    served_itself = (
        f"Alias /static/ {folder}/\n<Directory {folder}>\n    Require all granted\n</Directory>"
    )
    (site / "httpd.conf").write_text(
        CONFIGURATION.format(
            modules=f"{layer.folder}/usr/lib/apache2/modules",
            venv=environment.layer.folder,
            site=site,
            static=served_itself if folder else "",
        )
    )
    call = "()" if served.factory else ""
    (site / "app.wsgi").write_text(
        f"from {served.module} import {served.name}\n\napplication = {served.name}{call}\n"
    )
    variables = f"HTTPD_PORT={port} WEB_CONCURRENCY=${{WEB_CONCURRENCY:-1}}"
    libraries = f"LD_LIBRARY_PATH={debian.libraries(layer)}"
    httpd = f"{layer.folder}/usr/sbin/apache2 -DFOREGROUND -f {site}/httpd.conf"
    return f": >/tmp/mime.types; cd /workspace && {variables} {libraries} exec {httpd}"
