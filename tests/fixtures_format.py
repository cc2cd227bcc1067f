"""Reads the Markdown spec files in fixtures/: text in, cases out. fixtures/README.md describes the format."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

DEFAULT_PATH = "example.py"
SILENT = "Silent:"
# Fences that only illustrate the prose. Others are errors: a misspelt "python" would lose a case.
PROSE_LANGUAGES = frozenset({"", "text", "console", "sh", "bash", "json", "diff"})

_FILENAME = re.compile(r"(BGL\d{3})-([a-z0-9]+(?:-[a-z0-9]+)*)\.md")
_HEADING = re.compile(r"(#{1,6})\s+(.*?)\s*#*\s*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})\s*(.*?)\s*$")
_MARKER = re.compile(r"\s*# error: (.*)$")
_MARKER_BELOW = re.compile(r"\s*# error-below: (.*)$")
_NEARLY_A_MARKER = re.compile(r"#\s*error(?:-below)?\s*:?\s*BGL\d", re.IGNORECASE)
_OPTION = r'(\w+)=("(?:[^"\\]|\\.)*"|[^\s,"]+)'
_ITEM = re.compile(rf"\s*(BGL\d{{3}})((?:\s+{_OPTION})*)\s*(?:,|$)")
_OPTION_PATTERN = re.compile(_OPTION)
_ESCAPE = re.compile(r"\\(.)")


class FixtureError(Exception):
    """A spec file does not follow the format; the text is ``path:row: what is wrong``."""


@dataclass(frozen=True, slots=True)
class Expected:
    """One finding that a marker asks for; what is None is not asserted."""

    row: int
    code: str
    column: int | None = None
    message: str | None = None
    fix: str | None = None
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One linted file: its text without markers, what must be found in it, and what the fixes make of it."""

    path: str
    text: str
    expected: tuple[Expected, ...] = ()
    fixed: str | None = None
    unsafe_fixed: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One section of a spec file: a project of one or more files and its configuration (TOML text)."""

    title: str
    row: int
    files: tuple[SourceFile, ...]
    config: str = ""

    @property
    def reports(self) -> bool:
        """Whether anything must be found."""
        return any(file.expected for file in self.files)


@dataclass(frozen=True, slots=True)
class Fixture:
    """One spec file: the rule it belongs to (from its file name) and its cases."""

    code: str
    name: str
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class _Block:
    row: int
    words: tuple[str, ...]
    text: str


@dataclass(slots=True)
class _Section:
    title: str
    row: int
    blocks: list[_Block] = field(default_factory=list)


class _Problem(Exception):
    def __init__(self, row: int, message: str) -> None:
        super().__init__(message)
        self.row = row


def parse_fixture(text: str, filename: str) -> Fixture:
    """Parse the spec file ``filename``, whose content is ``text``.

    Returns its rule and cases. Raises FixtureError, naming file and row, where the text leaves the format.
    """
    code, name = parse_filename(filename)
    try:
        cases = tuple(case for section in _sections(text) if (case := _case(section)) is not None)
    except _Problem as problem:
        raise FixtureError(f"{filename}:{problem.row}: {problem}") from None
    return Fixture(code, name, cases)


def parse_filename(filename: str) -> tuple[str, str]:
    """Split ``BGL201-gather-outside-task-group.md``, with or without folders, into code and rule name.

    Raises FixtureError for a name of another shape.
    """
    match = _FILENAME.fullmatch(PurePosixPath(filename).name)
    if match is None:
        raise FixtureError(f"{filename}:1: the file name is not CODE-rule-name.md")
    return match[1], match[2]


def _sections(text: str) -> Iterator[_Section]:
    """Split at headings of any level; what is inside a fence is never a heading."""
    section = _Section("", 1)
    lines = iter(enumerate(text.split("\n"), 1))
    for row, line in lines:
        if fence := _FENCE.match(line):
            section.blocks.append(_block(row, fence, lines))
        elif heading := _HEADING.match(line):
            yield section
            # A section is a case at levels 2 and 3 only; elsewhere fences would be lost, which _case reports.
            section = _Section(heading[2] if len(heading[1]) in (2, 3) else "", row)
    yield section


def _block(row: int, fence: re.Match[str], lines: Iterator[tuple[int, str]]) -> _Block:
    closing = re.compile(rf" {{0,3}}{fence[1][0]}{{{len(fence[1])},}}\s*$")
    content: list[str] = []
    for _, line in lines:
        if closing.match(line):
            return _Block(row, tuple(fence[2].split()), "".join(f"{text}\n" for text in content))
        content.append(line)
    raise _Problem(row, "this fence is never closed")


def _case(section: _Section) -> Case | None:
    blocks = [block for block in section.blocks if (block.words or ("",))[0] not in PROSE_LANGUAGES]
    if not blocks:
        return None
    if not section.title:
        raise _Problem(blocks[0].row, "a case needs a heading of level 2 or 3")
    files: dict[str, SourceFile] = {}
    config: str | None = None
    latest = DEFAULT_PATH
    for block in blocks:
        match block.words[0]:
            case "toml":
                if config is not None:
                    raise _Problem(block.row, "a case has one toml block")
                config = block.text
            case "python":
                latest = _add_python(files, block, latest)
            case language:
                raise _Problem(block.row, f"unknown language {language!r}")
    _check(section, files)
    return Case(section.title, section.row, tuple(files.values()), config or "")


def _add_python(files: dict[str, SourceFile], block: _Block, latest: str) -> str:
    """Put the block into ``files``; returns the path that fixed blocks without ``file=`` belong to next."""
    kind, path = _info(block)
    if kind == "source":
        path = path or DEFAULT_PATH
        if path in files:
            raise _Problem(block.row, f"{path} is there already: use another heading, or file=")
        text, expected = _strip_markers(block.text, first_row=block.row + 1)
        files[path] = SourceFile(path, text, expected)
        return path
    path = path or latest
    if path not in files:
        raise _Problem(block.row, f"no python block for {path} comes before this one")
    if _strip_markers(block.text, first_row=block.row + 1)[0] != block.text:
        raise _Problem(block.row, "a fixed block carries no markers")
    known = files[path].fixed if kind == "fixed" else files[path].unsafe_fixed
    if known is not None:
        raise _Problem(block.row, f"{path} has such a block already")
    if kind == "fixed":
        files[path] = replace(files[path], fixed=block.text)
    else:
        files[path] = replace(files[path], unsafe_fixed=block.text)
    return latest


def _info(block: _Block) -> tuple[str, str | None]:
    """What the info string of a python block says: its kind, and its path if it names one."""
    kind, path = "source", None
    for word in block.words[1:]:
        if word in ("fixed", "unsafe-fixed") and kind == "source":
            kind = word
        elif word.startswith("file=") and path is None:
            path = word.removeprefix("file=")
            if not path or PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
                raise _Problem(block.row, f"file= needs a relative path, not {path!r}")
        else:
            raise _Problem(block.row, f"unexpected {word!r} in the info string")
    return kind, path


def _check(section: _Section, files: dict[str, SourceFile]) -> None:
    if not files:
        raise _Problem(section.row, "this case has a toml block, but no python block")
    reports = any(file.expected for file in files.values())
    if section.title.startswith(SILENT) and reports:
        raise _Problem(section.row, f"a section that starts with {SILENT!r} has no markers")
    for file in files.values():
        if not file.expected and not (file.fixed is None and file.unsafe_fixed is None):
            raise _Problem(section.row, f"{file.path} has a fixed block, but nothing to fix")


def _strip_markers(text: str, first_row: int) -> tuple[str, tuple[Expected, ...]]:
    """The text without its markers, and what they expect; ``first_row`` is its row in the spec file."""
    kept: list[str] = []
    expected: list[Expected] = []
    above: list[tuple[int, str]] = []
    for row, line in enumerate(text.split("\n"), first_row):
        if below := _MARKER_BELOW.fullmatch(line):
            above.append((row, below[1]))
            continue
        found = above
        if marker := _MARKER.search(line):
            found = [*above, (row, marker[1])]
            line = line[: marker.start()]
            if not line:
                raise _Problem(row, "a marker on its own line is written '# error-below: CODE'")
        elif _NEARLY_A_MARKER.search(line):
            raise _Problem(row, "write '# error: CODE' last on its line, or '# error-below: CODE' on its own")
        kept.append(line)
        if above and not line.strip():
            raise _Problem(row, "an error-below marker stands directly above the line it means")
        for marker_row, content in found:
            expected += _items(content, marker_row, len(kept))
        above = []
    return "\n".join(kept), tuple(expected)


def _items(content: str, marker_row: int, row: int) -> Iterator[Expected]:
    """The comma-separated ``CODE key=value …`` of one marker."""
    position, more = 0, True
    while more:
        item = _ITEM.match(content, position)
        if item is None:
            raise _Problem(marker_row, f"cannot read this marker: {content[position:]!r}")
        yield _expected(row, item[1], _OPTION_PATTERN.findall(item[2]), marker_row)
        position, more = item.end(), item[0].endswith(",")


def _expected(row: int, code: str, options: Sequence[tuple[str, str]], marker_row: int) -> Expected:
    result = Expected(row, code)
    for key, raw in options:
        value = _ESCAPE.sub(r"\1", raw[1:-1]) if raw.startswith('"') else raw
        match key:
            case "col" if value.isdecimal() and int(value) > 0:
                result = replace(result, column=int(value))
            case "fix" if value in ("none", "safe", "unsafe"):
                result = replace(result, fix=value)
            case "message" if value:
                result = replace(result, message=value)
            case "refused" if value:
                result = replace(result, refused=value)
            case _:
                raise _Problem(marker_row, f"cannot read {key}={raw}")
    return result
