"""BGL502: a background callable that drops its errors."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from bglint.index.cleanup import ends_something
from bglint.index.context import TRIES
from bglint.index.handlers import does_nothing, gives_value, has_default, is_clean_up, is_settled_later, only_waits
from bglint.model import Applicability, Edit, Finding, Level, Location, Span
from bglint.rules.base import Candidate, Refused, Rewrite
from bglint.rules.visibility._shared import HandlerRule

if TYPE_CHECKING:
    import libcst as cst

    from bglint.index.facts import Scope
    from bglint.index.launches import Launch
    from bglint.index.project import Project
    from bglint.source import Source


class SilencedException(HandlerRule):
    """Report background work that drops its errors.

    ## What it does
    Finds `except Exception`, `except BaseException` and bare `except` clauses that do nothing with the error (`pass`,
    `continue`, `break`, a `return` of nothing, a mere `sleep`) in a function that runs in the background: one that is
    handed to `BackgroundTasks.add_task`, `BackgroundTask`, `asyncio.create_task` and its kin, `Thread(target=...)` or
    `executor.submit`, or the `run` method of a `Thread` subclass. The hand-over may stand in another file.

    Silent: where the `except` names what it expects; in retry loops that log or raise after the last try; in clean-up
    (a body that only closes something, an `except` or `finally` block, a function called `close`, `shutdown` and so
    on); where the body only looks for a better value than the one that stands right above it; and where the function
    returns a value that whoever awaits the task, or asks the future, can tell from success.

    ## Why is this bad?
    Nobody waits for a background callable: the response was sent long ago. Its `except` clause is the only place in
    which a failure can ever be noticed. With `pass` there, a mistake in the body (a typo, a changed column, a wrong
    password) looks exactly like success: the e-mail is not sent, the row is not written, and no log says so.

    ## Example
    ```python
    def send_welcome(address: str) -> None:
        try:
            mail(address, "Welcome!")
        except Exception:
            pass


    @app.post("/users")
    def create_user(address: str, tasks: BackgroundTasks):
        tasks.add_task(send_welcome, address)
    ```

    ## Use instead
    Log it; or name the error that you do not mind, and let the others out.

    ```python
    def send_welcome(address: str) -> None:
        try:
            mail(address, "Welcome!")
        except Exception:
            logger.exception("Welcome mail to %s failed", address)
    ```

    ## Fix safety
    The fix logs the exception with its traceback, by the logger of the module or else `logging.getLogger(__name__)`,
    and goes on as before. It is unsafe: what happens all the time fills the log, and tests may look at the log.

    ## References
    - [Python: Logger.exception](https://docs.python.org/3/library/logging.html#logging.Logger.exception)
    - [Python: Handling exceptions](https://docs.python.org/3/tutorial/errors.html#handling-exceptions)
    - [FastAPI: Background Tasks](https://fastapi.tiangolo.com/tutorial/background-tasks/)
    """

    code, name = "BGL502", "silenced-exception"
    level = Level.WARNING
    statements = TRIES  # type: ignore[assignment]
    calls = False

    def words(self, source: Source) -> frozenset[str]:
        """Where handlers are."""
        return self.needs

    def matches_statement(self, statement: ast.stmt, scope: Scope) -> bool:
        """Whether a ``try`` drops the errors of background work."""
        assert hasattr(statement, "handlers")
        return any(self._launch(handler, scope) is not None for handler in statement.handlers)

    def visit_Try(self, node: cst.Try) -> None:
        """A ``try`` with its handlers."""
        self._visit(node)

    def visit_TryStar(self, node: cst.TryStar) -> None:
        """The same for ``except*``."""
        self._visit(node)

    def _visit(self, node: cst.Try | cst.TryStar) -> None:
        statement = self.ctx.statement(node)
        if not isinstance(statement, TRIES):
            return
        scope = self.ctx.scope(statement)
        for clause, handler in zip(node.handlers, statement.handlers, strict=True):  # type: ignore[attr-defined]
            if self._launch(handler, scope) is not None:
                self.ctx.candidate(clause, handler, self.ctx.handler_header(handler))

    def _launch(self, handler: ast.ExceptHandler, scope: Scope) -> Launch | None:
        """What makes the function run in the background, if this handler drops its errors."""
        if not self.may_judge(scope) or not does_nothing(handler, scope, self.ctx.project):
            return None
        launch = self.launch(handler, scope)
        if launch is None or (launch.awaitable and gives_value(handler)):
            return None
        module = self.ctx.module
        if is_settled_later(module, handler) or is_clean_up(module, handler) or ends_something(scope):
            return None
        if only_waits(module, handler, scope):
            return None
        return None if has_default(module, handler) else launch

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """Report it."""
        handler = candidate.site
        assert isinstance(handler, ast.ExceptHandler)
        launch = self._launch(handler, candidate.scope)
        if launch is None:
            return None
        caught = "every error" if handler.type is None else f"`{self.ctx.text(handler.type)}`"
        message = f"{caught} is dropped in {self.who(candidate.scope, launch)}: nobody will see that it failed; log it"
        return self.finding(candidate, message[0].upper() + message[1:])

    def rewrite(self, candidate: Candidate, project: Project) -> Rewrite | Refused | None:
        """Log the exception first."""
        from bglint.rules.threads._shared import logger_at

        handler = candidate.site
        assert isinstance(handler, ast.ExceptHandler)
        logger, edits = logger_at(self.ctx, candidate.scope, handler.lineno)
        site = self._logging(handler, f'{logger}.exception("{candidate.scope.qualname} failed")')
        return site if isinstance(site, Refused) else Rewrite(Applicability.UNSAFE, "Log the error", (site, *edits))

    def _logging(self, handler: ast.ExceptHandler, log: str) -> Edit | Refused:
        """The edit that puts a statement in front of a handler's body, or in the place of a ``pass``."""
        first = handler.body[0]
        span = self.ctx.ast_span(first)
        line = self.ctx.source.lines[span.start.row - 1]
        before = line[: span.start.column - 1]
        newline = line[len(line.rstrip("\r\n")) :] or self.ctx.source.newline
        replaced = _is_filler(first)
        end = span.end if replaced else span.start
        if not before.strip():
            return self.ctx.replace(Span(span.start, end), log if replaced else f"{log}{newline}{before}")
        if not before.rstrip().endswith(":"):
            return Refused("its body shares a line with other code")
        # `except Exception: continue` gets a block of its own.
        indent = newline + self.ctx.indentation(handler.lineno) + self.ctx.indent_unit()
        colon = Location(span.start.row, len(before.rstrip()) + 1)
        return self.ctx.replace(Span(colon, end), f"{indent}{log}" if replaced else f"{indent}{log}{indent}")


def _is_filler(statement: ast.stmt) -> bool:
    """``pass`` or ``...``."""
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant) and statement.value.value is ...
    return isinstance(statement, ast.Pass)
