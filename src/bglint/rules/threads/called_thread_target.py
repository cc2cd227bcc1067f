"""BGL308: a function is called where it should be handed to a thread."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from bglint.index.callers import last_name, with_aliases
from bglint.index.context import argument
from bglint.index.facts import dotted_text
from bglint.index.plain_results import gives_no_callable, is_async
from bglint.model import Applicability, Finding, Level, Span
from bglint.rules.base import Candidate, Refused, Rewrite, Rule
from bglint.rules.threads._jobs import RUNNERS, handed_over

if TYPE_CHECKING:
    import libcst as cst

    from bglint.index.facts import Scope
    from bglint.index.project import Project
    from bglint.source import Source

# Their constructors take the arguments of the target apart from it.
_WITH_ARGS = frozenset({"multiprocessing.Process", "threading.Thread", "threading.Timer"})
# They hand on positional arguments only.
_WITHOUT_KEYWORDS = frozenset({"anyio.to_thread.run_sync", "asyncio.AbstractEventLoop.run_in_executor"})


class CalledThreadTarget(Rule):
    """Report functions that are called instead of handed to a thread.

    ## What it does
    Reports `Thread(target=f(...))`, `Process(target=f(...))`, `executor.submit(f(...))`, `asyncio.to_thread(f(...))`
    and the like where the result of `f` is proven to be nothing that can be called: `f` returns nothing, a plain value,
    or is an `async def`. Functions that return a function, and those that bglint cannot read, are not reported.

    ## Why is this bad?
    With parentheses, `f` runs right here, before there is any thread: the caller waits for it. The thread gets its
    result. `Thread(target=None)` then does nothing at all, without a word; a pool fails with `TypeError: 'NoneType'
    object is not callable` in a future.

    ## Example
    ```python
    threading.Thread(target=render(page)).start()
    ```

    ## Use instead
    ```python
    threading.Thread(target=render, args=(page,)).start()
    ```

    ## Fix safety
    Safe: the call is taken apart, so that the function runs in the thread, as it was meant to. No fix is offered for
    `async def` and generator functions, which run nothing when a thread calls them, where the constructor already has
    `args` or `kwargs`, for keyword arguments that would not be passed on (`run_in_executor`), and where a comment would
    get lost.

    ## References
    - [threading.Thread](https://docs.python.org/3/library/threading.html#threading.Thread)
    - [Executor.submit](https://docs.python.org/3/library/concurrent.futures.html#concurrent.futures.Executor.submit)
    """

    code, name, level = "BGL308", "called-thread-target", Level.ERROR
    triggers = frozenset(name.rpartition(".")[2] for name in RUNNERS)
    # What the thread does once it does something.
    reveals = frozenset({"BGL113", "BGL301", "BGL302", "BGL303", "BGL305", "BGL307", "BGL309"})

    def words(self, source: Source) -> frozenset[str]:
        """The triggers, and what this file calls them."""
        return with_aliases(self.triggers, source.data)

    def matches(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call hands a thread the result of a call."""
        return self._called(call, scope) is not None

    def visit_Call(self, node: cst.Call) -> None:
        """A call that hands a thread the result of a call."""
        site = self.ctx.site(node)
        if isinstance(site, ast.Call):
            inner = self._called(site, self.ctx.scope(site))
            if inner is not None:
                self.ctx.candidate(node, site, inner=inner)

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """Report it."""
        inner: ast.Call = candidate.data["inner"]
        assert isinstance(candidate.site, ast.Call)
        name = dotted_text(inner.func) or "the function"
        runner = last_name(candidate.site.func)
        called = project.resolve(inner.func, candidate.scope)
        if called is not None and is_async(called):
            said = "makes a coroutine that nobody awaits"
        else:
            said = "runs here and now"
        return self.finding(candidate, f"`{name}()` {said}, and `{runner}` gets its result, which is no callable")

    def _called(self, call: ast.Call, scope: Scope) -> ast.Call | None:
        """The call whose result is handed over, where that is proven to be no callable."""
        given = handed_over(self.ctx.project, call, scope)
        if not isinstance(given, ast.Call):
            return None
        called = self.ctx.project.resolve(given.func, scope)
        if called is None or called.class_ is not None:
            return None
        return given if gives_no_callable(self.ctx.project, called, False) else None

    def rewrite(self, candidate: Candidate, project: Project) -> Rewrite | Refused | None:
        """Hand over the function and its arguments."""
        call, inner = candidate.site, candidate.data["inner"]
        assert isinstance(call, ast.Call)
        called = project.resolve(inner.func, candidate.scope)
        if called is None or is_async(called):
            return Refused("no thread would await the coroutine")
        if called.name.startswith(("asyncio.", "aiofiles.")):
            return Refused("it belongs on the event loop")
        if called.function is not None and called.function.yields:
            return Refused("a generator function runs nothing when it is called")
        if argument(call, None, "args") is not None or argument(call, None, "kwargs") is not None:
            return Refused("the target is given arguments, too")
        given = [*inner.args, *(k.value for k in inner.keywords)]
        before = min((node.lineno, node.col_offset) for node in (*given, inner)[:1])
        if any((node.lineno, node.col_offset) > before for node in call.args if node is not inner):
            return Refused("more arguments follow")
        runner = project.resolve(call.func, candidate.scope)
        with_args = runner is not None and runner.name in _WITH_ARGS
        if not with_args and any(keyword.value is inner for keyword in call.keywords):
            return Refused("the callable is given by its keyword")
        if inner.keywords and runner is not None and runner.name in _WITHOUT_KEYWORDS:
            return Refused("keyword arguments are not passed on")
        if self.ctx.in_own_parentheses(candidate.node, inner):
            return Refused("it stands in parentheses of its own")
        text = self._taken_apart(inner, with_args)
        if self.ctx.text(inner).count("#") != text.count("#"):
            return Refused("a comment in the call would be lost")
        if not _can_be_given(text):
            return Refused("its arguments cannot be written without it")
        return Rewrite(Applicability.SAFE, "Hand over the function and its arguments", (self.ctx.replace(inner, text),))

    def _taken_apart(self, inner: ast.Call, with_args: bool) -> str:
        """``f(x, y=1)`` as ``f, args=(x,), kwargs={"y": 1}``, or as ``f, x, y=1``."""
        func = self.ctx.text(inner.func)
        if not with_args:
            start, end = self.ctx.ast_span(inner.func).end, self.ctx.ast_span(inner).end
            held = self.ctx.text(Span(start, end)).strip()[1:-1].strip().removesuffix(",")
            return f"{func}, {held}" if held else func
        parts = [func]
        if inner.args:
            given = ", ".join(self.ctx.text(argument) for argument in inner.args)
            parts.append(f"args=({given},)" if len(inner.args) == 1 else f"args=({given})")
        if inner.keywords:
            pairs = (
                f'"{keyword.arg}": {self.ctx.text(keyword.value)}'
                if keyword.arg
                else f"**{self.ctx.text(keyword.value)}"
                for keyword in inner.keywords
            )
            parts.append(f"kwargs={{{', '.join(pairs)}}}")
        return ", ".join(parts)


def _can_be_given(text: str) -> bool:
    """Whether ``text`` can stand between parentheses: a bare generator cannot, nor can one that ends in a comment."""
    try:
        ast.parse(f"_({text})")
    except SyntaxError:
        return False
    return True
