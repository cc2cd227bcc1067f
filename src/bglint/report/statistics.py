"""--statistics: how often each rule was broken."""

from __future__ import annotations

from dataclasses import dataclass

from bglint.report import Report
from bglint.report.summary import summary
from bglint.report.text import painter


@dataclass(frozen=True)
class Count:
    """How many findings a rule has, and how many of them ``--fix`` would fix."""

    code: str
    name: str
    count: int
    fixable: int


def counts(report: Report) -> list[Count]:
    """Return one Count per code, the most frequent first, then by name."""
    totals: dict[str, Count] = {}
    for finding in report.findings:
        so_far = totals.get(finding.code, Count(finding.code, finding.name, 0, 0))
        fixable = so_far.fixable + report.fixable(finding)
        totals[finding.code] = Count(finding.code, so_far.name, so_far.count + 1, fixable)
    return sorted(totals.values(), key=lambda total: (-total.count, total.name, total.code))


def statistics(report: Report, format: str = "full", *, color: bool = False) -> str:
    """Return the statistics: JSON objects for the formats json and json-lines, else a table and the summary.

    The table's marker is ``[*]`` where all findings of a rule are fixable, ``[-]`` where some are.
    """
    rows = counts(report)
    if format in ("json", "json-lines"):
        return _json(rows, lines=format == "json-lines")
    paint = painter(color)
    width = max((len(str(row.count)) for row in rows), default=0)
    codes = max((len(row.code) for row in rows), default=0)
    table = "".join(
        f"{paint(f'{row.count:>{width}}', 'bold')}\t{paint(f'{row.code:<{codes}}', 'bold red')}\t"
        f"[{_marker(row)}] {row.name}\n"
        for row in rows
    )
    return table + summary(report, color)


def _json(rows: list[Count], lines: bool) -> str:
    from bglint.report.jsontext import dumps

    objects = [
        {
            "code": row.code,
            "name": row.name,
            "count": row.count,
            "fixable": row.fixable == row.count,
            "fixable_count": row.fixable,
        }
        for row in rows
    ]
    if lines:
        return "".join(dumps(each, indent=None) + "\n" for each in objects)
    return dumps(objects) + "\n"


def _marker(row: Count) -> str:
    if row.fixable == row.count:
        return "*"
    return "-" if row.fixable else " "
