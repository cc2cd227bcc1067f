"""``# noqa`` comments, read as flake8 reads them: both commands are silenced by the same words."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

# The same languages as flake8's NOQA_INLINE_REGEXP and NOQA_FILE. Only the word is free in its case: a code
# in lower case silences nothing there, so it silences nothing here.
_CODES = r":\s?(?P<codes>(?:[A-Z]+[0-9]+[,\s]*)+)"
_INLINE = re.compile(rf"# noqa(?:{_CODES})?", re.IGNORECASE)
_FILE = re.compile(rf"\s*# flake8[:=]\s*noqa(?:{_CODES})?", re.IGNORECASE)
_SEPARATORS = re.compile(r"[,\s]+")
_TRAILING = re.compile(r"[,\s]+\Z")


class Directive(NamedTuple):
    """One ``# noqa``: its row, first column and the column behind it (from 1), and its codes.

    ``codes`` are prefixes, empty for a blanket ``# noqa`` that silences everything.
    """

    row: int
    column: int
    end_column: int
    codes: tuple[str, ...]

    def silences(self, code: str) -> bool:
        """Tell whether a finding of ``code`` is silenced."""
        return not self.codes or code.startswith(self.codes)


class Noqa:
    """The noqa comments of one file, looked for only where and when somebody asks."""

    def __init__(self, lines: Sequence[str]) -> None:
        """Take the file's lines, as ``Source.lines`` has them."""
        self._lines = lines
        self._file: tuple[Directive, ...] | None = None

    def silences(self, code: str, rows: Sequence[int]) -> bool:
        """Tell whether a comment on any of ``rows`` (from 1) silences ``code``; rows may not exist."""
        found = self._by_row
        return any(row in found and found[row].silences(code) for row in rows) if found else False

    def on(self, row: int) -> Directive | None:
        """Return the ``# noqa`` that counts on a row, which may stand on another one that is joined to it."""
        return self._by_row.get(row)

    def last_row(self, row: int) -> int:
        """Return the row at whose end a comment counts for ``row``."""
        return self._joined.get(row, (row, row))[1]

    def file_silences(self, code: str) -> bool:
        """Tell whether a ``# flake8: noqa`` line silences ``code`` in the whole file.

        With codes it silences only those. flake8 itself skips the whole file even then, which hides more than
        was asked for.
        """
        return any(directive.silences(code) for directive in self.file_directives())

    def directives(self) -> Iterator[Directive]:
        """Yield every ``# noqa``, in order, the first of its line (or joined lines) only, as only that one counts.

        Like flake8 it does not tell comments from strings: who wants to edit one has to look where it stands.
        """
        yield from sorted(set(self._by_row.values()))

    def file_directives(self) -> tuple[Directive, ...]:
        """Return every ``# flake8: noqa``, in order; the white space before one is part of it."""
        if self._file is None:
            self._file = tuple(self._file_directives())
        return self._file

    @cached_property
    def _joined(self) -> dict[int, tuple[int, int]]:
        return joined_rows(self._lines)

    @cached_property
    def _by_row(self) -> dict[int, Directive]:
        """Row → the directive that counts there."""
        starts = [row for row, line in enumerate(self._lines, 1) if "#" in line and _INLINE.search(line)]
        found: dict[int, Directive] = {}
        for row in starts:
            if row in found:
                continue
            first, last = self._joined.get(row, (row, row))
            match = _INLINE.search("".join(self._lines[first - 1 : last]))
            assert match is not None
            directive = self._placed(first, match)
            found.update(dict.fromkeys(range(first, last + 1), directive))
        return found

    def _placed(self, first: int, match: re.Match[str]) -> Directive:
        """Return the directive that is matched in the text that starts on row ``first``."""
        row, column = first, match.start()
        while column >= len(self._lines[row - 1]):
            column -= len(self._lines[row - 1])
            row += 1
        return _directive(row, column, match)

    def _file_directives(self) -> Iterator[Directive]:
        for row, line in enumerate(self._lines, 1):
            if "#" in line and (match := _FILE.match(line)):
                yield _directive(row, match.start(), match)


def _directive(row: int, column: int, match: re.Match[str]) -> Directive:
    codes = tuple(code for code in _SEPARATORS.split(match["codes"] or "") if code)
    # The last separators are matched, but belong to whatever follows the directive.
    end = column + len(_TRAILING.sub("", match[0]))
    return Directive(row, column + 1, end + 1, codes)


# Comments, which hide quotes; strings, which hide both; and the line ends that join two rows.
_TOKEN = re.compile(
    r"""
    \#[^\r\n]*
    | \"{3} [^"\\]* (?: (?: \\(?:\r\n|.) | "(?!"") ) [^"\\]* )* \"{3}
    | \'{3} [^'\\]* (?: (?: \\(?:\r\n|.) | '(?!'') ) [^'\\]* )* \'{3}
    | " [^"\\\r\n]* (?: \\(?:\r\n|.) [^"\\\r\n]* )* "
    | ' [^'\\\r\n]* (?: \\(?:\r\n|.) [^'\\\r\n]* )* '
    | \\(?:\r\n|\r|\n)
    """,
    re.VERBOSE | re.DOTALL,
)


def joined_rows(lines: Sequence[str]) -> dict[int, tuple[int, int]]:
    """Return, for each row that a string or a backslash joins to others, the first and last of these rows.

    A comment behind the last of them counts for all, to flake8 as to ruff: it could stand on no other.
    """
    ends = list(accumulate(map(len, lines)))
    joined: dict[int, tuple[int, int]] = {}
    for token in _TOKEN.finditer("".join(lines)):
        if "\n" not in token[0] and "\r" not in token[0]:
            continue
        first = bisect_left(ends, token.start() + 1) + 1
        last = min(bisect_left(ends, token.end() + (token[0][0] == "\\")) + 1, len(lines))
        first = joined.get(first, (first, first))[0]
        joined.update(dict.fromkeys(range(first, last + 1), (first, last)))
    return joined
