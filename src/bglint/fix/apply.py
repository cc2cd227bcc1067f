"""Applies fixes to a text: pass by pass, each fix wholly or not at all, and nothing if anything looks wrong."""

from __future__ import annotations

import warnings
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from bglint import __version__
from bglint.model import Finding, Fix
from bglint.source import Source
from bglint.syntax import parsed
from bglint.unused_noqa import CODE as UNUSED_NOQA


@dataclass(frozen=True, slots=True)
class FixFailure:
    """Why nothing was changed: ``codes`` are the rules to blame, ``message`` is what the user reads."""

    codes: tuple[str, ...]
    message: str

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class FixResult:
    """What became of a text: ``applied`` counts the fixes by code, ``remaining`` are the findings in ``text``.

    With a ``failure`` the text is the original one and ``applied`` is empty.
    """

    text: str
    applied: Counter[str]
    remaining: Sequence[Finding]
    failure: FixFailure | None = None


class ImpossibleFixError(ValueError):
    """Edits that make no sense; ``index`` says which of the fixes has them."""

    def __init__(self, index: int, message: str) -> None:
        super().__init__(message)
        self.index = index


class _Change(NamedTuple):
    """An edit in offsets."""

    start: int
    end: int
    content: str


def fix_text(
    text: str,
    lint: Callable[[str], Sequence[Finding]],
    wanted: Callable[[Finding], bool],
    max_passes: int = 10,
    reveals: Callable[[str], frozenset[str]] = lambda code: frozenset(),
) -> FixResult:
    """Lint, apply the ``wanted`` fixes, and repeat until there is none left, at most ``max_passes`` times.

    The result compiles if the original did, has none of the fixed findings left and no new ones but those that
    repairs of a code may reveal; otherwise nothing is changed and the result's ``failure`` says which rule is to
    blame. Raises what ``lint`` raises.
    """
    before = findings = lint(text)
    current, compiled = text, _compiles(text)
    applied: Counter[str] = Counter()

    def give_up(blamed: Iterable[Finding], problem: str) -> FixResult:
        return FixResult(text, Counter(), before, _failure(list(blamed), problem))

    for passes in range(max_passes + 1):
        chosen = [finding for finding in findings if finding.fix is not None and wanted(finding)]
        if not chosen:
            break
        if passes == max_passes:
            return give_up(chosen, f"does not converge: there is still something to fix after {passes} passes")
        try:
            current, done = apply_fixes(current, [finding.fix for finding in chosen if finding.fix is not None])
        except ImpossibleFixError as error:
            return give_up([chosen[error.index]], f"has impossible edits ({error})")
        fixed = [finding for finding, is_done in zip(chosen, done, strict=True) if is_done]
        if not fixed:
            return give_up(chosen, "changes nothing")
        if not _parses(current) or (compiled and not _compiles(current)):
            return give_up(fixed, "makes a file that does not compile")
        applied.update(finding.code for finding in fixed)
        findings = lint(current)

    odd = _unexpected(before, findings, applied).difference(*map(reveals, applied))
    if odd:
        fixers = [finding for finding in before if finding.code in applied]
        left = [finding for finding in findings if finding.code in odd]
        blamed = [finding for finding in left if finding.code in applied] or fixers or left
        return give_up(blamed, f"leaves or makes {', '.join(sorted(odd))} (row {left[0].span.start.row})")
    return FixResult(current, applied, findings)


def apply_fixes(text: str, fixes: Sequence[Fix]) -> tuple[str, list[bool]]:
    """Apply as many fixes as possible in one pass; return the new text and which of the fixes are in it.

    Edits that several fixes share (an import, a helper) are applied once. A fix that overlaps an accepted one, or
    whose place beside it would be a matter of order, is left for the next pass. Single lines that different
    fixes insert at one point are all kept, in order of first appearance. Raises ImpossibleFixError for
    edits outside the text and for a fix that overlaps itself.
    """
    source = Source(Path(), b"", text, "utf-8", False, "\n")
    accepted = _Accepted()
    done = []
    for index, fix in enumerate(fixes):
        try:
            changes = _changes(source, fix)
        except ValueError as error:
            raise ImpossibleFixError(index, str(error)) from error
        fits = bool(changes) and accepted.has_room_for(changes)
        if fits:
            accepted.add(changes)
        done.append(fits)
    result = _splice(text, accepted.changes)
    # The promise that code outside the edits stays as it is, checked and not only made.
    if _splice(result, _inverse(text, accepted.changes)) != text:
        raise AssertionError("text outside the edits would change")
    return result, done


