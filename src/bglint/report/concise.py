"""concise: one line per finding, then the summary."""

from __future__ import annotations

from bglint.report import Report
from bglint.report.summary import headline, summary
from bglint.report.text import painter


def render(report: Report, color: bool, width: int) -> str:
    """Return ``path:row:col: CODE [*] message`` lines and the summary."""
    paint = painter(color)
    lines = [headline(report, finding, paint) + "\n" for finding in report.findings]
    gap = "\n" if lines and report.show_fixes and any(report.fixed.values()) else ""
    return "".join(lines) + gap + summary(report, color)
