"""The base class of all rules, and what they hand over. Imports no LibCST: the screen needs every rule's triggers."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from bglint.model import Applicability, Edit, Finding, Frame, Level, Span

if TYPE_CHECKING:
    from pathlib import Path

    import libcst as cst

    from bglint.index.facts import Scope
    from bglint.index.project import Project
    from bglint.rules.context import RuleContext
    from bglint.source import Source


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A site that may be the risky pattern: its LibCST node, the index's node for it, and where it stands.

    ``data`` is what the visitor learnt and ``judge`` needs.
    """

    node: cst.CSTNode
    site: ast.AST
    scope: Scope
    span: Span
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A repair: the edits, how safe it is, and in a few words what it does ("Await asyncio.sleep instead")."""

    applicability: Applicability
    message: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """Why no repair is offered here ("`self._lock` is an RLock")."""

    reason: str


class Rule:
    """One rule: a LibCST visitor that finds candidates, a judgement, and perhaps a rewrite.

    ``visit_<Node>`` methods are LibCST's; they call ``self.ctx.candidate``. A rule keeps no state of its own.
    ``triggers`` are the last parts of the called names worth a look; ``needs`` are words of which the file must
    hold at least one for a trigger to mean anything; ``piece_needs`` the same for the function around it.
    ``statements`` are the kinds of statements that it judges, ``calls`` whether it judges calls.
    """

    code: ClassVar[str]
    name: ClassVar[str]
    level: ClassVar[Level] = Level.WARNING
    default: ClassVar[bool] = True
    triggers: ClassVar[frozenset[str]] = frozenset()
    needs: ClassVar[frozenset[str]] = frozenset()
    piece_needs: ClassVar[frozenset[str]] = frozenset()
    statements: ClassVar[tuple[type[ast.stmt], ...]] = ()
    reveals: ClassVar[frozenset[str]] = frozenset()
    calls: ClassVar[bool] = True

    def __init__(self, ctx: RuleContext) -> None:
        self.ctx = ctx

    # -- asked by the engine, before LibCST is paid for ----------------------------------------------------------

    @classmethod
    def reaches(cls, path: Path, project: Project) -> bool:
        """Whether a file that holds no trigger matters all the same, for what its calls lead to."""
        return False

    def words(self, source: Source) -> frozenset[str]:
        """The last parts of called names worth a look in this very file; ``triggers`` unless a rule knows more."""
        return self.triggers

    def matches(self, call: ast.Call, scope: Scope) -> bool:
        """Whether the index finds ``call`` worth LibCST's time. Cheap, and never wrong in the negative."""
        return True

    def matches_statement(self, statement: ast.stmt, scope: Scope) -> bool:
        """The same for a statement of one of the kinds in ``statements``; all of it is shown to the visitor then."""
        return True

    def has_places(self, source: Source) -> bool:
        """Whether ``places`` gives anything in this very file."""
        return False

    def places(self) -> Iterable[ast.expr]:
        """Expressions other than calls that the index finds worth LibCST's time in this very file."""
        return ()

    # -- find: visit_<Node> methods of the subclasses -----------------------------------------------------------

    def on_visit(self, node: cst.CSTNode) -> bool:
        """LibCST's hook, so that ``tree.visit(rule)`` works anywhere."""
        visit = getattr(self, f"visit_{type(node).__name__}", None)
        return visit is None or visit(node) is not False

    def on_leave(self, original: cst.CSTNode, updated: cst.CSTNode) -> cst.CSTNode:
        """LibCST's hook: rules change nothing on the way."""
        return updated

    def on_visit_attribute(self, node: cst.CSTNode, attribute: str) -> None:
        """LibCST's hook."""

    def on_leave_attribute(self, node: cst.CSTNode, attribute: str) -> None:
        """LibCST's hook."""

    # -- judge, rewrite ------------------------------------------------------------------------------------------

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """The finding for a candidate, from everything the project knows; None when all is well."""
        raise NotImplementedError

    def rewrite(self, candidate: Candidate, project: Project) -> Rewrite | Refused | None:
        """The repair of a reported candidate, why there is none here, or None for a rule that repairs nothing."""
        return None

    def finding(self, candidate: Candidate, message: str, chain: tuple[Frame, ...] = ()) -> Finding:
        """A finding of this rule at the candidate."""
        return Finding(
            code=self.code,
            name=self.name,
            level=self.level,
            message=message,
            path=self.ctx.display_path,
            span=candidate.span,
            chain=chain,
            noqa_rows=self.ctx.noqa_rows(candidate),
        )


class CallRule(Rule):
    """A rule that judges calls one by one: every call that matches is a candidate."""

    def visit_Call(self, node: cst.Call) -> None:
        """A call that may match."""
        site = self.ctx.site(node)
        if isinstance(site, ast.Call) and self.matches(site, self.ctx.scope(site)):
            self.ctx.candidate(node, site)
