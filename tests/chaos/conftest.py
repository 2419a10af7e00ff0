"""What bin/chaos prints: what was done, whether it held, and what was measured meanwhile."""

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [
        report
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
        if report.when == "call"
    ]
    terminalreporter.section("chaos")
    for report in reports:
        name = report.nodeid.rpartition("::")[2].removeprefix("test_").replace("_", " ")
        facts = ", ".join(f"{key} {value}" for key, value in report.user_properties)
        terminalreporter.write_line(f"{report.outcome:7}{report.duration:6.1f} s  {name}")
        if facts:
            terminalreporter.write_line(f"{'':17}{facts}")
