"""BGL001: the noqa comments that name a code of ours and silence nothing, and how to take the codes out of them."""

from __future__ import annotations

import re
import tokenize
from collections.abc import Collection, Iterator, Sequence

from bglint.model import Applicability, Edit, Finding, Fix, Level, Location, Span
from bglint.noqa import Directive, Noqa
from bglint.source import Source

CODE, NAME = "BGL001", "unused-noqa"
_PREFIX = "BGL"
_WORD = re.compile(r"[A-Z]+[0-9]+", re.IGNORECASE)
# What people put between a noqa and their reason for it.
_DASHES = " \t-–—:,;"


def unused_noqa(
    source: Source, findings: Sequence[Finding], enabled: Collection[str], known: Collection[str], path: str
) -> list[Finding]:
    """The findings of BGL001 in a file.

    ``findings`` are all that a noqa could silence, ``enabled`` the codes of the rules that were run, ``known`` those
    of all rules, ``path`` the file's name in reports. What a rule that was not run would have said is not known: its
    code counts as used.
    """
    noqa = Noqa(source.lines)
    candidates = [(d, None) for d in noqa.directives()]
    everywhere = [(d, findings) for d in noqa.file_directives()]
    wanted = [(d, within) for d, within in [*everywhere, *candidates] if any(map(_is_ours, d.codes))]
    where = comments(source) if wanted else {}
    found = []
    for directive, within in wanted:
        start, end = where.get(directive.row, (0, 0))
        if not start <= directive.column + _indent(source, directive) < end:
            continue  # a string that only looks like one
        covered = within
        if covered is None:
            covered = [f for f in findings if any(noqa.on(row) == directive for row in f.noqa_rows)]
        dead = [c for c in directive.codes if _is_dead(c, covered, enabled, known)]
        if dead:
            found.append(_finding(source, directive, dead, path))
    return found


def _is_ours(code: str) -> bool:
    return code.upper().startswith(_PREFIX)


def _is_dead(code: str, covered: Sequence[Finding], enabled: Collection[str], known: Collection[str]) -> bool:
    """Whether a code silences nothing; BGL001's own is there to silence this very question."""
    upper = code.upper()
    if not _is_ours(code) or CODE.startswith(upper):
        return False
    if any(rule.startswith(upper) and rule not in enabled for rule in known):
        return False
    return not any(finding.code.startswith(code) for finding in covered)


def comments(source: Source) -> dict[int, tuple[int, int]]:
    """Return row → the columns (from 1) between which its comment stands."""
    return {
        token.start[0]: (token.start[1] + 1, token.end[1] + 1)
        for token in _tokens(source)
        if token.type == tokenize.COMMENT
    }


def _tokens(source: Source) -> Iterator[tokenize.TokenInfo]:
    lines = iter(source.lines)
    try:
        yield from tokenize.generate_tokens(lambda: next(lines, ""))
    except (tokenize.TokenError, SyntaxError):  # what is left has no comments that anybody could tell from strings
        return


def _text(source: Source, directive: Directive) -> str:
    return source.lines[directive.row - 1][directive.column - 1 : directive.end_column - 1]


def _indent(source: Source, directive: Directive) -> int:
    """How many characters of white space a directive starts with."""
    text = _text(source, directive)
    return len(text) - len(text.lstrip())


def _finding(source: Source, directive: Directive, dead: Sequence[str], path: str) -> Finding:
    indent = _indent(source, directive)
    span = Span(
        Location(directive.row, directive.column + indent),
        Location(directive.row, directive.end_column),
    )
    names = ", ".join(f"`{code}`" for code in dict.fromkeys(dead))
    message = f"Unused noqa: {names} silence{'s' if len(set(dead)) == 1 else ''} nothing here"
    whole = len(dead) == len(directive.codes)
    edit = _without_directive(source, directive) if whole else _without_codes(source, directive, dead)
    done = "Remove the noqa comment" if whole else f"Remove {names} from the noqa comment"
    fix = Fix(Applicability.SAFE, done, (edit,))
    return Finding(CODE, NAME, Level.WARNING, message, path, span, fix=fix, noqa_rows=(directive.row,))


def _without_codes(source: Source, directive: Directive, dead: Sequence[str]) -> Edit:
    """Keep the other codes, with the separator that the comment has."""
    text = _text(source, directive)
    codes = list(_WORD.finditer(text, text.lower().index("noqa")))
    separator = text[codes[0].end() : codes[1].start()]
    kept = separator.join(match[0] for match in codes if match[0] not in dead)
    row = directive.row
    start = Location(row, directive.column + codes[0].start())
    return Edit(Span(start, Location(row, directive.end_column)), kept)


def _without_directive(source: Source, directive: Directive) -> Edit:
    """Remove it with the white space before it, or its whole line; other comments on the line stay."""
    row, line = directive.row, source.lines[directive.row - 1]
    content = line.rstrip("\r\n")
    before, after = content[: directive.column - 1], content[directive.end_column - 1 :]
    if after.strip().startswith("#"):
        behind = Location(row, len(content) - len(after.lstrip()) + 1)
        return Edit(Span(Location(row, directive.column), behind), "")
    if reason := after.strip(_DASHES):
        return Edit(Span(Location(row, directive.column), Location(row, len(content) + 1)), f"# {reason}")
    if before.strip():
        return Edit(Span(Location(row, len(before.rstrip()) + 1), Location(row, len(content) + 1)), "")
    has_end = len(content) < len(line)
    end = Location(row + 1, 1) if has_end else Location(row, len(line) + 1)
    return Edit(Span(Location(row, 1), end), "")