class _Accepted:
    """The changes taken so far: ``changes`` in the order of the text, insertions before what they touch."""

    def __init__(self) -> None:
        self.changes: list[_Change] = []
        self._known: set[_Change] = set()
        self._open_points: set[int] = set()

    def has_room_for(self, fix: Sequence[_Change]) -> bool:
        """Tell whether all changes of ``fix`` can be made beside the accepted ones."""
        fresh = [change for change in fix if change not in self._known]
        return all(self._fits(change, fix) for change in fresh) and self._keeps_order(fix)

    def add(self, fix: Sequence[_Change]) -> None:
        """Accept a fix that has room."""
        for change in fix:
            if change in self._known:
                continue
            self._known.add(change)
            insort(self.changes, change, key=_place)
            if _is_line_of_its_own(change, fix):
                self._open_points.add(change.start)

    def _fits(self, change: _Change, fix: Sequence[_Change]) -> bool:
        low = bisect_left(self.changes, _place(change), key=_place)
        # Accepted changes never overlap: only the direct neighbours can be in the way.
        around = self.changes[max(low - 1, 0) : low + 1]
        if change.start == change.end:
            same_point = [c for c in self.changes[low:] if c.start == c.end == change.start]
            around += self.changes[low + len(same_point) : low + len(same_point) + 1]
            if same_point and not (change.start in self._open_points and _is_line_of_its_own(change, fix)):
                return False
        return not any(_clash(change, other) for other in around)

    def _keeps_order(self, fix: Sequence[_Change]) -> bool:
        """Tell whether the insertions that ``fix`` shares with others come in its own order."""
        shared = [change for change in fix if change in self._known and change.start == change.end]
        return all(
            first.start != second.start or self.changes.index(first) < self.changes.index(second)
            for first, second in pairwise(sorted(shared, key=_place))
        )


def _place(change: _Change) -> tuple[int, int]:
    return change.start, change.end


def _is_line_of_its_own(change: _Change, fix: Sequence[_Change]) -> bool:
    """Tell whether ``change`` inserts at most one line and ``fix`` nothing else there.

    Everything longer (a section of imports, a helper) brings blank lines, and an order, of its own: it has to see
    its neighbours to be laid out well, so it waits for the next pass.
    """
    alone = sum(other.start == other.end == change.start for other in fix) == 1
    return change.start == change.end and alone and len(change.content.splitlines()) <= 1


def _clash(one: _Change, other: _Change) -> bool:
    """Tell whether two changes overlap, or an insertion touches replaced text, where their order would matter."""
    if one.start == one.end and other.start == other.end:
        return False
    if one.start == one.end or other.start == other.end:
        return one.start <= other.end and other.start <= one.end
    return one.start < other.end and other.start < one.end


def _changes(source: Source, fix: Fix) -> list[_Change]:
    """Return the fix's edits in offsets, each once. Raises ValueError where they make no sense."""
    edits = dict.fromkeys(fix.edits)
    changes = [_Change(source.offset(e.span.start), source.offset(e.span.end), e.content) for e in edits]
    for change in changes:
        if change.end < change.start:
            raise ValueError("a span ends before it starts")
    for first, second in pairwise(sorted(changes, key=_place)):
        if second.start < first.end:
            raise ValueError("its edits overlap each other")
    return changes


def _splice(text: str, changes: Iterable[_Change]) -> str:
    pieces, position = [], 0
    for start, end, content in changes:
        pieces += [text[position:start], content]
        position = end
    return "".join(pieces) + text[position:]


def _inverse(text: str, changes: Iterable[_Change]) -> list[_Change]:
    """Return the changes that turn the result of ``changes`` back into ``text``."""
    inverse, shift = [], 0
    for start, end, content in changes:
        inverse.append(_Change(start + shift, start + shift + len(content), text[start:end]))
        shift += len(content) - (end - start)
    return inverse


def _parses(text: str) -> bool:
    try:
        parsed(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _compiles(text: str) -> bool:
    """Tell whether ``text`` gets through the compiler, which also refuses a misplaced await or return."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, "<fixed>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _unexpected(before: Sequence[Finding], after: Sequence[Finding], applied: Counter[str]) -> set[str]:
    """Return the codes with more findings left than there were before, less those that were fixed.

    A fix may well make a noqa comment unused: that is no fault of it.
    """
    had = Counter(finding.code for finding in before)
    left = Counter(finding.code for finding in after)
    return {code for code, count in left.items() if code != UNUSED_NOQA and count > max(0, had[code] - applied[code])}


def _failure(blamed: Sequence[Finding], problem: str) -> FixFailure:
    codes = tuple(sorted({finding.code for finding in blamed}))
    names, path = ", ".join(codes), blamed[0].path
    return FixFailure(
        codes,
        f"{path}: the fix of {names} {problem}; the file is left as it was. This is a bug in bglint {__version__}: "
        f"please report it with {names}, this version and the file (or the part of it that shows the problem).",
    )
