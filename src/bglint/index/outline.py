"""A file's outline: its syntax tree, in which the bodies of functions are parsed when somebody first looks into them.

Of most functions of a project a question needs to know only that they are there. Their bodies are nine tenths of the
text, and a syntax tree takes fifty times the room of what it was made from.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from bglint.index.compact import compacted, with_compact
from bglint.syntax import check_syntax, parsed

# Characters: what a body must have to be worth leaving out.
_LONG = 200
_DEF = re.compile(r"^([ \t]*)(?:async[ \t]+)?def[ \t]", re.MULTILINE)
_TOKEN = re.compile(
    r'"""(?:[^\\"]|\\.|"(?!""))*"""'
    r"|'''(?:[^\\']|\\.|'(?!''))*'''"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'(?:[^'\\\n]|\\.)*'"
    r"|#[^\n]*"
    r"|[()\[\]{}:]",
    re.DOTALL,
)
_AFTER_HEADER = re.compile(r"[ \t]*(?:#[^\n]*)?\n(?:[ \t]*(?:#[^\n]*)?\n)*(?=([ \t]*))")
_INDENT = re.compile(r"[ \t]*")
# The fields of a statement that hold statements, or what holds some.
BLOCKS = ("body", "handlers", "orelse", "finalbody", "cases")


class _Body(NamedTuple):
    """The rows of a function's body: where they start and end in the text, the first and last of them.

    ``placeholder`` ends where the body does, on the last row, and is as well a body.
    """

    start: int
    end: int
    first: int
    last: int
    placeholder: str


@dataclass(slots=True)
class Meter:
    """How many characters several files have made nodes of."""

    parsed: int = 0


class Outline:
    """The text of a file, and the bodies in it that nobody has looked into yet.

    ``parsed`` is how many characters have become nodes; ``meter`` counts them, too.
    """

    def __init__(self, text: str, meter: Meter | None = None, *, is_compact: bool = False) -> None:
        self.text = text
        self._is_compact = is_compact
        self.parsed = 0
        self._meter = meter or Meter()
        self._unread: dict[int, _Body] = {}  # by row of the ``def``
        self._is_broken = False

    def tree(self) -> ast.Module:
        """The syntax tree, made anew. Raises what ``ast.parse`` raises for what is wrong outside the bodies left out.

        It is not kept: functions that are not read yet refer to this outline.
        """
        return self._outlined() or self._whole()

    def _whole(self) -> ast.Module:
        self._count(len(self.text))
        return self._parsed(self.text)

    def _parsed(self, text: str) -> ast.Module:
        tree = parsed(text)
        return compacted(tree) if self._is_compact else tree

    def _count(self, characters: int) -> None:
        self.parsed += characters
        self._meter.parsed += characters

    def _outlined(self) -> ast.Module | None:
        """The tree without the bodies; None where the text does not tell where they are."""
        if "\r" in self.text or "\f" in self.text:  # rows end, or are indented, in other ways
            return None
        bodies = dict(_bodies(self.text))
        if not bodies:
            return None
        shorter = _without(self.text, bodies.values())
        try:
            tree = self._parsed(shorter)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
        functions = {node.lineno: node for node in _functions(tree) if node.lineno in bodies}
        if len(functions) < len(bodies) or not all(_is_left_out(f, bodies[row]) for row, f in functions.items()):
            return None
        self._count(len(shorter))
        for row, function in functions.items():
            self._unread[row] = bodies[row]
            del function.body
            function.__class__ = _UNREAD[type(function)]  # type: ignore[assignment]
            function.__dict__["outline"] = self
        return tree

    def read(self, row: int) -> list[ast.stmt]:
        """The body of the function that is defined on a row; nothing but ``pass`` where it cannot be parsed."""
        body = self._unread[row]
        text = self.text[body.start : body.end]
        try:
            block = self._parsed("\n" * (body.first - 2) + "if 1:\n" + text).body[0]
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            self._is_broken = True
            return [ast.Pass(lineno=body.last, end_lineno=body.last, col_offset=0, end_col_offset=0)]
        del self._unread[row]
        self._count(len(text))
        assert isinstance(block, ast.If)
        return block.body

    def may_hold(self, function: ast.AST, word: str) -> bool:
        """Whether a word can stand in the body of a function; a body that is parsed already can hold any."""
        body = self._unread.get(function.lineno) if isinstance(function, _FUNCTIONS) else None
        return body is None or self.text.find(word, body.start, body.end) >= 0

    def check(self) -> None:
        """Raise what ``ast.parse`` would raise for the whole text."""
        if self._is_broken:
            parsed(self.text)
        elif self._unread:
            try:
                check_syntax("\n".join(f"if 1:\n{self.text[b.start : b.end]}" for b in self._unread.values()))
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                check_syntax(self.text)


def _bodies(text: str) -> Iterator[tuple[int, _Body]]:
    """The long bodies of functions that no other such function is around, by the rows of their ``def``."""
    at, row, counted = 0, 1, 0
    while (found := _DEF.search(text, at)) is not None:
        at = found.end()
        start = _start_of_body(text, at, len(found[1]))
        if start is None:
            continue
        end = _end_of_body(text, start, len(found[1]))
        if end is None or end - start < _LONG or (placeholder := _placeholder(text, start, end)) is None:
            continue
        row += text.count("\n", counted, found.start())
        first = row + text.count("\n", found.start(), start)
        yield row, _Body(start, end, first, first + text.count("\n", start, end), placeholder)
        counted, at = found.start(), end


def _start_of_body(text: str, at: int, indent: int) -> int | None:
    """Where the first row of a body starts, ``at`` being in the header; None where it stands on the header's row."""
    colon = _colon(text, at)
    after = _AFTER_HEADER.match(text, colon + 1) if colon is not None else None
    return after.end() if after is not None and len(after[1]) > indent else None


def _colon(text: str, at: int) -> int | None:
    """Where the colon stands that ends a header."""
    end = text.find("\n", at)
    row = text[at:end]
    if row.endswith("):") and row.count("(") == row.count(")") and not ('"' in row or "'" in row or "#" in row):
        return end - 1
    depth = 0
    for token in _TOKEN.finditer(text, at):
        first = token[0]
        if first in "([{":
            depth += 1
        elif first in ")]}":
            depth -= 1
        elif first == ":" and not depth:
            return token.start()
    return None


@lru_cache
def _outer(indent: int) -> re.Pattern[str]:
    """What starts a row that is not indented deeper."""
    return re.compile(rf"\n[ \t]{{0,{indent}}}[^\s#]")


def _end_of_body(text: str, start: int, indent: int) -> int | None:
    """Where the last row of a body ends that starts at ``start``; None where that is hard to tell."""
    outer = _outer(indent).search(text, start)
    end = outer.start() if outer is not None else len(text)
    if _is_inside_string(text, start, end):
        end = _end_by_tokens(text, start, indent)
    end = _without_trailing_comments(text, start, end)
    return None if _is_inside_string(text, start, end) or text[end - 1] == "\\" else end


def _is_inside_string(text: str, start: int, end: int) -> bool:
    return bool(text.count('"""', start, end) % 2 or text.count("'''", start, end) % 2)


def _end_by_tokens(text: str, start: int, indent: int) -> int:
    """The end of a body that may have rows of strings at its left margin."""
    outer = _outer(indent)
    end = outer.search(text, start)
    for token in _TOKEN.finditer(text, start):
        if end is None or end.start() < token.start():
            break
        if end.start() < token.end():
            end = outer.search(text, token.end())
    return end.start() if end is not None else len(text)


def _without_trailing_comments(text: str, start: int, end: int) -> int:
    """Where the last row with code on it ends."""
    while (row := text.rfind("\n", start, end)) >= 0 and text[row:end].lstrip()[:1] in ("", "#"):
        end = row
    return end


def _placeholder(text: str, start: int, end: int) -> str | None:
    """What stands for a body on its last row; None where it is hard to tell in which column the body ends."""
    row = text[text.rfind("\n", 0, end) + 1 : end].rstrip()
    if "#" in row or row.endswith(";"):
        return None
    indent = _INDENT.match(text, start)
    width = len(indent[0]) if indent is not None else 0
    length = len(row.encode("utf-8", "surrogatepass")) - width
    return text[start : start + width] + "_" * length if length > 0 else None


def _without(text: str, bodies: Iterable[_Body]) -> str:
    """The text with placeholders for bodies; it has as many rows as before."""
    parts: list[str] = []
    at = 0
    for body in bodies:
        parts += (text[at : body.start], "\n" * (body.last - body.first), body.placeholder)
        at = body.end
    return "".join([*parts, text[at:]])


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node
        for name in BLOCKS:
            pending.extend(getattr(node, name, ()))


def _is_left_out(function: ast.FunctionDef | ast.AsyncFunctionDef, body: _Body) -> bool:
    only = function.body[0]
    return len(function.body) == 1 and isinstance(only, ast.Expr) and only.lineno == body.last


def _read(function: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.FunctionDef | ast.AsyncFunctionDef:
    """Make a function a plain ``def``, with its body."""
    outline: Outline = function.__dict__.pop("outline")
    function.__class__ = type(function).__base__  # type: ignore[assignment]
    function.body = outline.read(function.lineno)
    return function


class _Unread(dict[type[ast.AST], type[ast.AST]]):
    """Class of functions → that of those whose body is parsed when it is asked for."""

    def __missing__(self, kind: type[ast.AST]) -> type[ast.AST]:
        body = property(lambda function: _read(function).body)
        self[kind] = type(kind.__name__, (kind,), {"__slots__": (), "__module__": kind.__module__, "body": body})
        return self[kind]


_UNREAD = _Unread()
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
# The classes of functions, as ``type`` tells them.
FUNCTION_TYPES = frozenset(each for kind in with_compact(_FUNCTIONS) for each in (kind, _UNREAD[kind]))
