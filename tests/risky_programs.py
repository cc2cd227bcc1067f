"""Random programs: the spec's risky cases in places, and written in ways, that nobody thought of. Text in, text out."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import fixtures_variants as variants
from fixtures_format import FixtureError, parse_fixture

FIXTURES = Path(__file__).parent.parent / "fixtures"


@dataclass(frozen=True)
class Snippet:
    """A single-file case of the spec, and the rows that it reports."""

    title: str
    text: str
    rows: tuple[int, ...]


def snippets() -> Iterator[Snippet]:
    for path in sorted(FIXTURES.glob("BGL*.md")) + sorted((FIXTURES / "proofs").glob("BGL*.md")):
        try:
            cases = parse_fixture(path.read_text("utf-8"), path.name).cases
        except FixtureError:
            continue  # test_fixtures.py reports it.
        for case in cases:
            if len(case.files) == 1 and case.reports and variants.parse(case.files[0].text):
                (file,) = case.files
                rows = tuple(sorted({expected.row for expected in file.expected}))
                yield Snippet(f"{path.stem}/{case.title}", file.text, rows)


SNIPPETS = tuple(snippets())

# Lines before and after a body, and how many levels the body moves to the right.
CONTEXTS = {
    "nested function": (["async def inner():"], ["return await inner()"]),
    "nested plain function": (["def inner():"], ["return inner()"]),
    "decorated function": (["@decorate", "@router.get('/inner')", "async def inner(request: Request):"], []),
    "class": (["class Owner:"], []),
    "method": (["class Owner:", "    async def method(self, flag=None):"], []),
    "static method": (["class Owner:", "    @staticmethod", "    async def method():"], []),
    "property": (["class Owner:", "    @property", "    def value(self):"], []),
    "async generator": (["async def numbers():", "    yield 1", "    if True:"], []),
    "if": (["if __debug__:"], []),
    "elif": (["if not __debug__:", "    pass", "elif True:"], ["else:", "    pass"]),
    "else": (["if not __debug__:", "    pass", "else:"], []),
    "for": (["for _ in range(2):"], []),
    "for-else": (["for _ in range(2):", "    pass", "else:"], []),
    "while": (["while True:"], ["    break"]),
    "try-except": (["try:"], ["except ValueError:", "    raise"]),
    "try-except-log": (["try:"], ["except Exception:", "    logger.error('failed')"]),
    "try-finally": (["try:"], ["finally:", "    print()"]),
    "handler": (["try:", "    print()", "except ValueError as error:"], []),
    "finally": (["try:", "    print()", "finally:"], []),
    "with": (["with open(__file__) as file:"], []),
    "async with": (["async with limit:"], []),
    "match": (["match __name__:", "    case _:"], []),
    "before other code": (["if True:"], ["print('after')"]),
}

# What an expression may stand in; some of it makes no sense at run time, which no fix may rely on.
EXPRESSIONS = {
    "list comprehension": "[{} for _ in range(2)]",
    "dict comprehension": "{{_: {} for _ in range(2)}}",
    "generator expression": "list({} for _ in range(2))",
    "condition of a comprehension": "[_ for _ in range(2) if {}]",
    "lambda": "(lambda: {})",
    "f-string": 'f"{{{}}}"',
    "assignment expression": "(kept := {})",
    "conditional expression": "({} if __debug__ else None)",
    "and": "(__debug__ and {})",
    "parentheses": "({})",
    "parentheses on lines of their own": "(\n{}\n)",
    "argument": "print({}, sep='')",
    "tuple": "({}, 1)",
    "await": "(await {})",
    "default": "(lambda given={}: given)",
    "starred": "print(*{})",
    "subscript": "{}[0]",
    "attribute": "({}).value",
    "comparison": "({} == 1)",
}


def wrap_body(text: str, row: int, context: str) -> str | None:
    """Put the body of the function around ``row`` (or the whole module) into a context."""
    tree = variants.parse(text)
    if tree is None:
        return None
    functions = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.body[0].lineno <= row
        if row <= (node.end_lineno or 0) and node.body[0].lineno > node.lineno
    ]
    body = max(functions, key=lambda node: node.lineno).body if functions else tree.body
    return wrap_rows(text, body[0].lineno, body[-1].end_lineno or 0, body[0].col_offset, context)


def wrap_module(text: str, context: str) -> str | None:
    """Put the whole module, imports included, into a context; not into a class, whose names its methods do not see."""
    if any(line.startswith("class ") for line in CONTEXTS[context][0][-1:]):
        return None
    return wrap_rows(text, 1, text.count("\n"), 0, context)


def wrap_rows(text: str, first: int, last: int, column: int, context: str) -> str | None:
    lines = text.split("\n")
    before, after = CONTEXTS[context]
    depth = (len(before[-1]) - len(before[-1].lstrip(" "))) // 4 + 1
    moved = variants.moved_right(text, range(first, last + 1), depth)
    if moved is None:
        return None
    margin = " " * column
    result = [
        *lines[: first - 1],
        *(margin + line for line in before),
        *moved.split("\n")[first - 1 : last],
        *(margin + line for line in after),
        *lines[last:],
    ]
    return "\n".join(result)


def wrap_expression(text: str, row: int, form: str, level: int) -> str | None:
    """Put an expression that starts on ``row`` into another one; ``level`` says which, counted from the outermost."""
    tree = variants.parse(text)
    nodes = [
        node
        for node in ast.walk(tree or ast.Module([], []))
        if isinstance(node, ast.Call | ast.Await | ast.Attribute | ast.Name) and node.lineno == row
        if not isinstance(getattr(node, "ctx", None), ast.Store | ast.Del)
    ]
    if not nodes:
        return None
    node = sorted(nodes, key=lambda each: (each.col_offset, -(each.end_lineno or 0), -(each.end_col_offset or 0)))[
        level % len(nodes)
    ]
    lines = [line.encode() for line in text.split("\n")]
    first, last = node.lineno - 1, (node.end_lineno or row) - 1
    head, tail = lines[first][: node.col_offset], lines[last][node.end_col_offset :]
    inner = b"\n".join([*lines[first:last], lines[last][: node.end_col_offset]])[node.col_offset :]
    wrapped = EXPRESSIONS[form].format(inner.decode()).encode()
    return b"\n".join([*lines[:first], head + wrapped + tail, *lines[last + 1 :]]).decode()


# The same program, written in another way; None means that it has no such form.


def with_comments(text: str) -> str | None:
    """A comment at the end of every line that can have one."""
    ends = (token.start for token in _tokens(text) if token.type in (tokenize.NEWLINE, tokenize.NL))
    lines = text.split("\n")
    for row, column in ends:
        lines[row - 1] = lines[row - 1][:column] + "  # why: näher 名" + lines[row - 1][column:]
    result = "\n".join(lines)
    return result if variants.same_program(text, result) else None


def with_comment_lines(text: str) -> str | None:
    """A comment line above every line, also inside parentheses."""
    lines: list[str] = []
    for line in text.split("\n"):
        margin = line[: len(line) - len(line.lstrip(" \t"))]
        lines += [f"{margin}# über 名", line] if line.strip() else [line]
    result = "\n".join(lines)
    return result if variants.same_program(text, result) else None


def with_semicolons(text: str) -> str | None:
    """A statement in front of every simple statement that starts its line, on the same line."""
    lines = text.split("\n")
    for node in ast.walk(variants.parse(text) or ast.Module([], [])):
        if isinstance(node, ast.stmt) and not hasattr(node, "body"):
            line = lines[node.lineno - 1]
            if len(line) - len(line.lstrip()) == node.col_offset:
                lines[node.lineno - 1] = line[: node.col_offset] + variants.NON_ASCII_STATEMENT + line.lstrip()
    result = "\n".join(lines)
    return result if variants.parse(result) else None


def on_many_lines(text: str) -> str | None:
    """A new line, not indented, after every opening parenthesis and every comma inside."""
    depth, breaks = 0, []
    for token in _tokens(text):
        if token.type == tokenize.OP:
            depth += (token.string in "([{") - (token.string in ")]}")
            if depth and token.string in "([{,":
                breaks.append(token.end)
    lines = text.split("\n")
    for row, column in reversed(breaks):
        lines[row - 1] = lines[row - 1][:column] + "\n" + lines[row - 1][column:].lstrip(" ")
    result = "\n".join(lines)
    return result if variants.same_program(text, result) else None


def _tokens(text: str) -> list[tokenize.TokenInfo]:
    return list(tokenize.generate_tokens(io.StringIO(text).readline))


FLAVOURS = {
    "on many lines": on_many_lines,
    "semicolons": with_semicolons,
    "comment lines": with_comment_lines,
    "comments": with_comments,
    "tabs": variants.tabs,
    "no final newline": lambda text: text.rstrip("\n"),
    "crlf": variants.crlf,
}


@dataclass(frozen=True)
class Recipe:
    """How to cook a program: a case, what comes after it, the places it is put into, and how it is written.

    ``expressions`` are (form, level) for ``wrap_expression``; the last of ``contexts`` is the outermost; the flavours
    are applied in the order of FLAVOURS.
    """

    snippet: Snippet
    followers: Sequence[Snippet] = ()
    expressions: Sequence[tuple[str, int]] = ()
    contexts: Sequence[str] = ()
    whole: bool = False
    flavours: frozenset[str] = frozenset()


def cook(recipe: Recipe) -> str | None:
    """The program, or None where one of the steps has no meaning for it."""
    text: str | None = recipe.snippet.text
    row: int | None = recipe.snippet.rows[0]
    for form, level in recipe.expressions:
        text = wrap_expression(text, row, form, level) if text is not None and row is not None else None
        if text is None or variants.parse(text) is None:
            return None
    landmark = None if text is None or row is None else text.split("\n")[row - 1].strip()
    for context in recipe.contexts:
        if text is not None:
            row = next((number for number, line in enumerate(text.split("\n"), 1) if line.strip() == landmark), 1)
            text = wrap_module(text, context) if recipe.whole else wrap_body(text, row, context)
    if text is None:
        return None
    text = "\n\n".join([text, *(follower.text for follower in recipe.followers)])
    for name, change in FLAVOURS.items():
        if name in recipe.flavours and text is not None:
            text = change(text)
    return text if text is not None and variants.parse(text) else None
