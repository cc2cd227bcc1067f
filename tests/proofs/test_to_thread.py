"""What ``asyncio.to_thread`` keeps and what it does not: the preconditions of every fix that moves a call there."""

import asyncio
import contextvars
import sqlite3
import threading
import time
from collections.abc import Callable

import pytest

pytestmark = pytest.mark.proof
user = contextvars.ContextVar("user", default="nobody")
local = threading.local()


def describe(*args: object, **kwargs: object) -> tuple[object, ...]:
    return (*args, kwargs, user.get())


def fail() -> None:
    raise KeyError("cup")


def in_thread(function: Callable[..., object], *args: object, **kwargs: object) -> object:
    """Await the call in a thread, on behalf of ann."""

    async def main() -> object:
        user.set("ann")
        local.name = "ann"
        return await asyncio.to_thread(function, *args, **kwargs)

    return asyncio.run(main())


def test_arguments_results_and_context_variables_arrive() -> None:
    assert in_thread(describe, 1, two=2) == (1, {"two": 2}, "ann")


def test_exceptions_come_back() -> None:
    with pytest.raises(KeyError, match="cup"):
        in_thread(fail)


def test_context_variables_that_it_sets_do_not_come_back() -> None:
    async def main() -> str:
        await asyncio.to_thread(user.set, "eve")
        return user.get()

    assert asyncio.run(main()) == "nobody"


def test_thread_locals_do_not_arrive() -> None:
    assert in_thread(lambda: getattr(local, "name", "nobody")) == "nobody"


def test_an_rlock_belongs_to_another_thread() -> None:
    lock = threading.RLock()
    with lock:
        assert lock.acquire(blocking=False), "the owner takes it again"
        lock.release()
        assert in_thread(lock.acquire, blocking=False) is False


def test_a_sqlite3_connection_refuses_another_thread() -> None:
    connection = sqlite3.connect(":memory:")
    with pytest.raises(sqlite3.ProgrammingError, match="can only be used in that same thread"):
        in_thread(connection.execute, "select 1")
    connection.close()


def test_stop_iteration_does_not_come_back_as_such() -> None:
    async def main() -> str:
        call = asyncio.to_thread(next, iter(()))
        try:
            await asyncio.wait_for(call, 0.2)
        except StopIteration:
            return "StopIteration"
        except Exception as error:
            return type(error).__name__
        return "nothing"

    assert asyncio.run(main()) != "StopIteration"


def test_cancelling_does_not_stop_it() -> None:
    ended = threading.Event()

    def work() -> None:
        time.sleep(0.2)
        ended.set()

    async def main() -> bool:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.to_thread(work), 0.05)
        return ended.is_set()

    assert asyncio.run(main()) is False
    assert ended.wait(5)
