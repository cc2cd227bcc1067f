"""The helpers that fixes add: once per file, in the right place, and doing what they say."""

from __future__ import annotations

import ast
import asyncio
import functools
import gc
import inspect
import logging
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import AsyncMock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette._utils import is_async_callable

from bglint.fix.apply import apply_fixes
from bglint.fix.helpers import (
    BACKGROUND_TASKS_SET,
    GATHER_AND_LOG,
    GATHER_OR_CANCEL,
    GUARD,
    LOG_ERRORS,
    HelperPlan,
    helper,
)
from bglint.model import Applicability, Edit, Fix

KINDS = {
    GUARD: "_guarded",
    BACKGROUND_TASKS_SET: "_keep_task",
    GATHER_OR_CANCEL: "_gather_or_cancel",
    GATHER_AND_LOG: "_gather_and_log",
    LOG_ERRORS: "_log_errors",
}
each_kind = pytest.mark.parametrize("kind", KINDS)


def plan(text: str, kind: str, *, avoid: tuple[str, ...] = (), before: int | None = None) -> HelperPlan:
    return helper(ast.parse(text), text, kind, avoid=avoid, before=before)


def applied(text: str, *edits: Edit) -> str:
    return apply_fixes(text, [Fix(Applicability.SAFE, "", edits)])[0]


def added(text: str, kind: str) -> str:
    return applied(text, *plan(text, kind).edits)


def loaded(kind: str, text: str = "") -> Any:
    """The helper itself, out of a module that it was added to."""
    namespace: dict[str, Any] = {"__name__": "app.tasks"}
    exec(compile(added(text, kind), "tasks.py", "exec"), namespace)
    return namespace[KINDS[kind]]


# -- once per file ------------------------------------------------------------------------------------------------


@each_kind
def test_a_module_that_has_the_helper_gets_no_other(kind: str) -> None:
    assert plan(added("import os\n", kind), kind) == HelperPlan(KINDS[kind], ())


@each_kind
def test_a_helper_is_known_by_what_it_does(kind: str) -> None:
    # Without comments, docstring and annotations, and with another way to import the same things.
    tree = ast.parse(added("", kind))
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            node.returns = None
            if ast.get_docstring(node):
                del node.body[0]
        if isinstance(node, ast.arg):
            node.annotation = None
    bare = ast.unparse(tree).replace("asyncio", "aio").replace("import aio", "import asyncio as aio")
    assert plan(bare, kind).edits == ()


@each_kind
def test_a_helper_that_does_something_else_is_left_alone(kind: str) -> None:
    name = KINDS[kind]
    after = added(f"import os\n\n\ndef {name}(*args): ...\n", kind)
    assert f"def {name}2(" in after
    assert plan(after, kind) == HelperPlan(f"{name}2", ())


@each_kind
@pytest.mark.parametrize("change", ["{name} = None\n", "def {name}(): ...\n"])
def test_a_helper_that_is_replaced_later_is_not_used(kind: str, change: str) -> None:
    assert plan(added("", kind) + change.format(name=KINDS[kind]), kind).name == f"{KINDS[kind]}2"


@each_kind
def test_a_name_that_is_hidden_at_the_site_is_not_used_there(kind: str) -> None:
    name = KINDS[kind]
    assert plan("", kind, avoid=(name,)).name == f"{name}2"
    assert plan(added("", kind), kind, avoid=(name,)).name == f"{name}2"


def test_a_clash_with_any_of_its_names_changes_all_of_them() -> None:
    after = added("_background_tasks = []\n", BACKGROUND_TASKS_SET)
    assert "_background_tasks2: set[" in after
    assert plan(after, BACKGROUND_TASKS_SET) == HelperPlan("_keep_task2", ())


def test_a_helper_uses_the_imports_that_are_there() -> None:
    after = added("import asyncio as aio\nfrom typing import Any as Whatever\n", GATHER_OR_CANCEL)
    assert after.count("import ") == 2
    assert "*awaitables: Whatever" in after
    assert "await aio.gather(*tasks)" in after


def test_an_import_under_a_name_that_the_helper_needs_is_not_used() -> None:
    after = added("import asyncio as tasks\n", GATHER_OR_CANCEL)
    assert "import asyncio\n" in after
    assert "await asyncio.gather(*tasks)" in after


def test_all_helpers_fit_into_one_module() -> None:
    text = "from fastapi import FastAPI\n\napp = FastAPI()\n"
    for kind in KINDS:
        text = added(text, kind)
    assert [plan(text, kind).edits for kind in KINDS] == [()] * len(KINDS)
    assert text.startswith(
        "import asyncio\nimport functools\nimport inspect\nimport logging\nfrom typing import Any\n\n"
        "from fastapi import FastAPI\n\n\n"
    )
    assert "\n\n\n\n" not in text


