"""The web process of an app without one in its Procfile: find its WSGI or ASGI callable.

Files are parsed, never imported: importing would run the app during its build.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["wsgi", "asgi"]

FILES = (
    "app.py", "main.py", "wsgi.py", "asgi.py", "application.py", "server.py",
    "app/__init__.py", "app/main.py", "src/app.py", "src/main.py",
)  # fmt: skip
NAMES = ("app", "application", "api", "server")  # preferred, in this order
WSGI_MAKERS = {"Flask", "Bottle", "default_app", "get_wsgi_application", "APIFlask", "Pyramid"}
ASGI_MAKERS = {"FastAPI", "Starlette", "Quart", "Litestar", "Sanic", "get_asgi_application"}
FACTORIES = ("create_app", "make_app", "get_app")
# Arguments, by name or position, of the two protocols.
WSGI_ARGUMENTS, ASGI_ARGUMENTS = 2, 3


@dataclass(frozen=True)
class Served:
    """Something that a server can serve."""

    module: str  # app, app.main
    name: str  # app, or create_app
    kind: Kind
    file: str
    factory: bool = False

    @property
    def described(self) -> str:
        protocol = self.kind.upper()
        what = f"{self.name}()" if self.factory else self.name
        return f"{protocol} callable `{what}` in {self.file}"


def find(app: Path) -> Served | None:
    """The app's callable, or None."""
    for file in FILES:
        if (app / file).is_file():
            found = _in_file(app, file)
            if found is not None:
                return found
    return _django(app)


def _django(app: Path) -> Served | None:
    """The project that manage.py names."""
    manage = app / "manage.py"
    if not manage.is_file():
        return None
    settings = re.search(
        r"DJANGO_SETTINGS_MODULE['\"]\s*,\s*['\"]([\w.]+)\.settings",
        manage.read_text(errors="replace"),
    )
    if settings is None:
        return None
    package = settings[1]
    for kind in ("wsgi", "asgi"):
        file = f"{package.replace('.', '/')}/{kind}.py"
        if (app / file).is_file():
            return Served(f"{package}.{kind}", "application", kind, file)
    return None


def _in_file(app: Path, file: str) -> Served | None:
    tree = _parse(app / file)
    if tree is None:
        return None
    module = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    found = dict(_callables(app, file, tree))
    for name in sorted(found, key=lambda name: NAMES.index(name) if name in NAMES else len(NAMES)):
        return Served(module, name, found[name], file)
    for name, kind in _factories(tree):
        return Served(module, name, kind, file, factory=True)
    return None


def _parse(file: Path) -> ast.Module | None:
    try:
        return ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return None  # the app's own start says it better


def _callables(app: Path, file: str, tree: ast.Module) -> Iterator[tuple[str, Kind]]:
    """Names at the module's top level that are callables, with their protocol."""
    makers = _makers(tree)
    for node in _top_level(tree.body):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                kind = _made_by(value, makers)
            case ast.AnnAssign(target=ast.Name(id=name), value=value) if value is not None:
                kind = _made_by(value, makers)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                kind = _protocol(node)
            case ast.ImportFrom(names=names) if Path(file).name in (
                "wsgi.py",
                "asgi.py",
                "main.py",
            ):
                yield from _imported(app, file, node, names)
                continue
            case _:
                continue
        if kind is not None:
            yield name, kind


def _imported(
    app: Path, file: str, node: ast.ImportFrom, names: list[ast.alias]
) -> Iterator[tuple[str, Kind]]:
    """`from shop import app` in wsgi.py: look one file further for its protocol."""
    base = Path(file).parent if node.level else Path()
    module = (node.module or "").replace(".", "/")
    for alias in names:
        name = alias.asname or alias.name
        if name not in NAMES:
            continue
        for source in (base / f"{module}.py", base / module / "__init__.py"):
            tree = _parse(app / source) if module and (app / source).is_file() else None
            if tree is not None:
                kind = dict(_callables(app, "", tree)).get(alias.name)
                if kind is not None:
                    yield name, kind
                    break


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run at import: also in `if`, `try` and `with`, but not under __main__."""
    for node in body:
        yield node
        if isinstance(node, ast.If) and "__main__" not in ast.dump(node.test):
            yield from _top_level(node.body + node.orelse)
        elif isinstance(node, (ast.Try, ast.With)):
            yield from _top_level(node.body)


def _makers(tree: ast.Module) -> dict[str, Kind]:
    """Names that make a callable when called: frameworks' classes, and factory functions."""
    makers: dict[str, Kind] = dict.fromkeys(WSGI_MAKERS, "wsgi") | dict.fromkeys(
        ASGI_MAKERS, "asgi"
    )
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            makers |= {
                a.asname: makers[a.name] for a in node.names if a.asname and a.name in makers
            }
    makers |= dict(_factories(tree))
    return makers


def _factories(tree: ast.Module) -> Iterator[tuple[str, Kind]]:
    """Functions such as create_app that make a framework's object and need no argument."""
    frameworks: dict[str, Kind] = dict.fromkeys(WSGI_MAKERS, "wsgi") | dict.fromkeys(
        ASGI_MAKERS, "asgi"
    )
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name in FACTORIES and not _needs(node):
            for call in (n for n in ast.walk(node) if isinstance(n, ast.Call)):
                kind = _made_by(call, frameworks)
                if kind is not None:
                    yield node.name, kind
                    break


def _made_by(value: ast.expr, makers: dict[str, Kind]) -> Kind | None:
    if not isinstance(value, ast.Call):
        return None
    match value.func:
        case ast.Name(id=name):
            return makers.get(name)
        case ast.Attribute(attr="App", value=owner):
            return _falcon(ast.unparse(owner))
        case ast.Attribute(attr=name):
            return makers.get(name)
    return None


def _falcon(owner: str) -> Kind | None:
    return {"falcon": "wsgi", "falcon.asgi": "asgi"}.get(owner)  # type: ignore[return-value]


def _needs(node: ast.FunctionDef) -> int:
    """How many arguments a call must give."""
    return len(node.args.posonlyargs) + len(node.args.args) - len(node.args.defaults)


def _protocol(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Kind | None:
    """`def app(environ, start_response)` or `async def app(scope, receive, send)`."""
    names = [argument.arg for argument in node.args.posonlyargs + node.args.args]
    if isinstance(node, ast.AsyncFunctionDef):
        fits = len(names) == ASGI_ARGUMENTS and (node.name in NAMES or names[0] == "scope")
        return "asgi" if fits else None
    fits = len(names) == WSGI_ARGUMENTS and (node.name in NAMES or names[1] == "start_response")
    return "wsgi" if fits else None
