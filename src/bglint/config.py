"""Configuration: one schema for ``[tool.bglint]``, ``bglint.toml``, the command line and flake8's options."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from bglint.errors import UserError
from bglint.selectors import PathPatterns, Selection, anchored, decided, nearest, resolve, stack

COMMAND_LINE = "command line"
DEFAULT = "default"
KINDS = ("http", "sleep", "subprocess", "file", "database", "wait", "cpu", "network")
EXCLUDE = (
    *(".bzr", ".direnv", ".eggs", ".git", ".git-rewrite", ".hg", ".ipynb_checkpoints", ".mypy_cache", ".nox"),
    *(".pants.d", ".pyenv", ".pytest_cache", ".pytype", ".ruff_cache", ".svn", ".tox", ".venv", ".vscode"),
    *("__pypackages__", "_build", "buck-out", "build", "dist", "node_modules", "site-packages", "venv"),
)
OLDEST_TARGET = (3, 10)
# Patterns are compiled where they are used: most runs use none.
_FASTAPI = r"(?i)\s*fastapi\s*(?:\[[^\]]*\])?\s*\(?([^;)]*)\)?\s*(?:;.*)?"
_FILE_NAMES = ("bglint.toml", ".bglint.toml", "pyproject.toml")


class ConfigError(UserError):
    """Configuration that cannot be right: its text names the place, the expectation, the nearest word."""


class Options(NamedTuple):
    """What a face (command line, flake8, tests) says; every field is ``None`` when unsaid."""

    select: Sequence[str] | None = None
    ignore: Sequence[str] | None = None
    extend_select: Sequence[str] | None = None
    extend_ignore: Sequence[str] | None = None
    fixable: Sequence[str] | None = None
    unfixable: Sequence[str] | None = None
    per_file_ignores: Mapping[str, Sequence[str]] | None = None
    exclude: Sequence[str] | None = None
    extend_exclude: Sequence[str] | None = None
    force_exclude: bool | None = None
    respect_gitignore: bool | None = None
    target_version: str | None = None
    fastapi_version: str | None = None
    config: Path | None = None
    isolated: bool | None = None
    ignore_noqa: bool | None = None
    guard: str | None = None
    guards: Sequence[str] | None = None
    join_timeout: float | None = None
    http_timeout: float | None = None
    offload: Sequence[str] | None = None
    blocking: Mapping[str, str] | None = None
    non_blocking: Sequence[str] | None = None
    source_roots: Sequence[str | Path] | None = None


class _Values(NamedTuple):
    """The data of Settings."""

    root: Path
    source_roots: tuple[Path, ...]
    selection: tuple[Selection, ...] = ()
    fixing: tuple[Selection, ...] = ()
    per_file_ignores: Mapping[str, tuple[str, ...]] = {}
    exclude: tuple[str, ...] = EXCLUDE
    extend_exclude: tuple[str, ...] = ()
    force_exclude: bool = False
    respect_gitignore: bool = True
    ignore_noqa: bool = False
    guard: str | None = None
    guards: tuple[str, ...] = ()
    join_timeout: float = 10.0
    http_timeout: float = 10.0
    offload: tuple[str, ...] = ()
    blocking: Mapping[str, str] = {}
    non_blocking: tuple[str, ...] = ()
    isolated: bool = False
    config: Path | None = None
    said_target_version: tuple[int, int] | None = None
    said_fastapi_version: str | None = None
    origins: Mapping[str, str] = {}


class Settings(_Values):
    """What is in force for some files: every value resolved, path patterns absolute, paths absolute.

    Files that share a configuration share one object. ``selection`` and ``fixing`` are what ``enabled`` and
    ``may_fix`` stand upon, weakest first. ``origins`` says of each option that somebody set where it was set.
    """

    @property
    def select(self) -> tuple[str, ...] | None:
        """The selectors that replace the default rules, ``None`` where the default rules stand."""
        return self.selection[0].select if self.selection else None

    @property
    def ignore(self) -> tuple[str, ...]:
        """All selectors in force that switch rules off."""
        return tuple(code for layer in self.selection for code in layer.ignore)

    @property
    def extend_select(self) -> tuple[str, ...]:
        """All selectors in force that switch rules on beside the selected ones."""
        return tuple(code for layer in self.selection for code in layer.extend_select)

    @property
    def extend_ignore(self) -> tuple[str, ...]:
        """All selectors in force that switch rules off beside the ignored ones."""
        return tuple(code for layer in self.selection for code in layer.extend_ignore)

    @property
    def fixable(self) -> tuple[str, ...] | None:
        """The selectors of rules whose fixes may be applied, ``None`` for all."""
        return self.fixing[0].select if self.fixing else None

    @property
    def unfixable(self) -> tuple[str, ...]:
        """The selectors of rules whose fixes may not be applied."""
        return tuple(code for layer in self.fixing for code in layer.ignore)

    @cached_property
    def target_version(self) -> tuple[int, int]:
        """The oldest Python that the code must run on: as said, else from requires-python, else 3.10."""
        return self.said_target_version or self._required_python or OLDEST_TARGET

    @cached_property
    def fastapi_version(self) -> str | None:
        """As said, else the project's lower bound or exact version, else the installed one, else ``None``."""
        return self.said_fastapi_version or self._required_fastapi or _installed_fastapi()

    @cached_property
    def excludes(self) -> PathPatterns:
        """The patterns of ``exclude`` and ``extend_exclude``, compiled."""
        return PathPatterns([*self.exclude, *self.extend_exclude])

    def enabled(self, code: str, default: bool) -> bool:
        """Tell whether the rule ``code`` is on; ``default`` is what it is when nobody says anything."""
        return decided(self.selection, code, default)

    def may_fix(self, code: str) -> bool:
        """Tell whether the fixes of the rule ``code`` may be applied."""
        allowed = True
        for layer in self.fixing:
            allowed = layer.decide(code, allowed)
        return allowed

    def ignored_in(self, path: Path) -> Callable[[str], bool]:
        """Return a predicate: does ``per_file_ignores`` switch this code off in ``path``?"""
        absolute = os.path.abspath(path)
        prefixes = tuple(
            prefix
            for patterns, negated, selectors in self._per_file
            if patterns.match_below(absolute, str(self.root)) is not negated
            for prefix in selectors
        )
        return lambda code: code.startswith(prefixes)

    @cached_property
    def _per_file(self) -> list[tuple[PathPatterns, bool, tuple[str, ...]]]:
        return [
            (PathPatterns([pattern.removeprefix("!")]), pattern.startswith("!"), selectors)
            for pattern, selectors in self.per_file_ignores.items()
        ]

    @cached_property
    def _project(self) -> Mapping[str, Any]:
        """The nearest pyproject.toml from the root upwards, nothing if there is none or it is broken."""
        if self.isolated:
            return {}
        for folder in (self.root, *self.root.parents):
            file = folder / "pyproject.toml"
            if file.is_file():
                return _parsed_or_nothing(file)
            if (folder / ".git").exists():
                break
        return {}

    @cached_property
    def _required_python(self) -> tuple[int, int] | None:
        requirement = _table(self._project, "project").get("requires-python")
        lowest = _lower_bound(requirement) if isinstance(requirement, str) else None
        match = re.match(r"3\.(\d+)", lowest or "")
        return (3, int(match[1])) if match else None

    @cached_property
    def _required_fastapi(self) -> str | None:
        listed = _table(self._project, "project").get("dependencies")
        for requirement in listed if isinstance(listed, list) else ():
            match = re.fullmatch(_FASTAPI, str(requirement))
            if match and (version := _lower_bound(match[1])):
                return version
        poetry = _table(self._project, "tool", "poetry", "dependencies").get("fastapi")
        constraint = poetry.get("version") if isinstance(poetry, dict) else poetry
        return _lower_bound(constraint) if isinstance(constraint, str) else None


