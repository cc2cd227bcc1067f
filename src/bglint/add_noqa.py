"""--add-noqa: silences findings with comments that bglint, flake8 and ruff read in the same way."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from bglint import __version__
from bglint.noqa import Directive, Noqa
from bglint.source import Source, SourceError, decode
from bglint.syntax import parsed
from bglint.unused_noqa import comments

if TYPE_CHECKING:
    from bglint.api import Session
    from bglint.fixing import Fixed
    from bglint.model import Finding

# A file that cannot be read stays a finding, and an unused comment is not cured by one more.
_NEVER = ("BGL000", "BGL001")
_READS_LIKE_A_CODE = re.compile(r"[a-z]+[0-9]", re.IGNORECASE)


def add_noqa(source: Source, findings: Iterable[Finding], reason: str = "") -> str:
    """Return the text of ``source`` with a noqa comment for each of its ``findings``, where that is possible.

    A comment that is there already gets further codes; ``reason`` follows the codes of new ones, and of those that
    give none. Nothing can be added where flake8 would take some string's text for the comment.
    """
    noqa = Noqa(source.lines)
    extended: dict[Directive, list[str]] = {}
    added: dict[int, list[str]] = {}
    for finding in findings:
        if finding.code in _NEVER:
            continue
        row = finding.span.start.row
        known = noqa.on(row)
        codes = added.setdefault(noqa.last_row(row), []) if known is None else extended.setdefault(known, [])
        if finding.code not in codes:
            codes.append(finding.code)
    lines = list(source.lines)
    for row, codes in added.items():
        lines[row - 1] = _with_comment(lines[row - 1], f"# noqa: {', '.join(sorted(codes))}", reason)
    if extended:
        _extend(lines, extended, reason, comments(source))
    return "".join(lines)


def _with_comment(line: str, comment: str, reason: str) -> str:
    content = line.rstrip("\r\n")
    return f"{content.rstrip()}  {comment}{_separated(reason)}{line[len(content) :]}"


def _extend(
    lines: list[str],
    extended: Mapping[Directive, Sequence[str]],
    reason: str,
    comments: Mapping[int, tuple[int, int]],
) -> None:
    """Write further codes behind those of existing comments."""
    for directive, codes in extended.items():
        start, end = comments.get(directive.row, (0, 0))
        if not start <= directive.column < end:
            continue
        line = lines[directive.row - 1]
        before, text = line[: directive.column - 1], line[directive.column - 1 : directive.end_column - 1]
        behind = line[directive.end_column - 1 :]
        for code in sorted(codes):
            in_lower_case = re.compile(rf"\b{code}\b", re.IGNORECASE)
            text = in_lower_case.sub(code, text) if in_lower_case.search(text) else f"{text}, {code}"
        said = "" if behind.strip() else _separated(reason)
        lines[directive.row - 1] = f"{before}{text}{said}{behind}"


def _separated(reason: str) -> str:
    if not reason:
        return ""
    return f" - {reason}" if _READS_LIKE_A_CODE.match(reason) else f" {reason}"


def add_noqa_to_files(session: Session, files: Sequence[Path], reason: str, jobs: int | None) -> Fixed:
    """Lint ``files`` and silence what is found with comments in them.

    The result's ``fixed`` counts what was silenced. A file is written only if the linter finds nothing in it that it
    did not find before, and the program is the same.
    """
    from bglint.fixing import Fixed, write_held

    before: dict[Path, Source] = {}
    failed: dict[Path, str] = {}
    checked = session.check(files, jobs)
    for path in files:
        if not any(finding.code not in _NEVER for finding in checked[path].findings):
            continue
        try:
            source = session.read(path)
            after = decode(source.encode(add_noqa(source, checked[path].findings, reason)), path)
        except (UnicodeEncodeError, SourceError) as error:
            failed[path] = f"{session.display(path)}: no noqa comment added: {error}."
            continue
        if after.data != source.data:
            before[path] = source
            session.hold(after)
    again = session.check(files, jobs) if before else checked
    for path, source in list(before.items()):
        if _counted(again[path].findings, checked[path].findings) or not _same_program(source, session.read(path)):
            failed[path] = (
                f"{session.display(path)}: no noqa comment added, as one would change more than a comment. This is a"
                f" bug in bglint {__version__}: please report it, with the file if you can."
            )
            session.release(path)
            del before[path]
    silenced = {path: _counted(checked[path].findings, again[path].findings) for path in before}
    failed |= write_held(session, before)
    failures = [each.failure for each in again.values() if each.failure]
    return Fixed(
        [finding for path in files for finding in (checked if path in failed else again)[path].findings],
        {path: counts for path, counts in silenced.items() if path not in failed},
        {path: (source.data, session.read(path).data) for path, source in before.items() if path not in failed},
        (*failures, *failed.values()),
    )


def _same_program(before: Source, after: Source) -> bool:
    """Tell whether two sources have the same syntax tree, places included."""
    nodes = zip_longest(ast.walk(parsed(before.text)), ast.walk(parsed(after.text)))
    return all(_plain(one) == _plain(other) for one, other in nodes)


def _plain(node: ast.AST | None) -> tuple[object, ...]:
    """A node's kind and what it holds beside other nodes."""
    held = vars(node).items() if node is not None else ()
    return type(node), *(repr(value) for _, value in held if not isinstance(value, (ast.AST, list)))


def _counted(before: Sequence[Finding], after: Sequence[Finding]) -> Counter[str]:
    """Count the findings by code that there are no longer."""
    return Counter(finding.code for finding in before) - Counter(finding.code for finding in after)
