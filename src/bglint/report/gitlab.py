"""gitlab: a Code Quality report, for the widget in merge requests."""

from __future__ import annotations

from bglint.model import Finding, Level, Location
from bglint.report import Report
from bglint.report.fingerprint import fingerprints
from bglint.report.jsontext import dumps

_SEVERITY = {Level.ERROR: "major", Level.WARNING: "minor"}


def render(report: Report, color: bool, width: int) -> str:
    """Return a JSON array with one issue per finding."""
    marks = fingerprints(report)
    return dumps([_issue(*pair) for pair in zip(report.findings, marks, strict=True)]) + "\n"


def _issue(finding: Finding, fingerprint: str) -> dict[str, object]:
    return {
        "check_name": finding.code,
        "description": f"{finding.code}: {finding.message}",
        "severity": _SEVERITY[finding.level],
        "fingerprint": fingerprint,
        "location": {
            "path": finding.path,
            "positions": {"begin": _position(finding.span.start), "end": _position(finding.span.end)},
        },
    }


def _position(location: Location) -> dict[str, int]:
    return {"line": location.row, "column": location.column}
