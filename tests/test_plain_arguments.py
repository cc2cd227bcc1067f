"""Command lines read without click mean what they mean to click."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bglint.check_output import Flags
from bglint.command_check import check
from bglint.config import Options
from bglint.plain_arguments import _FLAGS, plain_arguments

OTHERS = ["--jobs", "-j", "3", "0", "--no-cache", "-n", "--", "-", "-qv", "--jobs=2", "--select", "BGL1", "--fi", "é"]
words = st.lists(st.sampled_from([*_FLAGS, *OTHERS, "src", "a b.py", "check", "rule"]), max_size=6)


def meant(values: dict[str, Any]) -> tuple[Flags, Options]:
    """What values come to: Flags and Options have the same defaults as the command."""
    flags = {name: value for name, value in values.items() if name in Flags._fields}
    options = {name: value for name, value in values.items() if name in Options._fields}
    return Flags(**flags), Options(**options)


@given(words)
def test_both_readings_are_the_same(args: list[str]) -> None:
    plain = plain_arguments(args)
    if plain is None:
        return
    values = check.make_context("check", args[args[:1] == ["check"] :]).params
    assert plain[0] == values.pop("paths")
    assert meant(plain[1]) == meant(values)


@pytest.mark.parametrize("flag", _FLAGS)
def test_every_plain_option_is_an_option(flag: str) -> None:
    assert plain_arguments([flag]) is not None
    assert any(flag in (*option.opts, *option.secondary_opts) for option in check.params)


@pytest.mark.parametrize(
    "args",
    [["--help"], ["rule"], ["--fixx"], ["--select", "BGL1"], ["--jobs"], ["-j", "0"], ["-j", "²"], ["-"], ["--", "-q"]],
)
def test_what_is_not_plain_is_left_to_click(args: list[str]) -> None:
    assert plain_arguments(args) is None


def test_completion_is_clicks_business(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_BGLINT_COMPLETE", "bash_complete")
    assert plain_arguments([]) is None


def test_a_folder_named_like_a_command_may_come_second() -> None:
    assert plain_arguments(["check", "check"]) == (("check",), {})
