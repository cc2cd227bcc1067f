"""``# noqa`` comments, read as flake8 reads them: both commands are silenced by the same words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
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
        directives = (self._on(row) for row in rows if 1 <= row <= len(self._lines))
        return any(directive is not None and directive.silences(code) for directive in directives)

    def file_silences(self, code: str) -> bool:
        """Tell whether a ``# flake8: noqa`` line silences ``code`` in the whole file.

        With codes it silences only those. flake8 itself skips the whole file even then, which hides more than
        was asked for.
        """
        return any(directive.silences(code) for directive in self.file_directives())

    def directives(self) -> Iterator[Directive]:
        """Yield every ``# noqa``, in order, the first of its line only, as only that one counts.

        Like flake8 it does not tell comments from strings: who wants to edit one has to look where it stands.
        """
        found = (self._on(row) for row in range(1, len(self._lines) + 1))
        return (directive for directive in found if directive is not None)

    def file_directives(self) -> tuple[Directive, ...]:
        """Return every ``# flake8: noqa``, in order; the white space before one is part of it."""
        if self._file is None:
            self._file = tuple(self._file_directives())
        return self._file

    def _on(self, row: int) -> Directive | None:
        match = _INLINE.search(self._lines[row - 1])
        return None if match is None else _directive(row, match)

    def _file_directives(self) -> Iterator[Directive]:
        for row, line in enumerate(self._lines, 1):
            if "#" in line and (match := _FILE.match(line)):
                yield _directive(row, match)


def _directive(row: int, match: re.Match[str]) -> Directive:
    codes = tuple(code for code in _SEPARATORS.split(match["codes"] or "") if code)
    # The last separators are matched, but belong to whatever follows the directive.
    end = match.start() + len(_TRAILING.sub("", match[0]))
    return Directive(row, match.start() + 1, end + 1, codes)
