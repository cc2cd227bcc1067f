"""Bytes to text and back: encodings as Python reads them, line ends untouched, places both ways."""

from __future__ import annotations

import codecs
import errno
import io
import os
import re
import stat
from bisect import bisect_right
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bglint.model import Location, Span

# Patterns are compiled where they are used: few files have a declaration.
_COOKIE = rb"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)"
_BLANK_OR_COMMENT = rb"[ \t\f]*(?:#|$)"
_FIRST_TWO_LINES = rb"([^\r\n]*)(?:\r\n|\r|\n|$)([^\r\n]*)"


class SourceError(Exception):
    """A file that cannot become text. ``row`` and ``column`` count from 1; both are 1 if unknown."""

    def __init__(self, path: str, row: int, column: int, message: str) -> None:
        # All four go to the base class: that is what lets the error travel between processes.
        super().__init__(path, row, column, message)
        self.path = path
        self.row = row
        self.column = column
        self.message = message

    def __str__(self) -> str:
        return f"{self.path}:{self.row}:{self.column}: {self.message}"


class Source:
    """One file: the bytes on disk and the text they mean.

    ``text`` has no byte order mark and keeps its line ends exactly; ``newline`` is the most frequent of them.
    """

    def __init__(self, path: Path, data: bytes, text: str, encoding: str, bom: bool, newline: str) -> None:
        self.path = path
        self.data = data
        self.text = text
        self.encoding = encoding
        self.bom = bom
        self.newline = newline

    @cached_property
    def lines(self) -> list[str]:
        """The lines with their ends, split as by Python's tokenizer: at \\n, \\r\\n, \\r, nowhere else."""
        # str.splitlines() would also split at form feeds and U+2028, and every later row would be wrong.
        return list(io.StringIO(self.text, newline=""))

    @cached_property
    def _starts(self) -> list[int]:
        """The offset of every row's first character, and of the empty row after a final line end."""
        starts = [0, *accumulate(map(len, self.lines))]
        if self.lines and not self.text.endswith(("\n", "\r")):
            starts.pop()
        return starts

    def offset(self, location: Location) -> int:
        """Return how many characters come before ``location``. Raises ValueError outside the text."""
        if 1 <= location.row <= len(self._starts) and location.column >= 1:
            start = self._starts[location.row - 1]
            length = len(self.lines[location.row - 1]) if location.row <= len(self.lines) else 0
            if location.column - 1 <= length:
                return start + location.column - 1
        raise ValueError(f"{self.path} has no row {location.row}, column {location.column}")

    def location(self, offset: int) -> Location:
        """Return the place before the character number ``offset``. Raises ValueError outside the text."""
        from bglint.model import Location

        if not 0 <= offset <= len(self.text):
            raise ValueError(f"{self.path} has no offset {offset}")
        row = bisect_right(self._starts, offset)
        return Location(row, offset - self._starts[row - 1] + 1)

    def slice(self, span: Span) -> str:
        """Return the text of ``span``. Raises ValueError for a place outside the text."""
        return self.text[self.offset(span.start) : self.offset(span.end)]

    def encode(self, text: str) -> bytes:
        """Return ``text`` as this file would hold it. Raises UnicodeEncodeError where its encoding cannot.

        A few encodings (stateful or ambiguous ones) do not give their own bytes back: who writes a file
        checks first that ``encode(source.text) == source.data``.
        """
        data = text.encode(self.encoding)
        return codecs.BOM_UTF8 + data if self.bom else data


def read(path: Path) -> Source:
    """Return the file at ``path``. Raises SourceError: in the system's own words if it is unreadable."""
    try:
        data = read_bytes(path)
    except OSError as error:
        raise SourceError(str(path), 1, 1, error.strerror or str(error)) from error
    return decode(data, path)


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Return what is in a file. Raises OSError: for a pipe or device too, where reading would wait for a writer."""
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    with open(path, "rb") as file:
        return file.read()


def decode(data: bytes, path: str | os.PathLike[str]) -> Source:
    """Return what ``data`` means to Python; ``path`` is only for messages.

    Raises SourceError for bytes that Python would refuse: NUL, an unknown or wrong encoding declaration,
    bytes that the encoding does not have.
    """
    bom = data.startswith(codecs.BOM_UTF8)
    body = data[len(codecs.BOM_UTF8) :] if bom else data
    encoding = _encoding(body, bom, str(path))
    try:
        text = body.decode(encoding)
    except UnicodeError as error:
        start = error.start if isinstance(error, UnicodeDecodeError) else 0
        reason = error.reason if isinstance(error, UnicodeDecodeError) else str(error)
        byte = f"byte 0x{body[start]:02x}: " if start < len(body) else ""
        place = _end_of(body[:start].decode(encoding, "replace") if start else "")
        message = f"not valid {encoding}: {byte}{reason}"
        raise SourceError(str(path), place.row, place.column, message) from error
    if "\0" in text:
        place = _end_of(text[: text.index("\0")])
        raise SourceError(str(path), place.row, place.column, "source code cannot contain null bytes")
    return Source(Path(path), data, text, encoding, bom, dominant_newline(text))


def _encoding(body: bytes, bom: bool, path: str) -> str:
    """Return the declared encoding (PEP 263), else utf-8."""
    if b"coding" not in body[:1000]:
        return "utf-8"
    lines = re.match(_FIRST_TWO_LINES, body)
    assert lines is not None  # it matches the empty string too
    row, cookie = 1, re.match(_COOKIE, lines[1])
    if cookie is None and re.match(_BLANK_OR_COMMENT, lines[1]):
        row, cookie = 2, re.match(_COOKIE, lines[2])
    if cookie is None:
        return "utf-8"
    column = cookie.start(1) - cookie.start() + 1
    declared = cookie[1].decode("latin-1")
    name = _normal_name(declared)
    if not _reads_ascii(name):
        raise SourceError(path, row, column, f"unknown encoding: {declared}")
    if bom and name != "utf-8":
        message = f"encoding declared as {declared}, but the file starts with a UTF-8 byte order mark"
        raise SourceError(path, row, column, message)
    return name


def _normal_name(declared: str) -> str:
    """Return the name that CPython's tokenizer makes of a declared one: utf-8-sig means utf-8."""
    name = declared.lower().replace("_", "-")
    for plain in ("utf-8", "latin-1", "iso-8859-1", "iso-latin-1"):
        if name == plain or name.startswith(f"{plain}-"):
            return "utf-8" if plain == "utf-8" else "iso-8859-1"
    return declared


def _reads_ascii(encoding: str) -> bool:
    """Tell whether Python knows the encoding and a declaration written in it could have been read at all."""
    try:
        return b"#\n".decode(encoding) == "#\n"
    except (LookupError, UnicodeError):
        return False


def dominant_newline(text: str) -> str:
    """Return the most frequent of the three line ends in a text, \\n for one that has none."""
    if "\r" not in text:
        return "\n"
    crlf = text.count("\r\n")
    counts = {"\n": text.count("\n") - crlf, "\r\n": crlf, "\r": text.count("\r") - crlf}
    return max(counts, key=lambda newline: counts[newline])


def _end_of(text: str) -> Location:
    """Return the place behind the last character of ``text``."""
    before = Source(Path(), b"", text, "utf-8", False, "\n")
    return before.location(len(text))
