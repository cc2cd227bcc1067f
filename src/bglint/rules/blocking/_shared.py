"""What the rules of the 4xx family share: a call on the loop that blocks, directly or through sync helpers."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from bglint.model import Finding, Level
from bglint.rules.base import CallRule, Candidate

if TYPE_CHECKING:
    import libcst as cst

    from bglint.index.blocking import BlockingPath
    from bglint.index.facts import Scope
    from bglint.index.project import Project
    from bglint.source import Source


class BlockingRule(CallRule):
    """Reports calls on the loop that block in the way of ``kind``."""

    level = Level.ERROR
    kind: ClassVar[str]
    needs = frozenset({"async def"})
    piece_needs = frozenset({"async def"})

    @classmethod
    def reaches(cls, path: Path, project: Project) -> bool:
        """Whether async functions of the file make calls through which blocking is reached."""
        return bool(project.reach.on_loop(path) or project.reach.used_on_loop(path))

    def words(self, source: Source) -> frozenset[str]:
        """The names that such calls call."""
        return frozenset(self.ctx.project.reach.on_loop(source.path).values())

    def matches(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call in async code blocks."""
        here = (call.lineno, call.col_offset) in self.ctx.project.reach.on_loop(scope.module.path)
        return here and scope.is_async and self.path(call, scope) is not None

    def has_places(self, source: Source) -> bool:
        """Whether async code of the file blocks otherwise than by a call."""
        return bool(self.ctx.project.reach.used_on_loop(source.path))

    def places(self) -> Iterator[ast.expr]:
        """Properties that are read, objects that are entered and the like, where that blocks."""
        for node in self.ctx.project.blocking.operations(self.ctx.module):
            if self.path(node, self.ctx.scope(node)) is not None:
                yield node

    def path(self, site: ast.expr, scope: Scope) -> BlockingPath | None:
        """Why the call, or other expression, blocks."""
        blocking = self.ctx.project.blocking
        if isinstance(site, ast.Call):
            return blocking.of_call(site, scope, self.kind)
        return blocking.of_operation(site, scope, self.kind)

    def visit_Attribute(self, node: cst.BaseExpression) -> None:
        """A property in async code that blocks when it is read."""
        operations = self.ctx.project.blocking.operations(self.ctx.module)
        site = self.ctx.site(node) if operations else None
        if site in operations and self.path(site, self.ctx.scope(site)) is not None:
            self.ctx.candidate(node, site)

    # Other expressions that run methods: ``with x``, ``for … in x``, ``x[…]``, ``x + y``, ``y in x``, ``-x``.
    visit_Name = visit_Subscript = visit_BinaryOperation = visit_Comparison = visit_UnaryOperation = visit_Attribute

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """Report it with the chain that proves it."""
        path = self.path(candidate.site, candidate.scope)  # type: ignore[arg-type]
        if path is None:
            return None
        message = self.through_helpers(path, candidate) if path.steps else self.direct(path, candidate)
        return self.finding(candidate, message, self.ctx.chain(candidate, path))

    def direct(self, path: BlockingPath, candidate: Candidate) -> str:
        """What is wrong with a call that blocks by itself, in one sentence."""
        raise NotImplementedError

    def through_helpers(self, path: BlockingPath, candidate: Candidate) -> str:
        """What is wrong with a call of a helper, in one sentence."""
        sink = path.steps[-1]
        where = f"{self.ctx.display_file(sink.function.path)}:{sink.row}"
        return (
            f"{self.subject(path, candidate)} blocks the event loop: it reaches `{path.sink.name}()` ({where}), "
            "and every other request and task waits for that"
        )

    def subject(self, path: BlockingPath, candidate: Candidate) -> str:
        """What runs a helper, as a sentence starts with it."""
        if isinstance(candidate.site, ast.Call):
            return f"`{self.callee(candidate)}()`"
        written = _shortened(" ".join(self.ctx.text(candidate.span).split()))
        run = path.steps[0].function.name
        if run in ("__enter__", "__exit__"):
            return f"`with {written}`"
        return f"Iterating over `{written}`" if run in ("__iter__", "__next__") else f"`{written}`"

    def called(self, path: BlockingPath, candidate: Candidate) -> str:
        """A direct call as it is written, and what that is where it does not say so itself."""
        written = self.callee(candidate)
        return f"`{written}()`" if written == path.sink.name else f"`{written}()` (`{path.sink.name}`)"

    def callee(self, candidate: Candidate) -> str:
        """How the reported call writes what it calls, in one line."""
        assert isinstance(candidate.site, ast.Call)
        return _shortened("".join(self.ctx.text(candidate.site.func).split()))


def _shortened(written: str) -> str:
    return written if len(written) <= 60 else f"…{written[-50:]}"
