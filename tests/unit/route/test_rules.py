"""The page of rules names tests that exist, and each of its rows names one."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "router-rules.md").read_text()


def test_each_rule_names_tests_that_exist():
    there = {
        name
        for kind in ("unit", "integration")
        for file in (ROOT / "tests" / kind / "route").glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)
    }
    named = re.findall(r"`(test_\w+)`", PAGE)
    assert sorted(set(named) - there) == []
    rows = [line for line in PAGE.splitlines() if re.match(r"\| (?!what comes|limit|rule)", line)]
    assert len(rows) > 40
    assert [row for row in rows if "`test_" not in row] == []
