"""BGL205: a cancellation that is caught, and not raised again."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from bglint.index.callers import last_name
from bglint.index.cancellation import cancelling_handler, goes_on_after, suppresses_cancellation
from bglint.index.catching import caught_types
from bglint.index.context import TRIES
from bglint.index.flow import nodes_of
from bglint.model import Applicability, Edit, Finding, Level, Location
from bglint.rules.base import Candidate, Refused, Rewrite, Rule

if TYPE_CHECKING:
    import libcst as cst

    from bglint.index.facts import Scope
    from bglint.index.project import Project
    from bglint.source import Source

# Other names under which a file may know the classes.
_JUMPS = (ast.Return, ast.Break, ast.Continue, ast.Raise, ast.While, *TRIES)
_ALIASES = (re.compile(r"CancelledError[ \t]+as[ \t]+(\w+)"), re.compile(r"BaseException[ \t]+as[ \t]+(\w+)"))


class SwallowedCancellation(Rule):
    """A coroutine that catches its own cancellation and goes on.

    ## What it does
    Reports, in async code, `except asyncio.CancelledError:`, `except BaseException:`, a bare `except:` and
    `with suppress(asyncio.CancelledError):` around an `await`, where the coroutine can then go on to the next `await`:
    because it stands in a loop, or because more follows. A handler that raises, returns, or leaves the loop with
    nothing to await behind it is fine, and so is awaiting a task that the function has cancelled itself.

    ## Why is this bad?
    `task.cancel()` works by raising `CancelledError` at the `await`, once. Where that is caught and not raised again,
    **the task cannot be cancelled**: `asyncio.wait_for()` and `asyncio.timeout()` return late and without a
    `TimeoutError`, a TaskGroup waits for ever, and the server hangs when it shuts down. `except Exception:` does not
    have this problem, because `CancelledError` is no `Exception`.

    ## Example
    ```python
    async def worker(queue: asyncio.Queue[Job]) -> None:
        while True:
            try:
                await handle(await queue.get())
            except:  # also catches the cancellation: the worker cannot be stopped
                logger.exception("Job failed")
    ```

    ## Use instead
    ```python
    async def worker(queue: asyncio.Queue[Job]) -> None:
        while True:
            try:
                await handle(await queue.get())
            except Exception:
                logger.exception("Job failed")
    ```

    Where there is something to clean up, do so and raise again:

    ```python
    except asyncio.CancelledError:
        await connection.close()
        raise
    ```

    ## Fix safety
    A bare `except:` and `except BaseException:` become `except Exception:`; a handler of `CancelledError` alone ends
    with a `raise`. The fix is unsafe: the task now ends where it went on before, `KeyboardInterrupt` and `SystemExit`
    are no longer caught either, and whoever awaits the task sees its `CancelledError`.

    No fix is offered for clauses that name other exceptions beside `CancelledError`, for `suppress()`, and for handlers
    that jump away in the middle.

    ## References
    - [Python: Task cancellation](https://docs.python.org/3/library/asyncio-task.html#task-cancellation)
    - [asyncio.CancelledError](https://docs.python.org/3/library/asyncio-exceptions.html#asyncio.CancelledError)
    """

    code, name = "BGL205", "swallowed-cancellation"
    level = Level.ERROR
    triggers = frozenset({"CancelledError", "BaseException", "get_cancelled_exc_class", "except:"})
    needs = frozenset({"async def"})
    piece_needs = frozenset({"async def"})
    statements = (*TRIES, ast.With)  # type: ignore[arg-type]
    calls = False

    def words(self, source: Source) -> frozenset[str]:
        """The classes, what this file calls them, and ``except`` where it stands bare."""
        return _words(source.text)

    def matches_statement(self, statement: ast.stmt, scope: Scope) -> bool:
        """Whether a ``try`` or ``with`` swallows a cancellation."""
        return scope.is_async and self._next_await(statement, scope) is not None

    def visit_Try(self, node: cst.Try) -> None:
        """A ``try`` that swallows a cancellation."""
        self._visit_try(node)

    def visit_TryStar(self, node: cst.TryStar) -> None:
        """The same with ``except*``."""
        self._visit_try(node)

    def visit_With(self, node: cst.With) -> None:
        """A ``with suppress(...)`` that does."""
        site = self.ctx.statement(node)
        if isinstance(site, ast.With) and self.matches_statement(site, self.ctx.scope(site)):
            item = site.items[0].context_expr
            self.ctx.candidate(node, site, span=self.ctx.ast_span(item))

    def _visit_try(self, node: cst.Try | cst.TryStar) -> None:
        site = self.ctx.statement(node)
        if not isinstance(site, TRIES) or not self.matches_statement(site, self.ctx.scope(site)):  # type: ignore[arg-type]
            return
        handler = cancelling_handler(site, self.ctx.scope(site), self.ctx.project)  # type: ignore[arg-type]
        if handler is not None:
            self.ctx.candidate(node, handler, span=self.ctx.handler_header(handler), statement=site)

    def _next_await(self, node: ast.stmt, scope: Scope) -> ast.AST | None:
        project = self.ctx.project
        if not self._names_it(node):
            return None
        if isinstance(node, ast.With):
            return goes_on_after(node, scope, project) if suppresses_cancellation(node, scope, project) else None
        if isinstance(node, TRIES) and cancelling_handler(node, scope, project) is not None:  # type: ignore[arg-type]
            return goes_on_after(node, scope, project)  # type: ignore[arg-type]
        return None

    def _names_it(self, node: ast.stmt) -> bool:
        """Whether a statement reads as if it could catch a cancellation: told from names alone."""
        if isinstance(node, ast.With):
            return any(
                last_name(i.context_expr.func) == "suppress" for i in node.items if isinstance(i.context_expr, ast.Call)
            )
        words = self.words(self.ctx.source)
        types = [handler.type for handler in node.handlers]  # type: ignore[attr-defined]
        return any(
            kind is None
            or any(isinstance(part, (ast.Name, ast.Attribute)) and last_name(part) in words for part in ast.walk(kind))
            for kind in types
        )

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """Report it with the clause and the await that the coroutine goes on to."""
        node = candidate.data.get("statement", candidate.site)
        found = self._next_await(node, candidate.scope)
        if found is None:
            return None
        row = getattr(found, "lineno", 0)
        handler = candidate.site
        if isinstance(handler, ast.ExceptHandler):
            clause = f"except {ast.unparse(handler.type)}" if handler.type is not None else "except"
            how = f"`{clause}:`"
            out = "raise it again" if handler.type is not None else "catch `Exception`"
        else:
            how, out = "`suppress()`", "catch it only around tasks that you have cancelled"
        back = "back to" if row <= getattr(node, "end_lineno", 0) else "on to"
        message = f"{how} swallows the cancellation of this task, which goes {back} the await on row {row}: "
        return self.finding(candidate, message + f"it cannot be cancelled, and timeouts around it do not work; {out}")

    # -- repair --------------------------------------------------------------------------------------------------

    def rewrite(self, candidate: Candidate, project: Project) -> Rewrite | Refused | None:
        """Catch Exception instead, or raise the CancelledError again."""
        handler, scope = candidate.site, candidate.scope
        if not isinstance(handler, ast.ExceptHandler):
            return Refused("`suppress()` cannot raise again")
        if handler.type is None or caught_types(handler, scope, project) == frozenset({"builtins.BaseException"}):
            found = project.resolver.lookup("Exception", scope)
            if found is None or found.name != "builtins.Exception":
                return Refused("`Exception` means something else here")
            return Rewrite(Applicability.UNSAFE, "Catch `Exception`", (self._exception(handler),))
        if isinstance(handler.type, ast.Tuple):
            return Refused("the clause catches other exceptions, too")
        edit = self._raise(handler)
        if edit is None:
            return Refused("the handler jumps away before its end, or shares a row with its clause")
        return Rewrite(Applicability.UNSAFE, "Raise it again", (edit,))

    def _exception(self, handler: ast.ExceptHandler) -> Edit:
        if handler.type is not None:
            return self.ctx.replace(handler.type, "Exception")
        return self.ctx.insert(self.ctx.handler_header(handler).end, " Exception")

    def _raise(self, handler: ast.ExceptHandler) -> Edit | None:
        """A ``raise`` at the end of a handler, in the place of a ``pass`` or ``continue``."""
        *before, last = handler.body
        inner = list(nodes_of([*before, *([] if isinstance(last, ast.Continue) else [last])]))
        if any(
            isinstance(node, (ast.Return, ast.Break, ast.Continue, ast.Raise, ast.While, ast.Try)) for node in inner
        ):
            return None
        if isinstance(last, (ast.Pass, ast.Continue)):
            return self.ctx.replace(last, "raise")
        if not self.ctx.starts_row(handler.body[0]):
            return None
        row = last.end_lineno or last.lineno
        line = self.ctx.source.lines[row - 1].rstrip("\r\n")
        indent = self.ctx.indentation(handler.body[0].lineno)
        return self.ctx.insert(Location(row, len(line) + 1), f"{self.ctx.source.newline}{indent}raise")


@lru_cache(maxsize=4)
def _words(text: str) -> frozenset[str]:
    aliases = (name for pattern in _ALIASES for name in pattern.findall(text))
    names = frozenset({"CancelledError", "BaseException", "get_cancelled_exc_class", *aliases})
    return names | {"except"} if "except:" in text else names
