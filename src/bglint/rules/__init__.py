"""The rules. Each is one file below; being there is all the registration it needs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bglint.rules.base import Rule


@cache
def all_rules() -> tuple[type[Rule], ...]:
    """Every rule class, by code."""
    found = {rule.code: rule for module in _modules() for rule in _rules_in(module)}
    return tuple(found[code] for code in sorted(found))


def codes() -> Mapping[str, str]:
    """Code → name of every rule. The rules are imported when somebody looks."""
    return _Codes()


class _Codes(Mapping[str, str]):
    def __getitem__(self, code: str) -> str:
        return _names()[code]

    def __iter__(self) -> Iterator[str]:
        return iter(_names())

    def __len__(self) -> int:
        return len(_names())


@cache
def _names() -> dict[str, str]:
    return {rule.code: rule.name for rule in all_rules()}


def _modules() -> list[str]:
    here = os.path.dirname(__file__)
    folders = sorted(entry.name for entry in os.scandir(here) if entry.is_dir() and entry.name[0] not in "_.")
    return [
        f"bglint.rules.{folder}.{file[:-3]}"
        for folder in folders
        for file in sorted(os.listdir(os.path.join(here, folder)))
        if file.endswith(".py") and not file.startswith("_")
    ]


def _rules_in(module: str) -> list[type[Rule]]:
    from bglint.rules.base import Rule

    return [
        value
        for value in vars(import_module(module)).values()
        if isinstance(value, type) and issubclass(value, Rule) and value.__module__ == module and hasattr(value, "code")
    ]
