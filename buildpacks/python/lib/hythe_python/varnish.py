"""Varnish, a cache in front of the app's server, in the same instance.

What may be cached is what the app allows: Cache-Control with max-age or s-maxage, and no cookies.
Varnish compiles its configuration when it starts; tcc does that in milliseconds, where gcc would
add 160 MB to the image.
"""

from pathlib import Path

from hythe_buildpack import debian
from hythe_buildpack.debian import TRIPLET

PACKAGES = ("varnish", "tcc", "libc6-dev")
WITHOUT = ("gcc",)
CONFIGURATION = """# Rendered by the build.
vcl 4.1;

backend app {{
    .host = "127.0.0.1";
    .port = "{port}";
    .connect_timeout = 5s;
    .first_byte_timeout = 300s;
}}

sub vcl_recv {{
    if (req.http.Upgrade) {{
        return (pipe);
    }}
}}

sub vcl_pipe {{
    set bereq.http.Upgrade = req.http.Upgrade;
    set bereq.http.Connection = req.http.Connection;
}}

sub vcl_backend_response {{
    # Nothing is cached that does not say so.
    if (!beresp.http.Cache-Control && !beresp.http.Expires) {{
        set beresp.ttl = 0s;
        set beresp.uncacheable = true;
    }}
}}
"""


def provide(layers: Path, site: Path, port: str) -> str:
    """Install and configure it in front of a port; returns the shell line that starts it."""
    layer = debian.provide(layers, "varnish", PACKAGES, WITHOUT)
    usr = layer.folder / "usr"
    (site / "default.vcl").write_text(CONFIGURATION.format(port=port))
    compiler = (
        f"exec {usr}/bin/tcc -B{usr}/lib/{TRIPLET}/tcc -nostdlib -I{usr}/include"
        f" -I{usr}/include/{TRIPLET} -shared -o %o %s"
    )
    libraries = f"{debian.libraries(layer)}:{usr}/lib/{TRIPLET}/varnish"
    options = (
        f"-F -a :$PORT -f {site}/default.vcl -n /tmp/varnish -s malloc,${{VARNISH_MB:-64}}m"
        f" -p timeout_idle=10 -p vmod_path={usr}/lib/{TRIPLET}/varnish/vmods"
        f" -p 'cc_command={compiler}'"
    )
    return f"LD_LIBRARY_PATH={libraries} exec {usr}/sbin/varnishd {options}"
