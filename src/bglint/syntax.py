"""Whether a file is Python at all, and what is said of one that is not."""

from __future__ import annotations

import gc
import sys
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ast

    from bglint.model import Finding

_FUTURE = "from __future__ import nothing_that_exists\n"


def check_syntax(text: str) -> None:
    """Raise what ``ast.parse`` would raise, at two thirds of its price.

    compile() parses everything first and then stops at the first unknown future, before it builds any Python object.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(_FUTURE + text, "<unknown>", "exec", dont_inherit=True)
        except SyntaxError as error:
            if error.msg != "future feature nothing_that_exists is not defined":
                parsed(text)


def parsed(text: str) -> ast.Module:
    """The syntax tree of a text, without the warnings about odd escapes in it. Raises what ``ast.parse`` raises."""
    import ast

    enabled = gc.isenabled()
    gc.disable()  # nothing of so many new objects is garbage
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    finally:
        if enabled:
            gc.enable()


def unparsable(display_path: str, error: BaseException, row: int = 1) -> Finding:
    """BGL000 for a file, or the part of it that starts on ``row``, that cannot be parsed here."""
    from bglint.model import Finding, Level, Location, Span

    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    column = 1
    if isinstance(error, SyntaxError):
        row, column = error.lineno or 1, max(error.offset or 1, 1)
        words = f"{error.msg} (parsed with Python {version})"
    elif isinstance(error, (RecursionError, MemoryError)):
        words = "nested too deeply"
    else:
        words = str(error) or type(error).__name__
    place = Location(max(row, 1), column)
    message = f"Cannot parse: {words}"
    return Finding("BGL000", "unparsable-file", Level.ERROR, message, display_path, Span(place, place))
