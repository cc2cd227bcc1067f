"""What the rules of the 4xx family share: a call on the loop that blocks, directly or through sync helpers."""

from __future__ import annotations

import ast
import re
from bisect import bisect_right
from typing import TYPE_CHECKING, ClassVar

from bglint.model import Finding, Level
from bglint.rules.base import Candidate, Rule

if TYPE_CHECKING:
    import libcst as cst

    from bglint.index.blocking import BlockingPath
    from bglint.index.facts import Scope
    from bglint.index.project import Project

_DEF = re.compile(r"^([ \t]*)(async[ \t]+)?(?:def|class)[ \t]+(\w+)", re.MULTILINE)


class BlockingRule(Rule):
    """Reports calls on the loop that block in the way of ``kind``."""

    level = Level.ERROR
    kind: ClassVar[str]
    needs = frozenset({"async def"})
    piece_needs = frozenset({"async def"})

    def words(self, text: str) -> frozenset[str]:
        """The sinks' names, and those of the functions of this file that hold one, or hold such a function."""
        return with_holders(text, self.triggers)

    def matches(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call in async code blocks."""
        return scope.is_async and self.path(call, scope) is not None

    def path(self, call: ast.Call, scope: Scope) -> BlockingPath | None:
        """Why the call blocks."""
        return self.ctx.project.blocking.of_call(call, scope, self.kind)

    def visit_Call(self, node: cst.Call) -> None:
        """A call in async code that blocks."""
        site = self.ctx.site(node)
        if isinstance(site, ast.Call) and self.matches(site, self.ctx.scope(site)):
            self.ctx.candidate(node, site)

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """Report it with the chain that proves it."""
        path = self.path(candidate.site, candidate.scope)  # type: ignore[arg-type]
        return self.finding(candidate, self.message(path, candidate), self.ctx.chain(path)) if path else None

    def message(self, path: BlockingPath, candidate: Candidate) -> str:
        """What is wrong, in one sentence."""
        raise NotImplementedError


def with_holders(text: str, words: frozenset[str]) -> frozenset[str]:
    """``words`` and the names of all functions and classes of a text that hold one of them, or hold a holder.

    Read from the indentation alone: a name too many costs a look, nothing else.
    """
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    opened = [(bisect_right(starts, m.start()), len(m[1].expandtabs()), m[3]) for m in _DEF.finditer(text)]
    found = frozenset(words)
    fresh = found
    while fresh:
        pattern = re.compile(r"\b(?:" + "|".join(map(re.escape, sorted(fresh))) + r")\b")
        rows = {bisect_right(starts, match.start()) for match in pattern.finditer(text)}
        holders: set[str] = set()
        for row in rows:
            start = starts[row - 1]
            end = starts[row] if row < len(starts) else len(text)
            holders.update(_holders(row, text[start:end], opened))
        fresh = frozenset(holders) - found
        found |= fresh
    return found


def _holders(row: int, line: str, opened: list[tuple[int, int, str]]) -> set[str]:
    """The names of the definitions around a row; at least the nearest one above it."""
    indent = max(len(line.expandtabs()) - len(line.lstrip().expandtabs()), 1)
    names: set[str] = set()
    nearest = True
    for start, depth, name in reversed(opened):
        if start < row and (depth < indent or nearest):
            names.add(name)
            indent = min(indent, depth)
            nearest = False
            if not depth:
                break
    return names
