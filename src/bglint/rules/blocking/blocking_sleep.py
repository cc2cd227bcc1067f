"""BGL402: ``time.sleep`` on the event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bglint.index.blocking import BlockingPath
from bglint.rules.base import Candidate, Refused, Rewrite
from bglint.rules.blocking._shared import BlockingRule

if TYPE_CHECKING:
    from bglint.index.project import Project


class BlockingSleep(BlockingRule):
    """Report `time.sleep` in async code, directly or through sync helpers."""

    code, name = "BGL402", "blocking-sleep"
    kind = "sleep"

    def message(self, path: BlockingPath, candidate: Candidate) -> str:
        """What is wrong, in one sentence."""
        return "time.sleep() blocks the event loop: every other request and task waits with it"

    def rewrite(self, candidate: Candidate, project: Project) -> Rewrite | Refused | None:
        return None
