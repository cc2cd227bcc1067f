"""The types of the fixtures that run the command line in a scratch folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Done:
    """How a run ended: its exit code, what it printed, and where."""

    code: int
    data: bytes
    err: str

    @property
    def out(self) -> str:
        return self.data.decode("utf-8")


Run = Callable[..., Done]
Here = Callable[..., Path]
