"""How nginx serves a static site."""

from pathlib import Path

SERVER = """    server {{
        listen PORT;
        root {root};
        index index.html;
        add_header Cache-Control $caching;
        add_header X-Content-Type-Options nosniff;
{not_found}
        location ~ /\\.(?!well-known/) {{ return 404; }}
        location / {{ try_files $uri $uri/ $uri.html {fallback}; }}
    }}"""


def server(root: Path, *, spa: bool) -> str:
    """The `server` block for a folder; `spa` answers unknown pages with /index.html."""
    own_page = (root / "404.html").is_file()
    return SERVER.format(
        root=root,
        not_found="        error_page 404 /404.html;" if own_page else "",
        fallback="/index.html" if spa else "=404",
    )
