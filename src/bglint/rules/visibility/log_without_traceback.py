"""BGL501: a background callable that logs an error without saying where it came from."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from bglint.index.context import argument, has_star
from bglint.index.facts import dotted_text
from bglint.index.handlers import LOUD, first_loud, handler_of, is_loud, keeps_error
from bglint.model import Applicability, Finding, Level, Location, Span
from bglint.rules.base import CallRule, Candidate, Refused, Rewrite
from bglint.rules.visibility._shared import HandlerRule

if TYPE_CHECKING:
    from bglint.index.facts import Scope
    from bglint.index.project import Project
    from bglint.source import Source

_LOGGERS = frozenset({"logging.Logger", "logging.LoggerAdapter"})
_SAME_LEVEL = "error"


class LogWithoutTraceback(HandlerRule, CallRule):
    """Report errors of background work that are logged without their traceback.

    ## What it does
    Finds calls such as `logger.error(f"failed: {e}")`, at warning level or above, in an `except Exception`, `except
    BaseException` or bare `except` of a function that runs in the background: one that is handed to
    `BackgroundTasks.add_task`, `BackgroundTask`, `asyncio.create_task` and its kin, `Thread(target=...)` or
    `executor.submit`, or the `run` method of a `Thread` subclass. The hand-over may stand in another file.

    Silent: where the handler raises again, logs with `.exception()` or `exc_info`, formats the traceback itself, tells
    an error tracker, or hands the exception object on; and where the `except` names what it expects, because such an
    error needs no traceback. Of several such calls in one handler the first is reported.

    ## Why is this bad?
    A background callable is the last one to see the error: no caller logs it after that. `logger.error(f"{e}")`
    writes the text of the exception and nothing else. For a `KeyError` that is `'user_id'`: no type, no file, no row,
    nothing to find the mistake by.

    ## Example
    ```python
    def send_invoice(order_id: int) -> None:
        try:
            deliver(render(order_id))
        except Exception as error:
            logger.error(f"Invoice failed: {error}")


    @app.post("/orders/{order_id}")
    def order(order_id: int, tasks: BackgroundTasks):
        tasks.add_task(send_invoice, order_id)
    ```

    ## Use instead
    ```python
    def send_invoice(order_id: int) -> None:
        try:
            deliver(render(order_id))
        except Exception:
            logger.exception("Invoice %s failed", order_id)
    ```

    ## Fix safety
    The fix is safe: on a logger of `logging`, `structlog` or `loguru`, `.error(` becomes `.exception(`, which logs the
    same message at the same level and adds the traceback. Other levels keep their method and get `exc_info=True`. There
    is no fix for other loggers: what their methods take is not known.

    ## References
    - [Python: Logger.exception](https://docs.python.org/3/library/logging.html#logging.Logger.exception)
    - [Python: Logger.debug, for exc_info](https://docs.python.org/3/library/logging.html#logging.Logger.debug)
    - [Python: Logging HOWTO](https://docs.python.org/3/howto/logging.html)
    """

    code, name = "BGL501", "log-without-traceback"
    level = Level.WARNING

    def words(self, source: Source) -> frozenset[str]:
        """The methods that log at warning or above."""
        return LOUD

    def matches(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call logs an error of background work, and nothing keeps its traceback."""
        if not self.may_judge(scope) or not is_loud(call) or _has_unknown_keywords(call):
            return False
        handler = handler_of(self.ctx.module, call)
        return (
            handler is not None
            and first_loud(self.ctx.module, handler) is call
            and not keeps_error(self.ctx.module, handler)
            and self.launch(handler, scope) is not None
        )

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """Report it."""
        call = candidate.site
        assert isinstance(call, ast.Call)
        assert isinstance(call.func, ast.Attribute)
        handler = handler_of(self.ctx.module, call)
        launch = self.launch(handler, candidate.scope) if handler is not None else None
        if launch is None:
            return None
        logger = dotted_text(call.func.value)
        better = "`.exception()`" if call.func.attr == _SAME_LEVEL else "`exc_info=True`"
        message = (
            f"`{logger}.{call.func.attr}()` loses the traceback: nobody can tell where "
            f"{self.who(candidate.scope, launch)}, has failed; use {better}"
        )
        return self.finding(candidate, message)

    def rewrite(self, candidate: Candidate, project: Project) -> Rewrite | Refused | None:
        """Log the traceback, too."""
        call = candidate.site
        assert isinstance(call, ast.Call)
        assert isinstance(call.func, ast.Attribute)
        kind = _logger(call.func.value, candidate.scope, project)
        if kind is None:
            return Refused(f"`{dotted_text(call.func.value)}` is not proven to be a logger")
        if call.func.attr == _SAME_LEVEL:
            end = self.ctx.ast_span(call.func).end
            start = Location(end.row, end.column - len(_SAME_LEVEL))
            edit = self.ctx.replace(Span(start, end), "exception")
            return Rewrite(Applicability.SAFE, "Log the traceback, too: `.exception()`", (edit,))
        if kind == "loguru":
            return Refused("loguru takes no `exc_info`")
        return self._with_exc_info(call)

    def _with_exc_info(self, call: ast.Call) -> Rewrite | Refused:
        """Add ``exc_info=True`` behind the last argument."""
        given = [*call.args, *(keyword.value for keyword in call.keywords)]
        if not given or isinstance(given[-1], (ast.GeneratorExp, ast.Starred)):
            return Refused("there is no argument that another one could follow")
        end = max(self.ctx.ast_span(argument).end for argument in given)
        # Behind its closing parentheses, if it has any, a comma or the end of the call must follow at once.
        rest = self.ctx.text(Span(end, self.ctx.ast_span(call).end)).lstrip()
        if not rest.startswith((",", ")")) or rest.count(")") != 1 or "#" in rest:
            return Refused("the end of its arguments is not plain")
        return Rewrite(
            Applicability.SAFE, "Log the traceback, too: `exc_info=True`", (self.ctx.insert(end, ", exc_info=True"),)
        )


def _has_unknown_keywords(call: ast.Call) -> bool:
    return has_star(call) or argument(call, None, "exc_info") is not None


def _logger(node: ast.expr, scope: Scope, project: Project) -> str | None:
    """Whose logger an expression is: "logging" (structlog behaves alike) or "loguru"; None where it is not proven."""
    symbol = project.resolve(node, scope)
    if symbol is None:
        return None
    if symbol.instance:
        return "logging" if symbol.name in _LOGGERS else None
    return {"logging": "logging", "loguru.logger": "loguru"}.get(symbol.name)
