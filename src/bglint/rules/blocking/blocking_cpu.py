"""BGL407: long computations on the event loop (off by default)."""

from __future__ import annotations

from bglint.index.blocking import BlockingPath
from bglint.model import Level
from bglint.rules.base import Candidate
from bglint.rules.blocking._shared import BlockingRule


class BlockingCpu(BlockingRule):
    """Report long computations in async code, made directly or through sync helpers.

    ## What it does
    Finds calls that are known to compute for long inside an `async def`: password hashing (bcrypt, argon2, passlib,
    `hashlib.scrypt`, `pbkdf2_hmac`), image work (PIL, OpenCV), pandas readers and writers, model training and inference
    (scikit-learn, sentence-transformers), compression of whole bodies. A call of a sync helper counts when the helper
    reaches such a call; the report shows the way there.

    Silent: calls in threads and processes, and libraries it does not know.

    ## Why is this bad?
    While the loop computes, it serves nobody: with one second of work, another request that needs nothing was measured
    to take 0.87 to 0.89 seconds. A thread helps where the library works in C and releases the interpreter lock, as
    hashing and image work do; with pure Python code others still lost 0.3 to 0.4 seconds, and only a process helps.

    ## Example
    ```python
    import bcrypt

    async def login(password: bytes, hashed: bytes) -> bool:
        return bcrypt.checkpw(password, hashed)
    ```

    ## Use instead
    ```python
    import asyncio

    import bcrypt

    async def login(password: bytes, hashed: bytes) -> bool:
        return await asyncio.to_thread(bcrypt.checkpw, password, hashed)
    ```

    Or a `ProcessPoolExecutor` with `loop.run_in_executor`, or a task queue, for work in pure Python.

    ## Fix safety
    No fix is offered: whether a thread helps, and whether the objects at work may be shared with one, is for you to
    say.

    ## References
    - [Python: thread and process pools](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.run_in_executor)
    - [Python: running in threads](https://docs.python.org/3/library/asyncio-task.html#running-in-threads)
    """

    code, name = "BGL407", "blocking-cpu"
    level = Level.WARNING
    default = False
    kind = "cpu"

    def direct(self, path: BlockingPath, candidate: Candidate) -> str:
        """What is wrong with a call that blocks by itself, in one sentence."""
        return (
            f"{self.called(path, candidate)} computes on the event loop: every other request and task waits until "
            "it is done; use `asyncio.to_thread` or a process pool"
        )
