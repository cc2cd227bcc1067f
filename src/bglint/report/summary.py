"""The last lines of the formats that people read: what was fixed, was found, can be fixed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bglint.report import Report
from bglint.report.text import Paint, painter, place, printable

if TYPE_CHECKING:
    from bglint.model import Finding


def headline(report: Report, finding: Finding, paint: Paint) -> str:
    """Return ``path:row:col: CODE [*] message``, the line that concise is made of."""
    return f"{paint(place(finding.path, finding.span.start), 'bold')}: {marked(report, finding, paint)}"


def marked(report: Report, finding: Finding, paint: Paint) -> str:
    """Return ``CODE [*] message``, the marker only where ``--fix`` would fix the finding."""
    return f"{marked_code(report, finding, paint)} {printable(finding.message)}"


def marked_code(report: Report, finding: Finding, paint: Paint) -> str:
    """Return ``CODE`` or ``CODE [*]``."""
    marker = f" [{paint('*', 'cyan')}]" if report.fixable(finding) else ""
    return paint(finding.code, "bold red") + marker


def summary(report: Report, color: bool) -> str:
    """Return the closing lines, each ending in a newline; nothing when the report wants no summary."""
    if not report.summary:
        return ""
    lines = [*(fixes_listed(report.fixed) if report.show_fixes else ()), *_counts(report, color)]
    return "".join(f"{line}\n" for line in lines)


def _counts(report: Report, color: bool) -> list[str]:
    remaining = len(report.findings)
    fixed = sum(sum(codes.values()) for codes in report.fixed.values())
    if not remaining and not fixed:
        return [painter(color)("All checks passed!", "green")]
    found = f"Found {_number(remaining + fixed, 'error')}"
    if fixed:
        return [f"{found} ({fixed} fixed, {remaining} remaining).", *_fixable(report, painter(color))]
    return [f"{found}.", *_fixable(report, painter(color))]


def _fixable(report: Report, paint: Paint) -> list[str]:
    with_fix = [finding for finding in report.findings if finding.fix is not None]
    now = sum(map(report.fixable, with_fix))
    hidden = len(with_fix) - now
    if now:
        more = f" ({hidden} more with --unsafe-fixes)" if hidden else ""
        return [f"[{paint('*', 'cyan')}] {now} fixable with the --fix option{more}."]
    if hidden:
        fixes = _number(hidden, "hidden fix", "hidden fixes")
        return [f"No fixes available ({fixes} can be enabled with the --unsafe-fixes option)."]
    return []


def fixes_listed(fixed: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return the lines of --show-fixes, the last one empty; none when nothing was fixed."""
    from bglint.report.rule_texts import rule_names

    total = sum(sum(codes.values()) for codes in fixed.values())
    if not total:
        return []
    names = rule_names()
    lines = [f"Fixed {_number(total, 'error')}:"]
    for path, codes in sorted(fixed.items()):
        counts = sorted((-count, code) for code, count in codes.items() if count)
        width = max((len(str(-count)) for count, _ in counts), default=0)
        lines += [f"- {printable(path)}:"] if counts else []
        for count, code in counts:
            name = f" ({names[code]})" if code in names else ""
            lines.append(f"    {-count:>{width}} × {code}{name}")
    return [*lines, ""]


def _number(count: int, singular: str, plural: str = "") -> str:
    return f"{count} {singular if count == 1 else plural or singular + 's'}"