def settings_origin(settings: Settings) -> dict[str, str]:
    """Return where each option's value comes from: ``default``, ``command line`` or a file's path."""
    origins = {name: settings.origins.get(name, DEFAULT) for name in Options._fields}
    if settings.said_target_version is None and settings._required_python:
        origins["target_version"] = "requires-python"
    if settings.said_fastapi_version is None and settings.fastapi_version:
        origins["fastapi_version"] = "dependencies" if settings._required_fastapi else "installed version"
    return origins


def _lower_bound(specifiers: str) -> str | None:
    """Return the oldest version that specifiers (Poetry's ``^`` and ``~`` too) allow, if they name one."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # slow to import
    from packaging.version import Version

    standard = re.sub(r"(^|,)\s*(?:\^|~(?!=)|(?=\d))", r"\1>=", specifiers.strip()).replace(".*", "")
    try:
        bounds = [found.version for found in SpecifierSet(standard) if found.operator in (">=", ">", "~=", "==")]
    except InvalidSpecifier:
        return None
    return max(bounds, key=Version, default=None)


def _installed_fastapi() -> str | None:
    from importlib.metadata import PackageNotFoundError, version  # slow to import

    try:
        return version("fastapi")
    except PackageNotFoundError:
        return None


class _Layer(NamedTuple):
    """The checked values of one place, by option name, and the folder that its relative paths start from."""

    origin: str
    folder: Path
    values: Mapping[str, Any]


_SETTLED_AS_SAID = {*Options._fields} & {*Settings._fields}


class Configuration:
    """All settings of one run: the command line, and the configuration file closest to each linted file."""

    def __init__(self, options: Options, cwd: Path, codes: Mapping[str, str]) -> None:
        """Take what the face says, the working directory, and every rule's name by its code.

        Raises ConfigError for a wrong option or, with ``options.config``, for what is wrong in that file.
        """
        self._cwd = Path(os.path.abspath(cwd))
        self._codes = codes
        self._isolated = bool(options.isolated)
        self._said = self._check_options(options)
        self._config = None if options.config is None else Path(os.path.abspath(self._cwd / options.config))
        self._found: dict[str, str | None] = {}
        self._roots: dict[str, str | None] = {}
        self._folders: dict[str, Settings] = {}
        self._settings: dict[tuple[Path | None, Path], Settings] = {}
        if self._config is not None and not self._isolated:
            self._resolved(self._config, self._config.parent)

    def for_path(self, path: Path) -> Settings:
        """Return the settings for the file ``path`` (which need not exist). Raises ConfigError."""
        folder = os.path.dirname(os.path.abspath(os.path.join(self._cwd, path)))
        if folder not in self._folders:
            config = None if self._isolated else self._config or self._closest(folder)
            root = config.parent if config else self._project_root(folder)
            self._folders[folder] = self._resolved(config, root)
        return self._folders[folder]

    def _closest(self, folder: str) -> Path | None:
        """Return the configuration file that rules ``folder``."""
        found = _climb(folder, self._found, self._configured_by)
        return None if found is None else Path(found)

    # Strings instead of paths: this is asked for every folder of the project.
    def _configured_by(self, folder: str) -> str | None:
        for name in _FILE_NAMES:
            path = os.path.join(folder, name)
            if os.path.isfile(path) and (name != "pyproject.toml" or self._has_table(Path(path))):
                return path
        return None

    def _has_table(self, path: Path) -> bool:
        # Reading is cheap, parsing is not: most pyproject.toml files say nothing about this tool.
        text = self._read(path)
        return "bglint" in text and "bglint" in _table(self._parse(path, text), "tool")

    def _project_root(self, folder: str) -> Path:
        return Path(_climb(folder, self._roots, _rooted) or self._cwd)

    def _resolved(self, config: Path | None, root: Path) -> Settings:
        key = (config, root)
        if key not in self._settings:
            layers = [
                *(self._layers(config, ()) if config else ()),
                _Layer(COMMAND_LINE, self._cwd, self._said),
            ]
            self._settings[key] = _settle(layers, root, config, self._isolated)
        return self._settings[key]

    def _layers(self, path: Path, children: tuple[Path, ...]) -> list[_Layer]:
        """Return the layers of a file and of those that it extends, weakest first."""
        text = self._read(path)
        document = self._parse(path, text)
        table = _bglint_table(path, document)
        if not isinstance(table, dict):
            wrong = "has no [tool.bglint] table" if table is None else '"tool.bglint" must be a table'
            raise ConfigError(f"{self._shown(path)}:{_row(text, 'bglint')}: {wrong}")
        layer = _Layer(self._shown(path), path.parent, self._check_table(path, text, table))
        base = layer.values.get("extend")
        if base is None:
            return [layer]
        target = Path(os.path.abspath(path.parent / os.path.expanduser(base)))
        where = f"{self._shown(path)}:{_row(text, 'extend')}"
        if target in (*children, path):
            cycle = " → ".join(self._shown(step) for step in (*children, path, target))
            raise ConfigError(f'{where}: "extend" goes round in a circle: {cycle}')
        if not target.is_file():
            raise ConfigError(f'{where}: "extend" names no file: {base}')
        return [*self._layers(target, (*children, path)), layer]

    def _check_options(self, options: Options) -> dict[str, Any]:
        values = options._asdict().items()
        return {name: self._check_option(name, value) for name, value in values if value is not None}

    def _check_option(self, name: str, value: object) -> Any:
        key = name.replace("_", "-")
        try:
            return _SCHEMA[key](value, self._codes) if key in _SCHEMA else value
        except _Wrong as wrong:
            raise ConfigError(f"{COMMAND_LINE}: --{key}: {wrong}") from None

    def _check_table(self, path: Path, text: str, table: Mapping[str, Any]) -> dict[str, Any]:
        return {key.replace("-", "_"): self._check_key(path, text, key, value) for key, value in table.items()}

    def _check_key(self, path: Path, text: str, key: str, value: object) -> Any:
        if key not in _SCHEMA:
            hint = nearest(key, _SCHEMA) or f"; the keys are {', '.join(_SCHEMA)}"
            raise ConfigError(f'{self._shown(path)}:{_row(text, key)}: unknown key "{key}"{hint}')
        try:
            return _SCHEMA[key](value, self._codes)
        except _Wrong as wrong:
            row = _row(text, key, wrong.value)
            raise ConfigError(f'{self._shown(path)}:{row}: "{key}": {wrong}') from None

    def _read(self, path: Path) -> str:
        try:
            return _text(path)
        except OSError as error:
            raise ConfigError(f"{self._shown(path)}: {error.strerror or error}") from error
        except UnicodeError as error:
            raise ConfigError(f"{self._shown(path)}:1: not valid UTF-8: {error}") from error

    def _parse(self, path: Path, text: str) -> dict[str, Any]:
        try:
            return _parse(text)
        except ValueError as error:
            # The row is only in the message (newer Pythons have an attribute too).
            found = re.search(r"\(at line (\d+)", str(error))
            row = found[1] if found else len(text.splitlines()) or 1
            raise ConfigError(f"{self._shown(path)}:{row}: broken TOML: {error}") from error

    def _shown(self, path: Path) -> str:
        return os.path.relpath(path, self._cwd) if path.is_relative_to(self._cwd) else str(path)


def _settle(layers: Sequence[_Layer], root: Path, config: Path | None, isolated: bool) -> Settings:
    """Return what the layers, weakest first, come to."""
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    excluded: tuple[str, ...] = ()
    for layer in layers:
        origins |= dict.fromkeys(layer.values, layer.origin)
        values |= _absolute(layer)
        excluded += values.pop("extend_exclude", ())
    settled: dict[str, Any] = {
        "source_roots": (root, *((root / "src",) if (root / "src").is_dir() else ())),
        **{name: value for name, value in values.items() if name in _SETTLED_AS_SAID},
        "root": root,
        "selection": stack(_selection(layer.values) for layer in layers),
        "fixing": stack(_fixing(layer.values) for layer in layers),
        "said_target_version": values.get("target_version"),
        "said_fastapi_version": values.get("fastapi_version"),
        "extend_exclude": excluded,
        "isolated": isolated,
        "config": config,
        "origins": origins,
    }
    return Settings(**settled)


def _selection(values: Mapping[str, Any]) -> Selection:
    return Selection(**{name: values[name] for name in Selection._fields if name in values})


def _fixing(values: Mapping[str, Any]) -> Selection:
    return Selection(select=values.get("fixable"), ignore=values.get("unfixable", ()))


def _absolute(layer: _Layer) -> dict[str, Any]:
    """Return a layer's values with its patterns and paths freed from its folder."""
    values = dict(layer.values)
    for name in ("exclude", "extend_exclude"):
        if name in values:
            values[name] = tuple(anchored(pattern, layer.folder) for pattern in values[name])
    if "per_file_ignores" in values:
        values["per_file_ignores"] = {
            "!" * pattern.startswith("!") + anchored(pattern.removeprefix("!"), layer.folder): codes
            for pattern, codes in values["per_file_ignores"].items()
        }
    if "source_roots" in values:
        values["source_roots"] = tuple(
            Path(os.path.abspath(layer.folder / os.path.expanduser(path))) for path in values["source_roots"]
        )
    return values


