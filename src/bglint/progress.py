"""A progress bar on stderr, for runs that take their time; rich is imported when the bar appears."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import Progress, TaskID

_PATIENCE = 1.5  # seconds that pass without a bar
_REFRESH = 0.1  # seconds between two looks of it


class ProgressBar:
    """Called with how many of how many files are done. It disappears where its ``with`` block ends."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _PATIENCE
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` files are linted; fixing lints them several times."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _REFRESH
        if self._bar is None or self._task is None:
            self._bar = _bar()
            self._task = self._bar.add_task("Linting", total=total)
        self._bar.update(self._task, completed=done, total=total)
        self._bar.refresh()


def _bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    # No thread of its own: processes may be forked while it is shown.
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("files"))
    bar = Progress(*columns, console=Console(stderr=True), auto_refresh=False, transient=True)
    bar.start()
    return bar
