"""Small text helpers that the formats share: physical lines, printable text, colour."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from bglint.report import Report

if TYPE_CHECKING:
    from bglint.model import Location

Paint = Callable[[str, str], str]  # (text, rich style) -> text as the terminal should get it
LinesOf = Callable[[str], tuple[str, ...]]  # finding.path -> physical lines, with their line ends

# Controls, line and paragraph separators, direction overrides, lone surrogates, and what XML has no room for:
# none of it may break a line of output, drive a terminal or fail to encode.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]",
)
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


def printable(text: str) -> str:
    r"""Return ``text`` on one line, with everything that is not for the eye written as an escape (``\n``)."""
    return _UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def split_lines(text: str) -> tuple[str, ...]:
    r"""Return the lines that Python counts (``\n``, ``\r\n``, ``\r``; not form feeds), keeping their ends."""
    return tuple(_LINE.findall(text))


def lines_reader(report: Report) -> LinesOf:
    """Return a function from a path to its file's lines, read once; a file that cannot be read has none."""
    known: dict[str, tuple[str, ...]] = {}

    def lines_of(path: str) -> tuple[str, ...]:
        if path not in known:
            try:
                known[path] = split_lines(report.text_of(path))
            except (OSError, UnicodeError):
                known[path] = ()
        return known[path]

    return lines_of


def place(path: str, location: Location) -> str:
    """Return ``path:row:column`` for people."""
    return f"{printable(path)}:{location.row}:{location.column}"


def painter(color: bool) -> Paint:
    """Return what puts a rich style on a text: ANSI codes with ``color``, else nothing at all."""
    if not color:
        return lambda text, style: text
    from rich.color import ColorSystem
    from rich.style import Style

    return lambda text, style: Style.parse(style).render(text, color_system=ColorSystem.STANDARD)