def _rooted(folder: str) -> str | None:
    marks = (os.path.join(folder, mark) for mark in ("pyproject.toml", ".git"))
    return folder if any(map(os.path.exists, marks)) else None


def _climb(folder: str, known: dict[str, str | None], ask: Callable[[str], str | None]) -> str | None:
    """Return the first answer on the way up from ``folder``; ``known`` keeps it for every folder passed."""
    passed: list[str] = []
    while folder not in known:
        passed.append(folder)
        answer = ask(folder)
        parent = os.path.dirname(folder)
        if answer is not None or parent == folder:
            known[folder] = answer
        else:
            folder = parent
    known.update(dict.fromkeys(passed, known[folder]))
    return known[folder]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _parse(text: str) -> dict[str, Any]:
    """Parse TOML. Raises ValueError. The parser is imported only when there is something to parse."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    return tomllib.loads(text)


def _parsed_or_nothing(path: Path) -> dict[str, Any]:
    """Parse somebody else's file: if it is broken, it is theirs to say so."""
    try:
        return _parse(_text(path))
    except (OSError, ValueError):
        return {}


def _table(document: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """Return the table at ``names``, empty where there is none."""
    for name in names:
        inner = document.get(name)
        document = inner if isinstance(inner, dict) else {}
    return document


def _bglint_table(path: Path, document: Mapping[str, Any]) -> object:
    """Return ``[tool.bglint]``, or the whole document if it has none and is no pyproject.toml."""
    if path.name == "pyproject.toml" or "bglint" in _table(document, "tool"):
        return _table(document, "tool").get("bglint")
    return document


_OUR_TABLE = r"\s*\[\s*tool\s*\.\s*bglint\b"


def _row(text: str, key: str, value: str = "") -> int:
    """Return the row of ``key`` in our table, or of the string ``value`` behind it, else 1."""
    lines = text.splitlines()
    start = next((i for i, line in enumerate(lines) if re.match(_OUR_TABLE, line)), 0)
    name = rf"[\"']?{re.escape(key)}[\"']?"
    dotted, header = rf"\s*(tool\s*\.\s*bglint\s*\.\s*)?{name}\s*[=.]", rf"\s*\[.*\b{name}\s*\]"
    here = re.compile(rf"{dotted}|{header}|.*[{{,]\s*{name}\s*=")
    order = [*range(start, len(lines)), *range(start)]
    row = next((i for i in order if here.match(lines[i])), 0)
    literal = re.compile(rf"([\"']){re.escape(value)}\1|^\s*{re.escape(value)}\s*=")
    return next((i for i in range(row, len(lines)) if value and literal.search(lines[i])), row) + 1


class _Wrong(Exception):
    """A value that its key cannot have; ``value`` is the string at fault, to find its row by."""

    def __init__(self, message: str, value: object = "") -> None:
        super().__init__(message)
        self.value = value if isinstance(value, str) else ""


# A check takes a value as its face or file gives it and every rule's name by code; it returns the value that
# settings hold, or raises _Wrong.
_Check = Callable[[object, Mapping[str, str]], Any]


def _codes(value: object, codes: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(_code(selector, codes) for selector in _strings(value, codes))


def _code(selector: str, codes: Mapping[str, str]) -> str:
    try:
        return resolve(selector, codes)
    except ValueError as error:
        raise _Wrong(str(error), selector) from None


def _strings(value: object, codes: Mapping[str, str]) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
        raise _Wrong(f"expected a list of strings, not {_said(value)}", value)
    return tuple(value)


def _paths(value: object, codes: Mapping[str, str]) -> tuple[str, ...]:
    if isinstance(value, (list, tuple)):
        return _strings([os.fspath(item) if isinstance(item, Path) else item for item in value], codes)
    return _strings(value, codes)


def _names(value: object, codes: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(_name(item) for item in _strings(value, codes))


def _name(value: str) -> str:
    if not all(part.isidentifier() for part in value.split(".")):
        raise _Wrong(f'expected a dotted name such as "package.module.function", not "{value}"', value)
    return value


def _patterns(value: object, codes: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(_pattern(name) for name in _strings(value, codes))


def _pattern(value: str) -> str:
    """A dotted name, one that ends in ``.*``, or one with ``**`` in it (``package.**.method``)."""
    named = value.removesuffix(".*").replace(".**.", ".")
    if not all(part.isidentifier() for part in named.split(".")):
        raise _Wrong(
            f'expected a dotted name such as "package.module.function" or "package.Class.*", not "{value}"', value
        )
    return value


def _guard(value: object, codes: Mapping[str, str]) -> str:
    module, _, function = value.partition(":") if isinstance(value, str) else ("", "", "")
    if not all(part.isidentifier() for part in [*module.split("."), function]):
        raise _Wrong(f'expected "package.module:function", not {_said(value)}', value)
    return f"{module}:{function}"


def _flag(value: object, codes: Mapping[str, str]) -> bool:
    if not isinstance(value, bool):
        raise _Wrong(f"expected true or false, not {_said(value)}", value)
    return value


def _seconds(value: object, codes: Mapping[str, str]) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
        raise _Wrong(f"expected a positive number of seconds, not {_said(value)}", value)
    return float(value)


def _string(value: object, codes: Mapping[str, str]) -> str:
    if not isinstance(value, str):
        raise _Wrong(f"expected a string, not {_said(value)}")
    return value


def _python(value: object, codes: Mapping[str, str]) -> tuple[int, int]:
    match = re.fullmatch(r"(?:py)?3\.?(\d{1,2})", value) if isinstance(value, str) else None
    if match is None or not 7 <= int(match[1]) < 40:
        hint = nearest(str(value), [f"py3{minor}" for minor in range(7, 16)])
        raise _Wrong(f'expected a Python version such as "py311" or "3.11", not {_said(value)}{hint}', value)
    return (3, int(match[1]))


def _version(value: object, codes: Mapping[str, str]) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"\d+(\.\d+){0,3}((a|b|rc|\.post|\.dev)\d+)?", value):
        raise _Wrong(f'expected a version such as "0.118" in quotes, not {_said(value)}', value)
    return value


def _per_file(value: object, codes: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, Mapping):
        raise _Wrong(f"expected a table of path patterns and lists of codes, not {_said(value)}", value)
    return {pattern: _within(pattern, _codes, selectors, codes) for pattern, selectors in value.items()}


def _blocking(value: object, codes: Mapping[str, str]) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise _Wrong(f"expected a table of dotted names and kinds, not {_said(value)}", value)
    return {_pattern(name): _within(name, _kind, kind, codes) for name, kind in value.items()}


def _kind(value: object, codes: Mapping[str, str]) -> str:
    if value not in KINDS:
        kinds = f"expected one of {', '.join(KINDS)}"
        raise _Wrong(f"{kinds}, not {_said(value)}{nearest(str(value), KINDS)}", value)
    return str(value)


def _within(key: str, check: _Check, value: object, codes: Mapping[str, str]) -> Any:
    """Check a value inside a table, and say in the error which one it was."""
    try:
        return check(value, codes)
    except _Wrong as wrong:
        raise _Wrong(f'"{key}": {wrong}', wrong.value or key) from None


def _said(value: object) -> str:
    """Return a value as its file would show it."""
    if isinstance(value, str):
        return f'"{value}"'
    return str(value).lower() if isinstance(value, bool) else str(value)


_SCHEMA: Mapping[str, _Check] = {
    "extend": _string,
    "select": _codes,
    "ignore": _codes,
    "extend-select": _codes,
    "extend-ignore": _codes,
    "fixable": _codes,
    "unfixable": _codes,
    "per-file-ignores": _per_file,
    "exclude": _strings,
    "extend-exclude": _strings,
    "force-exclude": _flag,
    "respect-gitignore": _flag,
    "target-version": _python,
    "fastapi-version": _version,
    "guard": _guard,
    "guards": _names,
    "join-timeout": _seconds,
    "http-timeout": _seconds,
    "offload": _names,
    "blocking": _blocking,
    "non-blocking": _patterns,
    "source-roots": _paths,
}
