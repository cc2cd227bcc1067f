"""Source for people: the lines around a finding, its span underlined, in the cells of a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from bglint.model import Location, Span
from bglint.report.text import Paint, printable

_CONTEXT = 2  # lines before and after the span
_HEAD, _TAIL = 5, 3  # lines that are shown of a longer span
_NARROWEST = 20  # cells of source on however narrow a terminal


def excerpt(lines: Sequence[str], span: Span, place: str, width: int, paint: Paint) -> list[str]:
    """Return the location line and the source around ``span``; without ``lines`` the location line alone."""
    if not lines:
        return [f" {paint('-->', 'blue')} {place}"]
    start, end = _inside(lines, span)
    rows = _rows(lines, start.row, end.row)
    gutter = len(str(rows[-1]))
    bar = paint("|", "blue")
    room = max(width - gutter - 5, _NARROWEST)
    body = _one_line(lines, start, end, rows, room) if start.row == end.row else _block(lines, start, end, rows, room)
    numbers = [f"{'' if row is None else row:>{gutter}}" for row, _, _ in body]
    numbered = [
        f"{paint(number, 'blue')} {bar}{paint(text, 'bold red') if is_mark else text}"
        for number, (_, text, is_mark) in zip(numbers, body, strict=True)
    ]
    blank = f"{' ' * gutter} {bar}"
    return [f"{' ' * gutter}{paint('-->', 'blue')} {place}", blank, *numbered, blank]


def visible(text: str) -> list[str]:
    """Return what a terminal is given for each character: tabs as four spaces, controls as pictures."""
    return [_shown(character) for character in text.rstrip("\r\n")]


def cut(text: str, room: int) -> str:
    """Return ``text`` as visible characters in at most ``room`` cells."""
    return _Line(text).between(0, room)


class _Line:
    """A line of source as cells; ``offsets`` are the cells at which its characters begin, and its length."""

    def __init__(self, text: str) -> None:
        self.characters = visible(text)
        self.offsets = [0]
        for character in self.characters:
            self.offsets.append(self.offsets[-1] + sum(map(_cells, character)))

    def offset(self, column: int) -> int:
        return self.offsets[min(column - 1, len(self.offsets) - 1)]

    def between(self, left: int, room: int) -> str:
        """Return what is in ``room`` cells from cell ``left`` on, an ellipsis where something is cut off."""
        length = self.offsets[-1]
        if length <= left:
            return ""
        low = left + 1 if left else 0
        high = left + room - 1 if length > left + room else length
        cells = zip(self.characters, self.offsets, self.offsets[1:], strict=False)
        kept = [(begin, character) for character, begin, end in cells if begin >= low and end <= high]
        # half of a wide character is a blank
        blank = " " * (kept[0][0] - low) if kept else ""
        shown = "".join(character for _, character in kept)
        return ("…" if low else "") + blank + shown + ("…" if high < length else "")


_Body = list[tuple[int | None, str, bool]]  # row number, text after the bar, whether it is a line of marks


def _one_line(lines: Sequence[str], start: Location, end: Location, rows: Iterable[int], room: int) -> _Body:
    line = _Line(lines[start.row - 1])
    begin, stop = line.offset(start.column), line.offset(end.column)
    left = _left(begin, stop, line.offsets[-1], room)
    body: _Body = []
    for row in rows:
        body.append((row, " " + _Line(lines[row - 1]).between(left, room), False))
        if row == start.row:
            marks = "^" * max(1, min(stop, left + room) - begin)
            body.append((None, " " * (1 + begin - left) + marks, True))
    return [(row, text.rstrip(), is_mark) for row, text, is_mark in body]


def _block(lines: Sequence[str], start: Location, end: Location, rows: Sequence[int], room: int) -> _Body:
    first = _Line(lines[start.row - 1])
    begin = min(first.offset(start.column), room)
    last = max(0, min(_Line(lines[end.row - 1]).offset(end.column), room) - 1)
    at_indent = not lines[start.row - 1][: start.column - 1].strip()
    body: _Body = []
    previous = rows[0]
    for row in rows:
        inside = start.row < row <= end.row
        if row > previous + 1:
            body.append((None, " | ...", False))
        margin = " | " if inside else " / " if row == start.row and at_indent else "   "
        body.append((row, margin + _Line(lines[row - 1]).between(0, room), False))
        if row == start.row and not at_indent:
            body.append((None, "  " + "_" * (begin + 1) + "^", True))
        if row == end.row:
            body.append((None, " |" + "_" * (last + 1) + "^", True))
        previous = row
    return [(row, text.rstrip(), is_mark) for row, text, is_mark in body]


def _left(begin: int, stop: int, length: int, room: int) -> int:
    """Return the first cell to show, so that the marks are in sight with some source before them."""
    if length <= room or stop < room:
        return 0
    return max(0, min(begin - room // 3, length - room))


def _rows(lines: Sequence[str], first: int, last: int) -> list[int]:
    before = list(range(max(1, first - _CONTEXT), first))
    after = list(range(last + 1, min(len(lines), last + _CONTEXT) + 1))
    while before and not lines[before[0] - 1].strip():
        del before[0]
    while after and not lines[after[-1] - 1].strip():
        del after[-1]
    inside = list(range(first, last + 1))
    if len(inside) > _HEAD + _TAIL + 1:
        inside = inside[:_HEAD] + inside[-_TAIL:]
    return before + inside + after


def _inside(lines: Sequence[str], span: Span) -> tuple[Location, Location]:
    """Return the span's ends on existing lines: it may stop at the start of the next line."""
    start, end = span.start, span.end
    if start.row > len(lines):
        start = Location(len(lines), len(visible(lines[-1])) + 1)
    if end.row > len(lines):
        end = Location(len(lines), len(visible(lines[-1])) + 1)
    elif end.column == 1 and end.row > start.row:
        end = Location(end.row - 1, len(visible(lines[end.row - 2])) + 1)
    return start, max(start, end)


def _shown(character: str) -> str:
    if character == "\t":
        return "    "
    if character < " ":
        return chr(0x2400 + ord(character))
    if character == "\x7f":
        return "\u2421"
    return character if len(printable(character)) == 1 else "\ufffd"


def _cells(character: str) -> int:
    if character < "\x7f":
        return 1
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
