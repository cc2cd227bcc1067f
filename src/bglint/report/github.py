"""github: workflow commands, which GitHub Actions turns into annotations on the changed lines."""

from __future__ import annotations

from bglint.model import Finding
from bglint.report import Report
from bglint.report.text import printable

_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def render(report: Report, color: bool, width: int) -> str:
    """Return one ``::error`` command per finding."""
    return "".join(map(_command, report.findings))


def _command(finding: Finding) -> str:
    start, end = finding.span.start, finding.span.end
    properties = {
        "title": f"bglint ({finding.code})",
        "file": finding.path,
        "line": start.row,
        "col": start.column,
        "endLine": end.row,
        "endColumn": end.column,
    }
    listed = ",".join(f"{key}={_escaped(str(value), _PROPERTY)}" for key, value in properties.items())
    return f"::error {listed}::{_escaped(finding.message, _DATA)}\n"


def _escaped(text: str, table: dict[int, str]) -> str:
    # GitHub's own escapes first: they keep the line breaks that printable() would spell out.
    return printable(text.translate(table))
