"""full: each finding with its source, how it comes about (the call chain), and what the fix would change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bglint.report import Report
from bglint.report.summary import marked_code, summary
from bglint.report.text import Paint, lines_reader, painter, place, printable

if TYPE_CHECKING:
    from bglint.model import Finding, Fix, Frame
    from bglint.report.change import Row

_LONGEST_HUNK = 20  # rows; a generated helper need not be read again under every finding
_STYLES = {"+": "green", "-": "red", " ": "none"}


def render(report: Report, color: bool, width: int) -> str:
    """Return a block per finding, an empty line after each, and the summary."""
    paint = painter(color)
    lines_of = lines_reader(report)
    blocks = [_block(report, finding, lines_of(finding.path), width, paint) for finding in report.findings]
    return "".join("\n".join(block) + "\n\n" for block in blocks) + summary(report, color)


def _block(report: Report, finding: Finding, lines: Sequence[str], width: int, paint: Paint) -> list[str]:
    from bglint.report.excerpt import excerpt  # a clean run has no use for it

    head = f"{marked_code(report, finding, paint)} {paint(finding.name, 'bold')}: {printable(finding.message)}"
    where = place(finding.path, finding.span.start)
    return [
        head,
        *excerpt(lines, finding.span, where, width, paint),
        *_chain(finding.chain, paint),
        *_repair(finding, lines, width, paint),
    ]


def _chain(chain: Sequence[Frame], paint: Paint) -> list[str]:
    if not chain:
        return []
    names = [f"{'   ' * (depth - 1)}└─ " if depth else "" for depth in range(len(chain))]
    names = [indent + printable(frame.function) for indent, frame in zip(names, chain, strict=True)]
    longest = max(map(len, names))
    return [
        f"{paint('call chain', 'bold cyan')}:",
        *(
            f"  {name:<{longest}}  {paint(f'{printable(frame.filename)}:{frame.row}', 'dim')}"
            for name, frame in zip(names, chain, strict=True)
        ),
    ]


def _repair(finding: Finding, lines: Sequence[str], width: int, paint: Paint) -> list[str]:
    note = f"{paint('note', 'bold cyan')}: "
    if finding.fix is None:
        refused = finding.fix_refused
        return [f"{note}fix not offered: {printable(refused)}"] if refused else []
    from bglint.model import Applicability

    unsafe = finding.fix.applicability is Applicability.UNSAFE
    return [
        f"{paint('help', 'bold cyan')}: {printable(finding.fix.message)}",
        *(_diff(finding.fix, lines, width, paint) if lines else ()),
        *([f"{note}This is an unsafe fix and may change runtime behavior"] if unsafe else ()),
    ]


def _diff(fix: Fix, lines: Sequence[str], width: int, paint: Paint) -> list[str]:
    from bglint.report.change import changes

    hunks = changes(lines, fix.edits)
    if not hunks:
        return []
    gutter = max(len(str(row.number or "")) for hunk in hunks for row in hunk)
    bar = paint("|", "blue")
    edge = f"{' ' * gutter} {bar}"
    gap = f"{'.' * max(3, gutter)}"
    rows: list[str] = []
    for hunk in hunks:
        rows += [gap] if rows else []
        rows += [_row(row, gutter, width, bar, paint) for row in hunk[:_LONGEST_HUNK]]
        more = len(hunk) - _LONGEST_HUNK
        rows += [f"{edge} … {more} more line{'s' if more > 1 else ''}"] if more > 0 else []
    return [edge, *rows, edge]


def _row(row: Row, gutter: int, width: int, bar: str, paint: Paint) -> str:
    from bglint.report.excerpt import cut

    number = f"{row.number or '':>{gutter}}"
    text = cut(row.text, max(width - gutter - 5, 20))
    if row.sign == " ":
        return f"{number} {bar} {text}".rstrip()
    return f"{number} {paint(f'{row.sign} {text}'.rstrip(), _STYLES[row.sign])}"
