"""JSON as every format here writes it: readable characters, but safe to encode and to split into lines."""

from __future__ import annotations

import json
import re

# Valid inside JSON strings, but lone surrogates do not encode, and others end a line for str.splitlines().
_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def dumps(value: object, *, indent: int | None = 2) -> str:
    """Return ``value`` as JSON; with ``indent=None`` on a single line, without spaces."""
    separators = (",", ":") if indent is None else None
    text = json.dumps(value, ensure_ascii=False, indent=indent, separators=separators)
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
