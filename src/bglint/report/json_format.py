"""json: an array of findings; json-lines: the same objects, one a line."""

from __future__ import annotations

from bglint.model import Finding, Fix, Location
from bglint.report import Report
from bglint.report.jsontext import dumps


def render(report: Report, color: bool, width: int) -> str:
    """Return a JSON array, ``[]`` when there is nothing to report."""
    return dumps([as_object(finding) for finding in report.findings]) + "\n"


def render_lines(report: Report, color: bool, width: int) -> str:
    """Return one JSON object per line and finding."""
    return "".join(dumps(as_object(finding), indent=None) + "\n" for finding in report.findings)


def as_object(finding: Finding) -> dict[str, object]:
    """Return ``finding`` as the JSON object that users and editors build on: its keys are an interface."""
    return {
        "code": finding.code,
        "name": finding.name,
        "level": finding.level.value,
        "message": finding.message,
        "filename": finding.path,
        "location": _location(finding.span.start),
        "end_location": _location(finding.span.end),
        "chain": [
            {"function": frame.function, "filename": frame.filename, "row": frame.row} for frame in finding.chain
        ],
        "fix": None if finding.fix is None else _fix(finding.fix),
        "fix_refused": finding.fix_refused,
        "noqa_row": finding.noqa_rows[0] if finding.noqa_rows else None,
        "url": finding.url,
    }


def _fix(fix: Fix) -> dict[str, object]:
    edits = [
        {
            "content": edit.content,
            "location": _location(edit.span.start),
            "end_location": _location(edit.span.end),
        }
        for edit in fix.edits
    ]
    return {"applicability": fix.applicability.value, "message": fix.message, "edits": edits}


def _location(location: Location) -> dict[str, int]:
    return {"row": location.row, "column": location.column}