def test_an_unknown_helper_is_an_error() -> None:
    with pytest.raises(KeyError):
        plan("", "another")


# -- place --------------------------------------------------------------------------------------------------------

GATHER = """\
async def _gather_or_cancel(*awaitables: Any) -> list[Any]:
    \"""Gather results; if one fails, cancel the others and wait for their end.\"""
    tasks = [asyncio.ensure_future(awaitable) for awaitable in awaitables]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
"""
IMPORTS = "import asyncio\nfrom typing import Any\n"
CONDITIONAL = f"{IMPORTS}\nlog = 1\n\nif X:\n    import x\ntry:\n    import y\nexcept E:\n    y = 1\n"

PLACES = {
    "below the imports": (f"{IMPORTS}\n\nx = 1\n", f"{IMPORTS}\n\n{GATHER}\n\nx = 1\n"),
    "with blank lines where there are none": (f"{IMPORTS}x = 1\n", f"{IMPORTS}\n\n{GATHER}\n\nx = 1\n"),
    "with its imports first": ("import abc\nx = 1\n", f"import abc\n{IMPORTS}\n\n{GATHER}\n\nx = 1\n"),
    "at the end of a module of imports": (IMPORTS, f"{IMPORTS}\n\n{GATHER}"),
    "without a final newline": (IMPORTS[:-1], f"{IMPORTS}\n\n{GATHER}"[:-1]),
    "in an empty module": ("", f"{IMPORTS}\n\n{GATHER}"),
    "below a docstring": ('"""Doc."""\n', f'"""Doc."""\n\n{IMPORTS}\n\n{GATHER}'),
    "above the comment of the first function": (
        f"{IMPORTS}\n\n# about f\n@d\ndef f(): ...\n",
        f"{IMPORTS}\n\n{GATHER}\n\n# about f\n@d\ndef f(): ...\n",
    ),
    "below conditional imports": (
        f"{CONDITIONAL}\ndef f(): ...\n",
        f"{CONDITIONAL}\n\n{GATHER}\n\ndef f(): ...\n",
    ),
    "not below imports that come after a function": (
        f"{IMPORTS}def f(): ...\nimport late\n",
        f"{IMPORTS}\n\n{GATHER}\n\ndef f(): ...\nimport late\n",
    ),
    "above functions that come before all imports": (
        "def f(): ...\nimport late\n",
        f"{IMPORTS}\n\n{GATHER}\n\ndef f(): ...\nimport late\n",
    ),
    "above what runs the program": (
        f"{IMPORTS}\nmain = 1\n\nif __name__ == '__main__':\n    import late\n    main()\n",
        f"{IMPORTS}\n\n{GATHER}\n\nmain = 1\n\nif __name__ == '__main__':\n    import late\n    main()\n",
    ),
}


@pytest.mark.parametrize(("text", "expected"), PLACES.values(), ids=PLACES)
def test_the_helper_goes(text: str, expected: str) -> None:
    assert added(text, GATHER_OR_CANCEL) == expected


@pytest.mark.parametrize(("text", "expected"), PLACES.values(), ids=PLACES)
def test_the_helper_has_the_newlines_of_the_file(text: str, expected: str) -> None:
    if "\n" in text:
        after = added(text.replace("\n", "\r\n"), GATHER_OR_CANCEL)
        assert after == added(text, GATHER_OR_CANCEL).replace("\n", "\r\n")


def test_the_helper_is_indented_as_the_file_is() -> None:
    assert "\n\ttry:\n\t\treturn await" in added("class C:\n\tx = 1\n", GATHER_OR_CANCEL)
    assert "\n  try:\n    return await" in added("def f(): ...\nclass C:\n\n  x = 1\n", GATHER_OR_CANCEL)


def test_a_site_that_runs_at_import_time_finds_the_helper_above_it() -> None:
    text = "import os\n\nuse(callback)\n\nimport sys\n"
    edits = plan(text, GUARD, before=3).edits
    after = applied(text, *edits)
    assert after.index("def _guarded") < after.index("use(callback)")


PARTS = (
    "import os",
    "import asyncio as aio; x = 1",
    "import asyncio",
    "from typing import (\n    Any,\n)",
    "# comment",
    "",
    "asyncio = None",
    "if TYPE_CHECKING:\n\timport asyncio",
    "try:\n    import logging\nexcept ImportError:\n    logging = None",
    "@d\ndef f(Any):\n    pass",
    "def _guarded(): ...",
    "_background_tasks = set()",
    "x = '''\n\n    text\n'''",
)


