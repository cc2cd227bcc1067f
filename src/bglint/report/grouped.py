"""grouped: the findings of one file under its path, columns aligned, then the summary."""

from __future__ import annotations

from itertools import groupby

from bglint.model import Finding
from bglint.report import Report
from bglint.report.summary import marked, summary
from bglint.report.text import Paint, painter, printable


def render(report: Report, color: bool, width: int) -> str:
    """Return a block per file and the summary."""
    paint = painter(color)
    by_file = groupby(report.findings, key=lambda finding: finding.path)
    blocks = [_block(report, path, tuple(findings), paint) for path, findings in by_file]
    return "".join(blocks) + summary(report, color)


def _block(report: Report, path: str, findings: tuple[Finding, ...], paint: Paint) -> str:
    starts = [finding.span.start for finding in findings]
    rows = max(len(str(start.row)) for start in starts)
    columns = max(len(str(start.column)) for start in starts)
    lines = [
        f"  {start.row:>{rows}}:{start.column:<{columns}} {marked(report, finding, paint)}\n"
        for start, finding in zip(starts, findings, strict=True)
    ]
    return f"{paint(printable(path), 'bold underline')}:\n{''.join(lines)}\n"
