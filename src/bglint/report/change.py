"""What a fix changes, as rows of a small diff. Only the lines around the edits are compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import accumulate

from bglint.model import Edit, Location
from bglint.report.text import split_lines


@dataclass(frozen=True)
class Row:
    """A line of a diff: ``sign`` is ``-``, ``+`` or a space; ``number`` is its row in the new text."""

    sign: str
    number: int | None
    text: str


def changes(lines: Sequence[str], edits: Iterable[Edit]) -> list[list[Row]]:
    """Return the hunks, with a line of context, that ``edits`` make in ``lines`` (which keep their ends)."""
    hunks: list[list[Row]] = []
    shift = 0
    for group in _neighbours(edits):
        first = max(1, group[0].span.start.row - 1)
        last = max(edit.span.end.row for edit in group) + 1
        block = lines[first - 1 : last]
        before = [line.rstrip("\r\n") for line in block]
        after = [line.rstrip("\r\n") for line in split_lines(_edited(block, first, group))]
        hunks += _hunks(before, after, first + shift)
        shift += len(after) - len(before)
    return hunks


def _neighbours(edits: Iterable[Edit]) -> list[list[Edit]]:
    """Return the edits in order, those together whose lines or context lines touch."""
    groups: list[list[Edit]] = []
    reach = 0
    for edit in sorted(edits, key=lambda edit: edit.span):
        if groups and edit.span.start.row <= reach + 2:
            groups[-1].append(edit)
        else:
            groups.append([edit])
        reach = max(reach, edit.span.end.row)
    return groups


def _edited(block: Sequence[str], first: int, edits: Sequence[Edit]) -> str:
    starts = list(accumulate(map(len, block), initial=0))

    def offset(location: Location) -> int:
        row = min(location.row - first, len(starts) - 1)
        return min(starts[row] + location.column - 1, starts[-1])

    text = "".join(block)
    for edit in reversed(edits):
        text = text[: offset(edit.span.start)] + edit.content + text[offset(edit.span.end) :]
    return text


def _hunks(before: list[str], after: list[str], number: int) -> list[list[Row]]:
    """Return the differences, split where more than two lines between them are the same."""
    hunks: list[list[Row]] = []
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for opcodes in matcher.get_grouped_opcodes(1):
        rows: list[Row] = []
        for tag, old, old_end, new, new_end in opcodes:
            if tag == "equal":
                rows += [Row(" ", number + at, after[at]) for at in range(new, new_end)]
            else:
                rows += [Row("-", None, text) for text in before[old:old_end]]
                rows += [Row("+", number + at, after[at]) for at in range(new, new_end)]
        hunks.append(rows)
    return hunks
