"""pylint: the parseable text format that editors and CI plugins know from pylint."""

from __future__ import annotations

from bglint.report import Report
from bglint.report.text import printable


def render(report: Report, color: bool, width: int) -> str:
    """Return one ``path:row: [CODE] message`` line per finding, and nothing else."""
    return "".join(
        f"{printable(finding.path)}:{finding.span.start.row}: [{finding.code}] {printable(finding.message)}\n"
        for finding in report.findings
    )
