"""What brings sinks into a file: the modules they are in, the names that lead there, the words that objects are made
with. The words bound a search; they prove nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import chain
from typing import NamedTuple

from bglint.index import data


class Library(NamedTuple):
    """The sinks of one module.

    ``called`` and ``methods`` are the last parts of their names: of its functions, and of methods of its ``classes``.
    ``attributes`` are those that tell of the sinks, where the module is a class (see ``_module_of``). ``words`` finds
    what a file must mention to make an object of one of the classes, or to be given one under their names.
    """

    sinks: frozenset[str]
    called: frozenset[str]
    methods: frozenset[str]
    classes: frozenset[str]
    attributes: frozenset[str]
    words: re.Pattern[bytes]


class Libraries(NamedTuple):
    """Modules with sinks by name, and by the name of a sink; ``near`` is what ``_near_modules`` gives.

    ``exports`` are what a name that brings sinks along may be: a sink's, its class's, or its module's.
    """

    by_module: Mapping[str, Library]
    module_of: Mapping[str, str]
    near: Mapping[str, frozenset[str]]
    exports: frozenset[str]


@cache
def libraries_of(sinks: frozenset[str]) -> Libraries:
    """The libraries that some sinks are in, made once: an editor or a test makes many projects in one process."""
    module_of = {name: _module_of(name) for name in sinks}
    by_module: dict[str, set[str]] = {}
    for name, module in module_of.items():
        by_module.setdefault(module, set()).add(name)
    libraries = {module: _library(module, frozenset(names)) for module, names in by_module.items()}
    exports = frozenset(part for name in chain(by_module, sinks) for part in name.split("."))
    return Libraries(libraries, module_of, _near_modules(libraries), exports)


def _library(module: str, sinks: frozenset[str]) -> Library:
    class_of = {name: _class_of(name) for name in sinks}
    classes = frozenset(found for found in class_of.values() if found is not None)
    called = frozenset(name.rpartition(".")[2] for name, owner in class_of.items() if owner is None)
    methods = frozenset(name.rpartition(".")[2] for name, owner in class_of.items() if owner is not None)
    words = "|".join(map(re.escape, sorted(classes_and_makers(classes)[1])))
    attributes = _attributes_of(module, sinks)
    return Library(sinks, called, methods, classes, attributes, re.compile(rf"\b(?:{words})\b".encode()))


def _near_modules(libraries: Mapping[str, Library]) -> dict[str, frozenset[str]]:
    """Imported name → the modules whose sinks it leads to; ``X.*`` where every name below X does.

    A name leads to a sink where the sink, its class, or what makes objects of that class stands at or below it.
    """
    near: dict[str, set[str]] = {}
    for module, library in libraries.items():
        makers = _makers(classes_and_makers(library.classes)[0])
        for name in (*library.sinks, *library.classes, *makers):
            base, *below = re.split(r"\.\*+(?:\.|$)", name, maxsplit=1)
            if below:
                near.setdefault(f"{base}.*", set()).add(module)
            for prefix in prefixes(base.partition("()")[0]):
                near.setdefault(prefix, set()).add(module)
    return {name: frozenset(modules) for name, modules in near.items()}


def _makers(classes: frozenset[str]) -> Iterator[str]:
    """The functions and methods that give objects of some classes."""
    yield from (maker for maker, made in data.returns().items() if made in classes)


@cache
def classes_and_makers(classes: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Classes, with those whose objects give objects of them; and the words that such objects are made with."""
    found = set(classes)
    words: set[str] = set()
    size = -1
    while size != len(found):
        size = len(found)
        for maker, made in chain(data.returns().items(), data.items().items()):
            if made in found:
                owner = _class_of(maker)
                found |= {owner} if owner is not None else set()
                words |= {maker.rpartition(".")[2]} if owner is None else set()
    words.update(other.rpartition(".")[2] for other, name in data.canonical_names().items() if name in found)
    shorts = (name.removesuffix("()").rpartition(".")[2] for name in found)
    return frozenset(found), frozenset(words) | frozenset(shorts)


def _module_of(sink: str) -> str:
    """The module a sink is in: its name up to the first class, or without the function.

    What is called on an attribute of a class, as in ``Model.objects.get``, is in that class: objects of the class need
    not be followed where the attribute tells.
    """
    parts = sink.split(".")[:-1]
    for position, part in enumerate(parts):
        is_class = position > 0 and data.is_class_name(".".join(parts[: position + 1]))
        if is_class or part.endswith("()") or part == "**":
            return ".".join(parts[: position + 1 if _is_attribute(parts[position + 1 :]) else position])
    return ".".join(parts)


def _attributes_of(module: str, sinks: Iterable[str]) -> frozenset[str]:
    """The attributes that tell of the sinks of a class, which ``_module_of`` gave; none for a real module."""
    if not (module.endswith("()") or ("." in module and data.is_class_name(module))):
        return frozenset()
    return frozenset(name.removeprefix(f"{module}.").partition(".")[0] for name in sinks)


def _is_attribute(below: Sequence[str]) -> bool:
    return bool(below) and below[0][:1].islower() and not below[0].endswith("()")


def _class_of(name: str) -> str | None:
    """The class, or maker of objects, whose method a sink is; None for a module's function."""
    parts = name.split(".")[:-1]
    for position in range(len(parts), 1, -1):
        base = ".".join(parts[:position])
        if base.endswith("()") or data.is_class_name(base):
            return base
    return None


def prefixes(dotted: str) -> Iterator[str]:
    """A dotted name, then without its last part, and so on."""
    while dotted:
        yield dotted
        dotted = dotted.rpartition(".")[0]
