"""include and exclude of project.toml: the patterns of gitignore."""

from pathlib import Path

import pytest

from hythe.build.selection import select
from hythe.build.workspace import Workspace
from hythe.errors import BuildError

FILES = ("app.py", "README.md", "docs/a.md", "docs/deep/b.txt", "src/x.py", ".gitignore")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path)
    for name in FILES:
        file = made.app / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("app.py\n")  # as a .gitignore it must not count
    return made


def left(workspace: Workspace) -> set[str]:
    root = workspace.app
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_what_is_excluded_is_gone_with_its_folder(workspace: Workspace) -> None:
    select(workspace, None, ("*.md", "/docs/deep/", "!README.md"))
    assert left(workspace) == {"app.py", "README.md", "src/x.py", ".gitignore"}
    assert not (workspace.app / "docs").exists()


def test_only_what_is_included_is_left(workspace: Workspace) -> None:
    select(workspace, ("src/", "app.py"), None)
    assert left(workspace) == {"app.py", "src/x.py"}


@pytest.mark.parametrize(("include", "exclude"), [((), None), (None, ("*",))])
def test_nothing_left_is_an_error(
    workspace: Workspace, include: tuple[str, ...] | None, exclude: tuple[str, ...] | None
) -> None:
    with pytest.raises(BuildError, match="leaves no file"):
        select(workspace, include, exclude)
