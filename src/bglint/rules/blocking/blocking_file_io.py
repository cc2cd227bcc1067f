"""BGL404: reading and writing files on the event loop (off by default)."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from bglint.index.blocking import BlockingPath
from bglint.index.sinks import is_lazy
from bglint.model import Applicability, Level
from bglint.rules.base import Candidate, Refused, Rewrite
from bglint.rules.blocking._offload import NO_CALL, move_helper, to_thread
from bglint.rules.blocking._shared import BlockingRule

if TYPE_CHECKING:
    from bglint.index.project import Project


class BlockingFileIo(BlockingRule):
    """Report file system access in async code, made directly or through sync helpers.

    ## What it does
    Finds `open` and the reads and writes of what it gives, `pathlib.Path` methods that touch the disk, `os` and
    `os.path` functions that do, `shutil`, `tempfile`, zip and tar archives, that run inside an `async def`. A call of a
    sync helper counts when the helper reaches such a call; the report shows the way there.

    Silent: `aiofiles`, `anyio.Path`, `anyio.open_file`, pure path arithmetic (`os.path.join`, `Path.name`), and calls
    in threads.

    ## Why is this bad?
    All requests of a worker share one event loop, and the loop waits while this call does: with an operation of one
    second, another request that needs nothing was measured to take 0.87 to 0.89 seconds; in a thread or a `def` route,
    0.03 to 0.05.
    A small file on a local disk takes microseconds, so this rule is off by default; a network file system, a slow disk
    or a large upload takes as long as it likes, and the operating system offers no way to read a file without waiting.

    ## Example
    ```python
    from pathlib import Path

    async def template(name: str) -> str:
        return Path("templates", name).read_text()
    ```

    ## Use instead
    ```python
    import asyncio
    from pathlib import Path

    async def template(name: str) -> str:
        return await asyncio.to_thread(Path("templates", name).read_text)
    ```

    Or `aiofiles`, `anyio.Path`, or a plain `def` route.

    ## Fix safety
    The fix awaits the call in a thread and is always unsafe: other tasks run meanwhile and may touch the same file, and
    file objects are not made for several threads.

    No fix is offered for `open(...)`, whose result would still be read on the loop, for a result used in `with`, where
    `await` cannot stand, while a thread lock is held, and for helpers that need the event loop's own thread.

    ## References
    - [Python: running in threads](https://docs.python.org/3/library/asyncio-task.html#running-in-threads)
    - [AnyIO: asynchronous file I/O](https://anyio.readthedocs.io/en/stable/fileio.html)
    """

    code, name = "BGL404", "blocking-file-io"
    level = Level.WARNING
    default = False
    kind = "file"

    def direct(self, path: BlockingPath, candidate: Candidate) -> str:
        """What is wrong with a call that blocks by itself, in one sentence."""
        return (
            f"{self.called(path, candidate)} blocks the event loop while the file system works: every other request "
            "and task waits for it; use `asyncio.to_thread`, `anyio.Path` or `aiofiles`"
        )

    def rewrite(self, candidate: Candidate, project: Project) -> Rewrite | Refused | None:
        """Await it in a thread."""
        call = candidate.site
        if not isinstance(call, ast.Call):
            return NO_CALL
        path = self.path(call, candidate.scope)
        if path is None:
            return None
        if path.steps:
            return move_helper(self.ctx, path, candidate)
        if path.sink.name.rpartition(".")[2] in _OPENERS:
            return Refused("what it opens would still be used on the event loop")
        if is_lazy(path.sink.name):
            return Refused("its items would still be taken on the event loop")
        return to_thread(self.ctx, candidate, Applicability.UNSAFE)


_OPENERS = frozenset({"NamedTemporaryFile", "TemporaryFile", "ZipFile", "fdopen", "open", "open_code"})
