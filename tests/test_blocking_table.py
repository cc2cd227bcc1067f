"""Every entry of blocking.toml is reached: imported directly, or as a method of an object made on the spot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bglint import api
from bglint.config import Options
from bglint.index import data
from bglint.index.sinks import Names, instead_of, is_lazy, known_kind, sinks, size_position, waits_on_leaving
from bglint.rules import all_rules
from bglint.rules.blocking._shared import BlockingRule

ENTRIES = sorted(sinks())
KINDS = {rule.kind: rule.code for rule in all_rules() if issubclass(rule, BlockingRule)}
LISTED = [name for name in ENTRIES if not is_lazy(name) and not waits_on_leaving(name)]
LIBRARIES = {
    name.partition(".")[0]: [n for n in LISTED if n.startswith(name.partition(".")[0] + ".")] for name in LISTED
}


def example(entry: str) -> str:
    """A name that the entry covers."""
    return entry.replace(".**.", ".").removesuffix(".*") + (".anything" if entry.endswith(".*") else "")


def class_position(parts: list[str]) -> int | None:
    """Where in a dotted name its first class, or call, stands."""
    ends = (n for n in range(1, len(parts)) if parts[n].endswith("()") or data.is_class_name(".".join(parts[: n + 1])))
    return next(ends, None)


def direct(name: str) -> str:
    """The program's two lines that import what a name starts with and call the name."""
    parts = name.split(".")
    position = class_position(parts[:-1])
    position = len(parts) - 1 if position is None else position
    top = parts[position].removesuffix("()")
    return f"    from {'.'.join(parts[:position])} import {top}\n    {'.'.join(parts[position:])}(1)\n"


def on_instance(name: str) -> str | None:
    """The program's lines that make an object and call its method; None for what is not a method."""
    parts = name.split(".")
    position = class_position(parts[:-1])
    if position is None:
        return None
    top = parts[position].removesuffix("()")
    size = "5" if size_position(name) is not None else ""
    method = ".".join(parts[position + 1 :])
    made = f"    made = {top}({size})\n    pass\n"  # a lock that was made right before is free
    return f"    from {'.'.join(parts[:position])} import {top}\n{made}    made.{method}(1)\n"


def programs(library: str, function: str) -> Iterator[tuple[str, str]]:
    """(entry, program) in both styles for every entry of a library; a queue's put only waits on a made queue."""
    for number, entry in enumerate(LIBRARIES[library]):
        name = example(entry)
        for style, body in (("direct", direct(name)), ("made", on_instance(name))):
            if body is not None and not (style == "direct" and size_position(name) is not None):
                yield entry, f"{function} run_{number}_{style}():\n{body}"


def findings(texts: Sequence[str]) -> set[tuple[int, str]]:
    """Where and what the rules of the family report in programs written one below the other."""
    options = Options(isolated=True, select=tuple(KINDS.values()))
    found = api.lint_source("".join(texts), Path("example.py"), options=options)
    return {(finding.span.start.row, finding.code) for finding in found}


@pytest.mark.parametrize("library", sorted(LIBRARIES))
def test_every_entry_is_reported_in_async_code(library: str) -> None:
    written = list(programs(library, "async def"))
    expected: dict[tuple[int, str], str] = {}
    row = 0
    for entry, text in written:
        row += text.count("\n")
        expected[row, KINDS[sinks()[entry]]] = text
    found = findings([text for _, text in written])
    assert [text for place, text in expected.items() if place not in found] == []


@pytest.mark.parametrize("library", sorted(LIBRARIES))
def test_every_entry_is_silent_in_sync_code(library: str) -> None:
    assert findings([text for _, text in programs(library, "def")]) == set()


def test_every_kind_has_a_rule() -> None:
    assert set(sinks().values()) == KINDS.keys()


@pytest.mark.parametrize("name", sorted(data.load("blocking.toml")["fast"]["calls"]))
def test_fast_calls_do_not_block(name: str) -> None:
    assert known_kind(example(name)) is None


def test_fast_calls_are_exceptions_from_something() -> None:
    table = Names(sinks())
    assert not [n for n in data.load("blocking.toml")["fast"]["calls"] if table.get(example(n)) is None]


def test_alternatives_are_alternatives_to_something() -> None:
    prefixes = {".".join(e.split(".")[:n]) for e in map(example, ENTRIES) for n in range(1, len(e.split(".")) + 1)}
    assert not [name for name in data.load("blocking.toml")["async"] if name not in prefixes]


def test_the_longest_prefix_names_the_alternative() -> None:
    assert instead_of("openai.AzureOpenAI.chat.completions.create") == "openai.AsyncAzureOpenAI"
    assert instead_of("openai.OpenAI.chat.completions.create") == "openai.AsyncOpenAI"
    assert instead_of("unheard.of") is None


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("boto3.client().put_object", "network"),
        ("boto3.resource().Bucket.upload_file", "network"),
        ("boto3.resource().Bucket", None),
        ("openai.OpenAI.chat.completions.create", "network"),
        ("openai.OpenAI.with_options().chat.completions.create", "network"),
        ("openai.OpenAI.with_options", None),
        ("openai.AsyncOpenAI.chat.completions.create", None),
        ("sqlalchemy.orm.Session.add", None),
        ("sqlalchemy.orm.Session.execute", "database"),
        ("sqlalchemy.ext.asyncio.AsyncSession.execute", None),
        ("redis.Redis.get", "database"),
        ("redis.asyncio.Redis.get", None),
        ("subprocess.Popen", None),
        ("queue.Queue.get_nowait", None),
    ],
)
def test_patterns(name: str, kind: str | None) -> None:
    assert known_kind(name) == kind
