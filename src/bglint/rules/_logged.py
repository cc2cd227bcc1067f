"""The repair for a future that nobody looks at: it logs its own error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bglint.model import Applicability
from bglint.rules.base import Candidate, Rewrite
from bglint.rules.context import names_visible

if TYPE_CHECKING:
    from bglint.rules.context import RuleContext


def log_errors(ctx: RuleContext, candidate: Candidate) -> Rewrite:
    """Hand what the reported call gives to a helper that has its error logged, and gives it back."""
    from bglint.fix.helpers import LOG_ERRORS, helper

    scope = candidate.scope
    row: int = candidate.site.lineno  # type: ignore[attr-defined]
    before = None if scope.outermost_function.is_function else row
    tree, text = ctx.module.tree, ctx.source.text
    plan = helper(tree, text, LOG_ERRORS, avoid=names_visible(scope), before=before)
    span = ctx.ast_span(candidate.site)  # type: ignore[arg-type]
    site = (ctx.insert(span.start, f"{plan.name}("), ctx.insert(span.end, ")"))
    return Rewrite(Applicability.SAFE, "Log the error when it fails", (*site, *plan.edits))
