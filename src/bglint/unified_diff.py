"""A unified diff over bytes that ``git apply`` and ``patch -p1`` accept, whatever the encoding or line ends."""

from __future__ import annotations

import difflib
import re

_LINES = re.compile(rb"[^\n]*\n|[^\n]+")
_QUOTED = re.compile(r'[\x00-\x1f\x7f"\\]')


def unified_diff(before: bytes, after: bytes, path: str) -> bytes:
    """Return the patch that makes ``after`` of ``before``, empty if they are the same; ``path`` uses slashes."""
    lines = difflib.diff_bytes(
        difflib.unified_diff,
        _LINES.findall(before),
        _LINES.findall(after),
        _header_name("a", path),
        _header_name("b", path),
    )
    # Only \n ends a line for git; \r belongs to it.
    return b"".join(line if line.endswith(b"\n") else line + b"\n\\ No newline at end of file\n" for line in lines)


def _header_name(side: str, path: str) -> bytes:
    """Return a name as git writes it: quoted if it holds anything odd, a tab behind it if it holds a space."""
    name = f"{side}/{path.lstrip('/')}"
    if _QUOTED.search(name):
        name = '"' + _QUOTED.sub(lambda odd: f"\\{ord(odd[0]):03o}", name) + '"'
    elif " " in name:
        name += "\t"
    return name.encode("utf-8", "surrogateescape")
