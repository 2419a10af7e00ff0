"""The apps that `bin/bench build` builds: Flask with 20 real dependencies, and Express."""

import json
from pathlib import Path

IMPORTS = {  # requirement -> module
    "flask": "flask", "gunicorn": "gunicorn", "requests": "requests", "httpx": "httpx",
    "sqlalchemy": "sqlalchemy", "alembic": "alembic", "pydantic": "pydantic", "numpy": "numpy",
    "pandas": "pandas", "pillow": "PIL", "lxml": "lxml", "cryptography": "cryptography",
    "pyyaml": "yaml", "redis": "redis", "celery": "celery", "boto3": "boto3", "rich": "rich",
    "openpyxl": "openpyxl", "beautifulsoup4": "bs4", "markdown": "markdown", "jsonschema":
    "jsonschema", "psycopg2-binary": "psycopg2",
}  # fmt: skip
ADDED = ("tabulate", "humanize", "xmltodict", "toml", "inflection", "pyjwt", "blinker", "arrow")
"""One more dependency for each round."""

FLASK = """\
import {modules}
from flask import Flask

app = Flask(__name__)


@app.get("/")
def index():
    return "version {version} ok"
"""
EXPRESS = """\
const app = require('express')()
app.get('/', (_, response) => response.send('version {version} ok'))
app.listen(process.env.PORT)
"""
DOCKERFILE = """\
FROM {base}
WORKDIR /app
COPY requirements.txt .
RUN python3 -m venv /venv && /venv/bin/pip install --no-cache-dir -r requirements.txt
COPY . .
CMD ["/venv/bin/gunicorn", "app:app"]
"""
BURNER = """\
#!/bin/sh
echo "-----> Burning"
for one in 1 2 3 4; do (while :; do :; done) & done
sleep 120
"""
OK = """\
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]
"""


def write(folder: Path, files: dict[str, str]) -> None:
    """Files by their path; those that begin with `#!` may be run."""
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        if text.startswith("#!"):
            file.chmod(0o755)


def flask(version: int, added: int = 0) -> dict[str, str]:
    """The Flask app with so many more dependencies."""
    names = [*IMPORTS, *ADDED[:added]]
    return {
        "requirements.txt": "\n".join(names) + "\n",
        "app.py": FLASK.format(modules=", ".join(IMPORTS.values()), version=version),
        "Procfile": "web: gunicorn app:app\n",
    }


def express(version: int) -> dict[str, str]:
    about = {
        "name": "bench", "version": "1.0.0", "dependencies": {"express": "5"},
        "scripts": {"start": "node server.js"},
    }  # fmt: skip
    return {"package.json": json.dumps(about), "server.js": EXPRESS.format(version=version)}
