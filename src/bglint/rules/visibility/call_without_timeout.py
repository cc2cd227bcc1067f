"""BGL503: a call in the request path that may wait for ever."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

from bglint.index.callers import with_aliases
from bglint.index.context import argument
from bglint.index.timeouts import Missing, calls, missing_timeout
from bglint.model import Applicability, Edit, Finding, Level, Span
from bglint.rules.base import CallRule, Candidate, Refused, Rewrite

if TYPE_CHECKING:
    import libcst as cst

    from bglint.index.facts import Scope
    from bglint.index.project import Project
    from bglint.source import Source


class CallWithoutTimeout(CallRule):
    """Report calls in the request path that have no timeout.

    ## What it does
    Finds `requests` (functions and `Session`), `urlopen`, `smtplib.SMTP` and `subprocess.run` and its kin without a
    timeout, and an explicit `timeout=None` on these, httpx or aiohttp, where that runs for a request: in routes,
    dependencies, middleware, exception handlers, the lifespan, background tasks, and in what these call, across files.

    Silent: scripts and command lines, calls with `**kwargs`, sessions with a default of their own (a subclass, an
    adapter, a `partial`), and `socket.setdefaulttimeout`.

    ## Why is this bad?
    `requests`, `urlopen` and `subprocess.run` have no timeout of their own: a peer that accepts the connection and
    never answers holds the thread for ever. Nothing is logged. FastAPI runs `def` routes and tasks in 40 threads: when
    40 of them hang, the next `def` route waits too. (httpx gives up after 5 seconds, aiohttp after 300.)

    ## Example
    ```python
    import requests
    from fastapi import FastAPI

    app = FastAPI()

    @app.get("/rate")
    def rate():
        return requests.get("https://rates.example/eur").json()
    ```

    ## Use instead
    ```python
    import requests
    from fastapi import FastAPI

    app = FastAPI()

    @app.get("/rate")
    def rate():
        return requests.get("https://rates.example/eur", timeout=10).json()
    ```

    ## Fix safety
    The fix adds the configured `http-timeout` (10 seconds by default). It is unsafe: calls that take longer now raise
    (`requests.Timeout`, `TimeoutError`, `subprocess.TimeoutExpired`, which also kills the child). Note that the timeout
    of `requests` and `urlopen` is for each read, not for the whole answer.

    ## References
    - [Requests: timeouts](https://requests.readthedocs.io/en/latest/user/advanced/#timeouts)
    - [Python: subprocess.run](https://docs.python.org/3/library/subprocess.html#subprocess.run)
    - [HTTPX: timeouts](https://www.python-httpx.org/advanced/timeouts/)
    """

    code, name = "BGL503", "call-without-timeout"
    level = Level.WARNING
    kind = "http"
    triggers = frozenset[str]()
    # Without one of these a file neither names a library that waits nor what usually holds a session of one.
    needs = frozenset(
        {"requests", "urllib", "urlopen", "smtplib", "subprocess", "httpx", "aiohttp", "session", "client", "http"}
    )

    @classmethod
    def reaches(cls, path: Path, project: Project) -> bool:
        """Whether a file names one of the libraries, or something that holds a session, and calls what may wait."""
        return any(name.encode() in project.callers.called(path) for name in _names_in(path, project))

    def words(self, source: Source) -> frozenset[str]:
        """The names of calls that may wait without end."""
        return _names_in(source.path, self.ctx.project)

    def matches(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call that runs for requests has no timeout."""
        project = self.ctx.project
        if any(k.arg is None or (k.arg == "timeout" and not _is_none(k.value)) for k in call.keywords):
            return False
        return (
            scope.is_function
            and missing_timeout(call, scope, project) is not None
            and project.request_path.includes(scope)
        )

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """Report it."""
        assert isinstance(candidate.site, ast.Call)
        missing = missing_timeout(candidate.site, candidate.scope, project)
        if missing is None:
            return None
        called, why = missing
        problem = "has `timeout=None`" if why is Missing.NONE else "has no timeout"
        return self.finding(candidate, f"`{called}()` {problem}: {_harm(called, candidate.scope)}")

    def rewrite(self, candidate: Candidate, project: Project) -> Rewrite | Refused | None:
        """Give it the configured timeout."""
        site, call = candidate.site, candidate.node
        assert isinstance(site, ast.Call)
        missing = missing_timeout(site, candidate.scope, project)
        if missing is None:
            return None
        seconds = f"{self.ctx.settings.http_timeout:g}"
        given = argument(site, calls()[missing[0]].get("position"), "timeout")
        if given is not None:
            edit = self.ctx.replace(given, seconds)
        else:
            added = self._added(call, f"timeout={seconds}")  # type: ignore[arg-type]
            if isinstance(added, Refused):
                return added
            edit = added
        return Rewrite(Applicability.UNSAFE, f"Give up after {seconds} seconds: `timeout={seconds}`", (edit,))

    def _added(self, call: cst.Call, text: str) -> Edit | Refused:
        """The edit that adds an argument at the end, on a line of its own where the last one has that."""
        end = self.ctx.span(call).end
        if not call.args:
            return self.ctx.insert(type(end)(end.row, end.column - 1), text)
        last = self.ctx.span(call.args[-1])
        rest = self.ctx.text(Span(last.end, end))
        if len(call.args) == 1 and type(call.args[0].value).__name__ == "GeneratorExp":
            return Refused("its argument is a generator expression")
        alone = "\n" in rest or "\r" in rest
        opens_line = self.ctx.source.lines[last.start.row - 1][: last.start.column - 1].strip() == ""
        before_comment, mark, _ = rest.partition("#")
        has_comma = before_comment.strip().startswith(",")
        if not (alone and opens_line):
            if mark:
                return Refused("a comment is in the way")
            return self.ctx.insert(last.end, f", {text}")
        newline = next(n for n in ("\r\n", "\n", "\r") if n in rest) + self.ctx.indentation(last.start.row)
        if has_comma:
            position = last.end.column + before_comment.index(",") + 1
            return self.ctx.insert(type(end)(last.end.row, position), f"{newline}{text},")
        return self.ctx.insert(last.end, f",{newline}{text}")


def _names_in(path: Path, project: Project) -> frozenset[str]:
    """What calls that may wait look like in a file, import aliases among them.

    Libraries without a timeout of their own count where the file can get at them, the others where one is switched off.
    """
    content = project.callers.data(path)
    near = {module.partition(".")[0] for module in project.reach.modules(path)}
    switched_off = _SWITCHED_OFF.search(content) is not None
    names = frozenset(
        name.rpartition(".")[2]
        for name, entry in calls().items()
        if entry["default"] == "none" or switched_off
        if (library := name.partition(".")[0]) in near or switched_off or project.callers.imports(path, library)
    )
    return with_aliases(names, content)


_SWITCHED_OFF = re.compile(rb"timeout\s*=\s*None\b")


def _harm(called: str, scope: Scope) -> str:
    who = "child process that never ends" if called.startswith("subprocess.") else "peer that never answers"
    held = "request and what it holds" if scope.is_async else "thread"
    return f"a {who} keeps this {held} for ever; pass `timeout=`"


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
