"""What the rules about unseen errors share: which handlers in which functions they judge, and how to name these."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

from bglint.rules.base import Rule

if TYPE_CHECKING:
    from bglint.index.facts import Scope
    from bglint.index.launches import Launch
    from bglint.index.project import Project


class HandlerRule(Rule):
    """Judges the broad ``except`` clauses of background callables."""

    needs = frozenset({"except"})

    @classmethod
    def reaches(cls, path: Path, project: Project) -> bool:
        """Whether a file may define a background callable."""
        return project.launches.may_hold(path)

    def may_judge(self, scope: Scope) -> bool:
        """Whether handlers in ``scope`` may be of interest, by its name."""
        return scope.is_function and self.ctx.project.launches.may_be(scope)

    def launch(self, handler: ast.ExceptHandler, scope: Scope) -> Launch | None:
        """What makes the function around a broad handler run in the background; None for any other handler."""
        project = self.ctx.project
        if not self.may_judge(scope) or not project.guards.is_broad(handler.type, scope):
            return None
        return project.launches.of(scope)

    def who(self, scope: Scope, launch: Launch) -> str:
        """How messages name a background callable: "`send()`, which `add_task` at row 3 runs in the background"."""
        here = launch.path == self.ctx.module.path
        place = f"row {launch.row}" if here else f"{self.ctx.project.display(launch.path)}:{launch.row}"
        return f"`{scope.qualname}()`, which `{launch.how}` at {place} runs in the background"
