import runpy
from pathlib import Path

FOLDER = Path(__file__).parents[3] / "docs" / "reference" / "api"


def test_the_reference_page_is_fresh() -> None:
    fresh = runpy.run_path(str(FOLDER / "generate.py"))["page"]()
    stale = "run: python docs/reference/api/generate.py"
    assert (FOLDER / "README.md").read_text() == fresh, stale
