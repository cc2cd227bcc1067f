"""Selectors: which codes are meant (``BGL1``, ``dangling-task``), and which paths (``tests/*``)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

_ALL = "BGL"
_GLOB = re.compile(r"[*?\[{]")


class Selection(NamedTuple):
    """What one place (a file, the command line) says about codes: normalised selectors, ``None`` = unsaid."""

    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    extend_ignore: tuple[str, ...] = ()

    def decide(self, code: str, before: bool) -> bool:
        """Return whether ``code`` is on, ``before`` being the answer of what this selection stands upon.

        The most specific selector wins; ignore wins ties.
        """
        chosen = _specificity(code, (*(self.select or ()), *self.extend_select))
        ignored = _specificity(code, (*self.ignore, *self.extend_ignore))
        if chosen == ignored == 0:
            return before and self.select is None
        return chosen > ignored


def decided(selection: Iterable[Selection], code: str, default: bool) -> bool:
    """Return whether ``code`` is on under several selections, weakest first, where it is ``default`` without them."""
    for layer in selection:
        default = layer.decide(code, default)
    return default


def stack(selections: Iterable[Selection]) -> tuple[Selection, ...]:
    """Return what counts of ``selections``, weakest first: a ``select`` forgets those below it."""
    counting: list[Selection] = []
    for selection in selections:
        if selection.select is not None:
            counting.clear()
        if selection != Selection():
            counting.append(selection)
    return tuple(counting)


def _specificity(code: str, selectors: Iterable[str]) -> int:
    return max((len(selector) for selector in selectors if code.startswith(selector)), default=0)


def resolve(selector: str, codes: Mapping[str, str]) -> str:
    """Return the code or prefix that ``selector`` means; ``codes`` maps every code to its rule's name.

    Raises ValueError, naming the nearest valid one, for a selector that means no rule.
    """
    if selector in ("ALL", _ALL):
        return _ALL
    if selector.startswith(_ALL) and any(code.startswith(selector) for code in codes):
        return selector
    for code, name in codes.items():
        if selector == name:
            return code
    prefixes = sorted({code[: len(_ALL) + 1] for code in codes})
    hint = nearest(selector, [*codes, *codes.values(), *prefixes, _ALL])
    known = f"; selectors are {_ALL}, its prefixes ({', '.join(prefixes)}), codes and rule names"
    raise ValueError(f'unknown selector "{selector}"{hint or known}')


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean "..."?`` with the known word most like ``word``, or nothing if none is."""
    import difflib  # only errors need it

    spelled = {_plain(candidate): candidate for candidate in known}
    matches = difflib.get_close_matches(_plain(word), spelled, n=1, cutoff=0.67)
    return f'; did you mean "{spelled[matches[0]]}"?' if matches else ""


def _plain(word: str) -> str:
    return word.lower().replace("_", "-")


def anchored(pattern: str, folder: Path) -> str:
    """Return a path pattern that was written in ``folder``, freed from it.

    A pattern with a slash inside means a place below ``folder``, one without means a name anywhere.
    """
    pattern = pattern.replace(os.sep, "/").removeprefix("./").rstrip("/")
    if "/" not in pattern or os.path.isabs(pattern):
        return pattern
    return f"{_escaped(folder.as_posix()).rstrip('/')}/{pattern}"


class PathPatterns:
    """Many anchored patterns, compiled together: a set look-up and at most two regular expressions.

    As in ruff, ``*`` crosses slashes and ``{a,b}`` are alternatives; ``**/`` may stand for no folder at all.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        """Take patterns as ``anchored`` returns them."""
        self._names = frozenset(p for p in patterns if "/" not in p and not _GLOB.search(p))
        self._name_globs = [p for p in patterns if "/" not in p and _GLOB.search(p)]
        self._path_globs = [p for p in patterns if "/" in p]

    @cached_property
    def _name_regex(self) -> re.Pattern[str]:
        return _compile(self._name_globs)

    @cached_property
    def _path_regex(self) -> re.Pattern[str]:
        return _compile(self._path_globs)

    def match(self, path: str, name: str) -> bool:
        """Tell whether the absolute ``path``, whose last part is ``name``, is meant; parents do not count."""
        if name in self._names or (self._name_globs and self._name_regex.fullmatch(name)):
            return True
        return bool(self._path_globs) and self._path_regex.fullmatch(path.replace(os.sep, "/")) is not None

    def match_below(self, path: str, top: str) -> bool:
        """Tell whether the absolute ``path`` is meant, or one of its parent folders below ``top``.

        What lies above ``top`` is none of its patterns' business: a project may well live in ``/srv/build/``.
        """
        above = top.rstrip(os.sep) + os.sep
        while not self.match(path, os.path.basename(path)):
            path = os.path.dirname(path)
            if not path.startswith(above):
                return False
        return True


def _escaped(text: str) -> str:
    return _GLOB.sub(lambda special: f"[{special[0]}]", text)


def _compile(globs: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(_translate(glob) for glob in globs), re.DOTALL)


_TOKEN = r"\*\*/|\*+|\?|\[!?.[^\]]*\]|\{[^{}]*\}|."


def _translate(glob: str) -> str:
    """Return the regular expression of a glob; an incomplete ``[...]`` or ``{...}`` means itself."""
    return "".join(_translated(token[0]) for token in re.finditer(_TOKEN, glob, re.DOTALL))


def _translated(token: str) -> str:
    if token == "**/":
        return "(?:.*/)?"
    if token[0] == "*":
        return ".*"
    if token == "?":
        return "[^/]"
    if len(token) > 1 and token[0] == "{":
        return f"(?:{'|'.join(_translate(choice) for choice in token[1:-1].split(','))})"
    if len(token) > 1 and token[0] == "[":
        negated = "^" if token[1] == "!" and len(token) > 3 else ""
        return f"[{negated}{_class(token[1 + len(negated) : -1])}]"
    return re.escape(token)


def _class(members: str) -> str:
    """Return the inside of a regular expression's class; a range in the wrong order means its characters."""
    return "".join(_member(item) for item in re.finditer(r"(.)-(.)|.", members, re.DOTALL))


def _member(item: re.Match[str]) -> str:
    if item[1] is not None and item[1] <= item[2]:
        return f"{re.escape(item[1])}-{re.escape(item[2])}"
    return re.escape(item[0])
