"""A pytest plugin that prints the seconds of every suite (folder of tests) before the closing line."""

from collections import defaultdict
from pathlib import Path

import pytest

_seconds: dict[str, float] = defaultdict(float)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add a phase of a test to its suite."""
    parts = Path(report.nodeid.split("::")[0]).parts
    _seconds["/".join(parts[:2])] += report.duration


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table."""
    terminalreporter.section("seconds per suite")
    for suite, seconds in sorted(_seconds.items()):
        terminalreporter.line(f"{seconds:8.1f} s  {suite}")