@st.composite
def modules(draw: st.DrawFn) -> str:
    first = [top for top in ("# top", '"""Doc."""', "from __future__ import annotations") if draw(st.booleans())]
    text = "\n".join([*first, *draw(st.lists(st.sampled_from(PARTS), max_size=6)), draw(st.sampled_from(["", "x"]))])
    return text.replace("\n", draw(st.sampled_from(["\n", "\r\n", "\r"])))


@given(modules(), st.sampled_from(sorted(KINDS)))
def test_the_helper_is_added_once_with_everything_defined_before_it(text: str, kind: str) -> None:
    result = plan(text, kind)
    after = applied(text, *result.edits)
    compile(after, "module.py", "exec")
    assert plan(after, kind) == HelperPlan(result.name, ())
    assert ast.get_docstring(ast.parse(after)) == ast.get_docstring(ast.parse(text))
    removed = iter(after.splitlines())
    assert all(line in removed for line in text.splitlines())  # nothing of the file is lost
    body = ast.parse(after).body
    mine = next(i for i, s in enumerate(body) if getattr(s, "name", "") == result.name)
    imported = {
        (alias.asname or alias.name).partition(".")[0]
        for statement in body[:mine]
        if isinstance(statement, (ast.Import, ast.ImportFrom))
        for alias in statement.names
    }
    used = {node.id for node in ast.walk(body[mine]) if isinstance(node, ast.Name)}
    needed = {"asyncio", "functools", "inspect", "logging", "Any"}
    assert {name for name in used if name.lstrip("_") in needed} <= imported


# -- guard --------------------------------------------------------------------------------------------------------


class Mailer:
    async def send(self) -> None:
        raise ValueError("async method")

    def store(self) -> None:
        raise ValueError("method")

    @classmethod
    async def of_class(cls) -> None:
        raise ValueError("class method")

    @staticmethod
    def static() -> None:
        raise ValueError("static method")


class AsyncInstance:
    async def __call__(self) -> None:
        raise ValueError("async instance")


class SyncInstance:
    __slots__ = ()

    def __call__(self) -> None:
        raise ValueError("instance")


async def failing() -> None:
    raise ValueError("async function")


def sync_failing() -> None:
    raise ValueError("function")


CALLABLES: dict[str, Callable[..., Any]] = {
    "Mailer.send": Mailer().send,
    "Mailer.store": Mailer().store,
    "Mailer.of_class": Mailer.of_class,
    "Mailer.static": Mailer.static,
    "AsyncInstance": AsyncInstance(),
    "SyncInstance": SyncInstance(),
    "failing": failing,
    "sync_failing": sync_failing,
    "<lambda>": lambda: 1 / 0,
    "failing of a partial": functools.partial(functools.partial(failing)),
    "sync_failing of a partial": functools.partial(sync_failing),
    "AsyncInstance of a partial": functools.partial(AsyncInstance()),
    "AsyncMock": AsyncMock(side_effect=ValueError("mock")),
}


