"""BGL112: a background task that never ends."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from bglint.index.background import function_behind, queues, task_of
from bglint.index.endless import EndlessLoop, endless_loop
from bglint.index.facts import dotted_text
from bglint.model import Finding, Frame, Level
from bglint.rules.background._shared import QueueingRule, queued_after

if TYPE_CHECKING:
    from bglint.index.facts import Scope
    from bglint.index.project import Project
    from bglint.rules.base import Candidate


class EndlessBackgroundTask(QueueingRule):
    """A background task loops for ever.

    ## What it does
    Reports `add_task(f, ...)` and `BackgroundTask(f, ...)` where `f`, or a function of your project that it calls, gets
    into a `while True:` that nothing leaves: no `break` of its own, no `return`, no `raise` that gets out of the loop,
    no `sys.exit()`. A loop with a condition (`while not stop.is_set():`) is not reported.

    ## Why is this bad?
    A background task is part of its request: the server waits for it. One that never ends **keeps the server from
    shutting down**, because the shutdown waits for running tasks, so that a deployment hangs until it is killed. Tasks
    that the same request queued after it never run. And each request starts one more of these loops: a sync one
    occupies one of the 40 threads that sync endpoints share, for good.

    ## Example
    ```python
    def poll(job_id: str) -> None:
        while True:
            refresh(job_id)
            time.sleep(10)


    @app.post("/jobs")
    def start(tasks: BackgroundTasks):
        tasks.add_task(poll, "nightly")
    ```

    ## Use instead
    Let the loop end with the work:

    ```python
    def poll(job_id: str) -> None:
        while not finished(job_id):
            refresh(job_id)
            time.sleep(10)
    ```

    What should run as long as the application does is started, and cancelled, in its lifespan:

    ```python
    @asynccontextmanager
    async def lifespan(app: FastAPI):
        task = asyncio.create_task(poll_for_ever())
        yield
        task.cancel()
    ```

    ## Fix safety
    There is no automatic fix: where the loop should end is for you to say.

    ## References
    - [FastAPI: Background Tasks](https://fastapi.tiangolo.com/tutorial/background-tasks/)
    - [FastAPI: Lifespan Events](https://fastapi.tiangolo.com/advanced/events/)
    """

    code, name = "BGL112", "endless-background-task"
    level = Level.ERROR

    def matches(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call queues a task that loops for ever."""
        return self._loop(call, scope) is not None

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """Report it with the loop and the way to it."""
        call = candidate.site
        assert isinstance(call, ast.Call)
        found = self._loop(call, candidate.scope)
        task = task_of(project, call, candidate.scope)
        if found is None or task is None:
            return None
        here = found.function.module is self.ctx.module
        place = f"row {found.loop.lineno}" if here else f"{self.ctx.display(found.function.module)}:{found.loop.lineno}"
        queue = queued_after(call, candidate.scope)
        skipped = ", and the tasks queued after it never run" if queue.sure or queue.more else ""
        message = (
            f"Background task `{dotted_text(task) or 'callable'}` never ends: nothing leaves the loop at {place}, "
            f"so the server cannot shut down{skipped}"
        )
        chain = (
            Frame(candidate.scope.full_name, self.ctx.display_path, candidate.span.start.row),
            *(Frame(caller.full_name, self.ctx.display(caller.module), step.lineno) for caller, step in found.calls),
            Frame(found.function.full_name, self.ctx.display(found.function.module), found.loop.lineno),
        )
        return self.finding(candidate, message, chain)

    def _loop(self, call: ast.Call, scope: Scope) -> EndlessLoop | None:
        if not queues(self.ctx.project, call, scope):
            return None
        task = task_of(self.ctx.project, call, scope)
        function = function_behind(self.ctx.project, task, scope) if task is not None else None
        return endless_loop(function, self.ctx.project) if function is not None else None
