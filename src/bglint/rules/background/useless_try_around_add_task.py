"""BGL104: a ``try`` around the queueing of background tasks."""

from __future__ import annotations

import ast
import tokenize
from typing import TYPE_CHECKING

from bglint.index.background import QUEUERS, queues
from bglint.index.context import TRIES
from bglint.index.facts import dotted_text
from bglint.index.guards import is_logger_call
from bglint.index.symbols import PARTIAL
from bglint.model import Applicability, Finding, Level, Location, Span
from bglint.rules.base import Candidate, Refused, Rewrite, Rule

if TYPE_CHECKING:
    import libcst as cst

    from bglint.index.facts import Scope
    from bglint.index.project import Project

_PLAIN = (
    ast.Constant, ast.Name, ast.Attribute, ast.Lambda, ast.JoinedStr, ast.FormattedValue, ast.Tuple, ast.List,
    ast.Dict, ast.Load, ast.keyword,
)  # fmt: skip


class UselessTryAroundAddTask(Rule):
    """A `try` around `add_task` waits for an error that cannot come.

    ## What it does
    Reports a `try` whose body only queues background tasks (and perhaps logs, or returns a constant or a dictionary).
    If anything else in it can fail, such as a call among the arguments of the task, it is not reported.

    ## Why is this bad?
    `add_task` puts the function on a list and does nothing else: it is called after the response, outside of this
    `try`. **The `except` clause is dead code**, even for `add_task(None)` or wrong arguments, which fail later, inside
    the task. It reads as if errors of the task were handled, and they are not.

    ## Example
    ```python
    @app.post("/users")
    def create(user: User, tasks: BackgroundTasks):
        try:
            tasks.add_task(send_welcome, user.email)
        except Exception:
            logger.exception("No welcome for %s", user.email)
    ```

    ## Use instead
    Handle the error where it happens, in the task:

    ```python
    def send_welcome(email: str) -> None:
        try:
            smtp.send(email, "Welcome")
        except Exception:
            logger.exception("No welcome for %s", email)


    @app.post("/users")
    def create(user: User, tasks: BackgroundTasks):
        tasks.add_task(send_welcome, user.email)
    ```

    ## Fix safety
    The fix takes the `try` away and moves its body to the left. The `except` clauses go with it, which is why it is
    unsafe: you may want to move them into the task first. No fix is offered where the `try` has an `else` or `finally`
    block, or where a comment in what goes, or a string over several rows in what stays, would change.

    ## References
    - [FastAPI: Background Tasks](https://fastapi.tiangolo.com/tutorial/background-tasks/)
    - [Starlette: Background Tasks](https://www.starlette.io/background/)
    """

    code, name = "BGL104", "useless-try-around-add-task"
    level = Level.WARNING
    triggers = QUEUERS
    piece_needs = frozenset({"try:", "try "})
    statements = TRIES  # type: ignore[assignment]
    calls = False

    def matches_statement(self, statement: ast.stmt, scope: Scope) -> bool:
        """Whether a ``try`` only queues tasks."""
        return self._queueing(statement, scope) != []

    def visit_Try(self, node: cst.Try) -> None:
        """A ``try`` that only queues tasks."""
        self._visit(node)

    def visit_TryStar(self, node: cst.TryStar) -> None:
        """The same with ``except*``."""
        self._visit(node)

    def _visit(self, node: cst.Try | cst.TryStar) -> None:
        site = self.ctx.statement(node)
        if isinstance(site, TRIES):
            calls = self._queueing(site, self.ctx.scope(site))  # type: ignore[arg-type]
            if calls:
                self.ctx.candidate(node, site, span=self.ctx.ast_span(calls[0]))

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """Report it at the call that cannot fail."""
        calls = self._queueing(candidate.site, candidate.scope)  # type: ignore[arg-type]
        if not calls:
            return None
        handlers = candidate.site.handlers  # type: ignore[attr-defined]
        task = calls[0].args[0] if calls[0].args else None
        name = f"`{dotted_text(task)}`" if task is not None and dotted_text(task) else "the task"
        message = (
            f"The `except` on row {handlers[0].lineno} never runs: {name} is only queued in the `try` and runs after "
            "the response; handle its errors in the task itself"
        )
        return self.finding(candidate, message)

    def _queueing(self, node: ast.stmt, scope: Scope) -> list[ast.Call]:
        """The calls by which a ``try`` queues tasks; none if anything in its body can fail, or if it has no handler."""
        assert isinstance(node, TRIES)
        calls: list[ast.Call] = []
        if not node.handlers:  # type: ignore[attr-defined]
            return []
        for statement in node.body:  # type: ignore[attr-defined]
            if isinstance(statement, ast.Pass):
                continue
            if not isinstance(statement, (ast.Expr, ast.Return)):
                return []
            value = statement.value
            if isinstance(statement, ast.Expr) and isinstance(value, ast.Call):
                if not all(self._is_plain(part, scope) for part in (*value.args, *value.keywords)):
                    return []
                if is_logger_call(value) or (isinstance(value.func, ast.Name) and value.func.id == "print"):
                    continue
                if not queues(self.ctx.project, value, scope):
                    return []
                calls.append(value)
            elif value is not None and not self._is_plain(value, scope):
                return []
        return calls

    def _is_plain(self, node: ast.AST, scope: Scope) -> bool:
        """Whether evaluating an expression cannot fail, as far as a handler could be meant for it."""
        if isinstance(node, ast.Lambda):
            return True
        if isinstance(node, ast.Call):
            called = self.ctx.project.resolve(node.func, scope)
            if called is None or called.name != PARTIAL:
                return False
            return all(self._is_plain(part, scope) for part in (*node.args, *node.keywords))
        return isinstance(node, _PLAIN) and all(self._is_plain(part, scope) for part in ast.iter_child_nodes(node))

    def rewrite(self, candidate: Candidate, project: Project) -> Rewrite | Refused | None:
        """Take the ``try`` away."""
        node = candidate.site
        assert isinstance(node, TRIES)
        if node.orelse or node.finalbody:  # type: ignore[attr-defined]
            return Refused("the `try` has an `else` or `finally` block")
        first, last = node.body[0], node.body[-1]  # type: ignore[attr-defined]
        rows = self.ctx.source.lines
        end = last.end_lineno or last.lineno
        if not (self.ctx.starts_row(node) and self.ctx.starts_row(first)):  # type: ignore[arg-type]
            return Refused("the `try` shares a row with other code")
        head = "".join(rows[node.lineno - 1 : node.lineno])  # type: ignore[attr-defined]
        tail = rows[end : node.end_lineno]  # type: ignore[attr-defined]
        if "#" in head or any("#" in row for row in tail):
            return Refused("a comment in the `except` clause would be lost")
        kept = rows[node.lineno : end]  # type: ignore[attr-defined]
        if _has_long_string("".join(kept)):
            return Refused("a string over several rows would move")
        outer, inner = self.ctx.indentation(node.lineno), self.ctx.indentation(first.lineno)  # type: ignore[attr-defined]
        text = "".join(outer + row[len(inner) :] if row.startswith(inner) else row for row in kept)
        stop = node.end_lineno or end  # type: ignore[attr-defined]
        whole = rows[stop - 1]
        ended = whole.rstrip("\r\n")
        if len(ended.encode("utf-8", "surrogatepass")) != node.end_col_offset:  # type: ignore[attr-defined]
            return Refused("the `try` shares a row with other code")
        text = text.rstrip("\r\n")
        place = Span(Location(node.lineno, 1), Location(stop, len(ended) + 1))  # type: ignore[attr-defined]
        edit = self.ctx.replace(place, text)
        return Rewrite(Applicability.UNSAFE, "Take the `try` away", (edit,))


def _has_long_string(text: str) -> bool:
    """Whether a string literal in indented source goes over more than one row."""
    lines = iter(f"if 1:\n{text}".splitlines(keepends=True))
    try:
        tokens = list(tokenize.generate_tokens(lambda: next(lines, "")))
    except (tokenize.TokenError, IndentationError, SyntaxError):
        return True
    strings = {tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
    return any(token.type in strings and token.start[0] != token.end[0] for token in tokens)