def run(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call as Starlette does: await what it takes for async."""
    return asyncio.run(func(*args, **kwargs)) if is_async_callable(func) else func(*args, **kwargs)


@pytest.mark.parametrize("name", CALLABLES)
def test_a_guarded_task_fails_into_the_log(name: str, caplog: pytest.LogCaptureFixture) -> None:
    func = CALLABLES[name]
    guarded = loaded(GUARD)(func)
    assert is_async_callable(guarded) == is_async_callable(func)
    assert run(guarded) is None
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("app.tasks", logging.ERROR)
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], (ValueError, ZeroDivisionError))
    assert record.getMessage().endswith(f"{name.removesuffix(' of a partial')} failed")


def test_a_guarded_task_that_works_is_as_before(caplog: pytest.LogCaptureFixture) -> None:
    async def add(one: int, *, other: int = 2) -> int:
        """Add."""
        return one + other

    guarded = loaded(GUARD)(add)
    assert run(guarded, 1, other=5) == 6
    assert run(loaded(GUARD)(functools.partial(add, 1))) == 3
    assert run(loaded(GUARD)(max), 1, 2) == 2
    assert inspect.signature(guarded) == inspect.signature(add)
    assert (guarded.__name__, guarded.__doc__, guarded.__wrapped__) == ("add", "Add.", add)
    assert caplog.records == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_is_no_exception_passes_the_guard(error: type[BaseException]) -> None:
    def stop() -> None:
        raise error

    with pytest.raises(error):
        loaded(GUARD)(stop)()


def test_a_guarded_task_can_be_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    async def cancelled() -> bool:
        task: asyncio.Future[None] = asyncio.ensure_future(loaded(GUARD)(asyncio.sleep)(60))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    assert asyncio.run(cancelled())
    assert caplog.records == []


def test_the_guard_is_short_enough_to_be_read() -> None:
    function = next(s for s in ast.parse(added("", GUARD)).body if isinstance(s, ast.FunctionDef))
    assert (function.end_lineno or 0) - function.lineno < 27
    assert max(map(len, added("", GUARD).splitlines())) <= 88


# -- background tasks ---------------------------------------------------------------------------------------------


def test_a_kept_task_survives_the_garbage_collector_and_is_let_go_when_done() -> None:
    keep = loaded(BACKGROUND_TASKS_SET)
    tasks = keep.__globals__["_background_tasks"]

    async def scenario() -> None:
        done = []

        async def work() -> None:
            # Nothing else refers to this future, or to the task that waits for it.
            waiting: asyncio.Future[None] = asyncio.Future()
            asyncio.get_running_loop().call_later(0.01, wake, weakref.ref(waiting))
            await waiting
            done.append(True)

        task = asyncio.create_task(work())
        assert keep(task) is task
        del task
        await asyncio.sleep(0)
        gc.collect()
        assert len(tasks) == 1
        await asyncio.sleep(0.05)
        assert (done, tasks) == ([True], set())

    asyncio.run(scenario())


def wake(waiting: weakref.ref[asyncio.Future[None]]) -> None:
    future = waiting()
    if future is not None:
        future.set_result(None)


# -- gather or cancel ---------------------------------------------------------------------------------------------


def test_results_come_in_the_order_of_the_arguments() -> None:
    async def later(value: int, turns: int) -> int:
        for _ in range(turns):
            await asyncio.sleep(0)
        return value

    async def scenario() -> Any:
        return await loaded(GATHER_OR_CANCEL)(later(1, 3), asyncio.ensure_future(later(2, 1)), later(3, 2))

    assert asyncio.run(scenario()) == [1, 2, 3]


@pytest.mark.parametrize("by_caller", [False, True])
def test_a_failure_or_a_cancellation_ends_the_others_before_it_is_raised(by_caller: bool) -> None:
    events = []

    async def sibling() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            events.append("cleaned up")

    async def broken() -> None:
        await asyncio.sleep(60 if by_caller else 0)
        raise ValueError("first")

    async def scenario() -> None:
        waiting = asyncio.ensure_future(loaded(GATHER_OR_CANCEL)(sibling(), broken(), sibling()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if by_caller:
            waiting.cancel()
        with pytest.raises(asyncio.CancelledError if by_caller else ValueError):
            await waiting
        events.append("raised")
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(scenario())
    assert events == ["cleaned up", "cleaned up", "raised"]


def test_the_first_error_is_the_one_that_is_raised_and_a_later_one_is_not_reported_as_lost() -> None:
    async def failing_cleanup() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise KeyError("second")

    lost = []

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: lost.append(context))
        with pytest.raises(ValueError, match="async function"):
            await loaded(GATHER_OR_CANCEL)(failing_cleanup(), failing())

    asyncio.run(scenario())
    gc.collect()
    assert lost == []


# -- what they log ------------------------------------------------------------------------------------------------


async def broken() -> None:
    raise ValueError("broken")


async def one() -> int:
    return 1


def test_gathered_errors_are_logged_and_given_back(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> list[Any]:
        results: list[Any] = await loaded(GATHER_AND_LOG)(one(), broken(), one())
        return results

    first, failed, last = asyncio.run(main())
    assert (first, type(failed), last) == (1, ValueError, 1)
    assert [record.exc_info and record.exc_info[1] for record in caplog.records] == [failed]


def test_a_failed_task_is_logged_and_a_cancelled_one_is_not(caplog: pytest.LogCaptureFixture) -> None:
    log_errors = loaded(LOG_ERRORS)

    async def main() -> asyncio.Task[None]:
        failing = log_errors(asyncio.create_task(broken()))
        cancelled = log_errors(asyncio.create_task(asyncio.sleep(60)))
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.wait([failing, cancelled])
        assert isinstance(failing, asyncio.Task)
        return failing

    error = asyncio.run(main()).exception()
    assert [record.exc_info and record.exc_info[1] for record in caplog.records] == [error]


def test_a_failed_job_of_a_pool_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with ThreadPoolExecutor() as pool:
        failed = loaded(LOG_ERRORS)(pool.submit(int, "no number"))
        fine = loaded(LOG_ERRORS)(pool.submit(int, "1"))
    assert fine.result() == 1
    assert [record.exc_info and record.exc_info[1] for record in caplog.records] == [failed.exception()]
