"""The reference pages are as the code has them, and links lead somewhere."""

import importlib.util
import re
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from hythe.errors import HytheError

DOCS = Path(__file__).parents[2] / "docs"
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generate = load(DOCS / "generate.py")


@pytest.mark.parametrize("name", sorted(generate.PAGES))
def test_reference_page_is_fresh(name: str) -> None:
    fresh = generate.PAGES[name]()
    assert (DOCS / "reference" / name).read_text() == fresh, "run: python docs/generate.py"


def test_the_readme_leads_to_every_page() -> None:
    linked = set(LINK.findall((DOCS.parent / "README.md").read_text()))
    pages = [
        path.relative_to(DOCS.parent) for path in DOCS.rglob("*.md") if path.parent.name != "adr"
    ]
    assert {str(page) for page in pages} - linked == set()


def test_links_between_pages_lead_somewhere() -> None:
    root = DOCS.parent
    for page in [*root.glob("*.md"), *DOCS.rglob("*.md"), root / "web" / "README.md"]:
        for target in LINK.findall(page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.relative_to(root)}: {target}"


def test_error_codes_are_unique() -> None:
    codes = Counter(error.code for error in generate._tree(HytheError))
    assert [code for code, count in codes.items() if count > 1] == []


def test_every_error_has_a_cause_and_a_fix() -> None:
    for error in generate._tree(HytheError):
        assert error.__doc__, error
        assert error("Because.").fix, error
