"""An import that a fix needs is reused where it can be, else added once, where a person would add it."""

from __future__ import annotations

import ast
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bglint.fix.apply import apply_fixes
from bglint.fix.imports import ImportPlan, import_from, import_module
from bglint.model import Applicability, Fix


def applied(text: str, plan: ImportPlan) -> str:
    assert plan.edit is not None
    return apply_fixes(text, [Fix(Applicability.SAFE, "", (plan.edit,))])[0]


def plan(text: str, module: str = "asyncio", *, avoid: tuple[str, ...] = (), before: int | None = None) -> ImportPlan:
    return import_module(ast.parse(text), text, module, avoid=avoid, before=before)


def added(text: str, module: str = "asyncio") -> str:
    return applied(text, plan(text, module))


# -- reuse --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "module", "name"),
    [
        ("import asyncio\n", "asyncio", "asyncio"),
        ("import asyncio as aio\n", "asyncio", "aio"),
        ("import os, asyncio as aio; x = 1\n", "asyncio", "aio"),
        ("import asyncio.subprocess\n", "asyncio", "asyncio"),
        ("import asyncio\nimport asyncio.events\n", "asyncio", "asyncio"),
        ("import concurrent.futures\n", "concurrent.futures", "concurrent.futures"),
        ("from concurrent import futures\n", "concurrent.futures", "futures"),
        ("from concurrent import futures as f\n", "concurrent.futures", "f"),
        ("if TYPE_CHECKING:\n    import asyncio\nimport asyncio\n", "asyncio", "asyncio"),
        ("x = 1\nimport asyncio\ndef f(): asyncio = 2\n", "asyncio", "asyncio"),
        ("import asyncio\n[asyncio for asyncio in x]\n", "asyncio", "asyncio"),
    ],
)
def test_a_module_that_is_imported_is_reused_under_its_name(text: str, module: str, name: str) -> None:
    assert plan(text, module) == ImportPlan(name, None)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("from functools import partial\n", "partial"),
        ("from functools import (\n    wraps,\n    partial as p,\n)\n", "p"),
    ],
)
def test_a_name_that_is_imported_is_reused(text: str, name: str) -> None:
    assert import_from(ast.parse(text), text, "functools", "partial", avoid=()) == ImportPlan(name, None)


@pytest.mark.parametrize(
    "text",
    [
        "if TYPE_CHECKING:\n    import asyncio\n",
        "try:\n    import asyncio\nexcept ImportError:\n    raise\n",
        "def f():\n    import asyncio\n",
        "class C:\n    import asyncio\n",
        "def f(): ...\nimport asyncio\n",
        "from asyncio import sleep\n",
        "import asyncio.events as events\n",
        "from .asyncio import asyncio as aio\n",
    ],
)
def test_an_import_that_may_not_have_run_or_binds_something_else_is_not_reused(text: str) -> None:
    result = plan(text)
    assert result.name == "asyncio"
    assert "import asyncio\n" in applied(text, result).splitlines(keepends=True)


def test_an_import_below_the_site_is_not_reused_and_one_above_it_is() -> None:
    text = "import os\ndef f(): ...\nimport asyncio\nx = 1\n"
    assert plan(text, before=4).edit is None
    assert plan(text, before=3).edit is not None


# -- names that are taken -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "taken",
    [
        "asyncio = 1",
        "def asyncio(): ...",
        "class asyncio: ...",
        "for asyncio in x: ...",
        "import anyio as asyncio",
        "from . import asyncio",
        "def f():\n    global asyncio\n    asyncio = 1",
        "with x as asyncio: ...",
        "[(asyncio := y) for y in x]",
        "try: ...\nexcept E as asyncio: ...",
        "match x:\n    case [asyncio]: ...",
        "match x:\n    case {**asyncio}: ...",
        "import asyncio\ndel asyncio",
        "try:\n    import asyncio\nexcept ImportError:\n    asyncio = None",
    ],
)
def test_a_name_that_means_something_else_in_the_module_is_left_alone(taken: str) -> None:
    text = f"import os\n{taken}\n"
    result = plan(text)
    assert result.name == "_asyncio"
    after = applied(text, result)
    assert "import asyncio as _asyncio\n" in after
    assert plan(after) == ImportPlan("_asyncio", None)


def test_a_name_that_is_hidden_at_the_site_is_not_used_there() -> None:
    assert plan("import asyncio\n", avoid=("asyncio",)).name == "_asyncio"
    assert plan("import asyncio as aio\n", avoid=("aio",)).name == "asyncio"
    assert plan("import concurrent.futures\n", "concurrent.futures", avoid=("concurrent",)).name == "_futures"


def test_the_other_name_is_free_in_the_whole_file() -> None:
    text = "asyncio = 1\ndef f(_asyncio):\n    _asyncio2 = 3\n"
    result = plan(text, avoid=("_asyncio3",))
    assert result.name == "_asyncio4"
    assert applied(text, result).startswith("import asyncio as _asyncio4\n\n")


# -- where a new import goes --------------------------------------------------------------------------------------

PLACES = {
    "sorted among the plain imports": ("import abc\nimport os\n", "import abc\nimport asyncio\nimport os\n"),
    "before the first": (
        "import os\nimport sys\nfrom abc import ABC\n",
        "import asyncio\nimport os\nimport sys\nfrom abc import ABC\n",
    ),
    "after the last, before from": (
        "import abc\nfrom os import path\n",
        "import abc\nimport asyncio\nfrom os import path\n",
    ),
    "among mixed sorted imports": (
        "import abc\nfrom ast import AST\nimport os\nfrom re import X\n",
        "import abc\nfrom ast import AST\nimport asyncio\nimport os\nfrom re import X\n",
    ),
    "at the end of an unsorted group": (
        "import sys\nimport abc\nimport fastapi\nfrom os import path\n",
        "import sys\nimport abc\nimport asyncio\nimport fastapi\nfrom os import path\n",
    ),
    "beside imports of several modules": ("import os, sys\nx = 1\n", "import os, sys\nimport asyncio\nx = 1\n"),
    "above the standard library's from imports": (
        "from os import (\n    path,\n)\n\nfrom fastapi import X\n",
        "import asyncio\nfrom os import (\n    path,\n)\n\nfrom fastapi import X\n",
    ),
    "a section of its own above third-party imports": (
        '"""Doc."""\n\nfrom fastapi import X\n',
        '"""Doc."""\n\nimport asyncio\n\nfrom fastapi import X\n',
    ),
    "above the comment of such a section": (
        "# licence\n\n# third party\nfrom fastapi import X\n",
        "# licence\n\nimport asyncio\n\n# third party\nfrom fastapi import X\n",
    ),
    "below a licence that touches the imports": (
        "#!/usr/bin/env python\n# licence\nfrom fastapi import X\n",
        "#!/usr/bin/env python\n# licence\nimport asyncio\n\nfrom fastapi import X\n",
    ),
    "above the comment of the next import": (
        "import abc\n# needed\nimport os\n",
        "import abc\nimport asyncio\n# needed\nimport os\n",
    ),
    "after a multi-line import": (
        "import abc\nfrom fastapi import (\n    X,\n)\n",
        "import abc\nimport asyncio\nfrom fastapi import (\n    X,\n)\n",
    ),
    "not between statements of one line": (
        "import zlib; import abc\nx = 1\n",
        "import zlib; import abc\nimport asyncio\nx = 1\n",
    ),
    "not into a continued line": (
        "import abc; \\\nimport ast; \\\n  x = 1\nimport sys\n",
        "import abc; \\\nimport ast; \\\n  x = 1\nimport asyncio\nimport sys\n",
    ),
    "not into a line that continues into nothing": (
        "import abc \\\n\nx = 1\n",
        "import abc \\\n\nimport asyncio\nx = 1\n",
    ),
    "after __future__": (
        "from __future__ import annotations\n",
        "from __future__ import annotations\n\nimport asyncio\n",
    ),
    "after __future__ on the docstring's line": (
        '"""Doc."""; from __future__ import annotations; import os\nx = 1\n',
        '"""Doc."""; from __future__ import annotations; import os\n\nimport asyncio\n\nx = 1\n',
    ),
    "between __future__ and third-party imports": (
        "from __future__ import annotations\n\nimport fastapi\n",
        "from __future__ import annotations\n\nimport asyncio\n\nimport fastapi\n",
    ),
    "below what was imported before sys.path changes": (
        "import sys\nsys.path.insert(0, '')\nimport app\n",
        "import asyncio\nimport sys\nsys.path.insert(0, '')\nimport app\n",
    ),
    "not above a one-line change of sys.path": (
        "import sys; sys.path.insert(0, '')\nimport os\n",
        "import sys; sys.path.insert(0, '')\nimport asyncio\nimport os\n",
    ),
    "not above monkey patching": (
        "from gevent import monkey\nmonkey.patch_all()\nimport os\n",
        "from gevent import monkey\nmonkey.patch_all()\nimport asyncio\nimport os\n",
    ),
    "below a conditional import that comes first": (
        "if X:\n    import x\n\n\ndef f(): ...\n",
        "if X:\n    import x\n\n\nimport asyncio\n\n\ndef f(): ...\n",
    ),
    "not among imports below the first function": (
        "def f(): ...\nimport abc\n",
        "import asyncio\n\n\ndef f(): ...\nimport abc\n",
    ),
    "in an empty file": ("", "import asyncio\n"),
    "in a file of comments": ("# one\n", "# one\n\nimport asyncio\n"),
    "after a docstring": ('"""Doc."""\n', '"""Doc."""\n\nimport asyncio\n'),
    "between docstring and code": ('"""Doc."""\nx = 1\n', '"""Doc."""\n\nimport asyncio\n\nx = 1\n'),
    "above a decorated function and its comment": (
        '"""Doc."""\n\n# about f\n@d\ndef f(): ...\n',
        '"""Doc."""\n\nimport asyncio\n\n\n# about f\n@d\ndef f(): ...\n',
    ),
    "without a final newline": ("import abc", "import abc\nimport asyncio"),
    "after a docstring without a final newline": ('"""Doc."""', '"""Doc."""\n\nimport asyncio'),
}


@pytest.mark.parametrize(("text", "expected"), PLACES.values(), ids=PLACES)
def test_a_new_import_goes(text: str, expected: str) -> None:
    assert added(text) == expected


@pytest.mark.parametrize(("text", "expected"), PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_a_new_import_ends_its_line_as_the_file_does(text: str, expected: str, newline: str) -> None:
    if "\n" in text:
        assert added(text.replace("\n", newline)) == expected.replace("\n", newline)


def test_a_third_party_import_goes_to_its_own_package() -> None:
    text = dedent("""\
        from typing import Any

        from fastapi import FastAPI
        from starlette.requests import Request

        from app import db
        """)
    result = import_from(ast.parse(text), text, "starlette.concurrency", "run_in_threadpool", avoid=())
    assert applied(text, result) == text.replace(
        "from starlette.req", "from starlette.concurrency import run_in_threadpool\nfrom starlette.req"
    )


def test_a_third_party_import_without_company_goes_below_the_standard_library() -> None:
    text = "import os\nx = 1\n"
    result = import_from(ast.parse(text), text, "starlette.concurrency", "run", avoid=("run",))
    assert applied(text, result) == "import os\n\nfrom starlette.concurrency import run as _run\n\nx = 1\n"


# -- whatever the module looks like -------------------------------------------------------------------------------

TOPS = (
    "#!/usr/bin/env python",
    "# -*- coding: utf-8 -*-",
    '"""Doc."""',
    '"""Long\n\n    import asyncio\n"""',
    "from __future__ import annotations",
)
STATEMENTS = (
    "import os",
    "import sys; sys.path.append('é')",
    "import zlib, abc; \\\nimport re",
    "from os import (\n    path,\n    sep,  # )\n)",
    "from fastapi import X",
    "from . import y",
    "from x import *",
    "# comment; import asyncio",
    "",
    "\x0c",
    "x = '''\nimport asyncio\n'''",
    "if TYPE_CHECKING:\n    import asyncio",
    "try:\n\timport asyncio\nexcept ImportError:\n\tpass",
    "asyncio = None",
    "@d\ndef f():\n    pass",
    "class C:\n    def asyncio(self): ...",
    "print(1); ",
    "import asyncio as aio",
    "\\",
    "__import__('x')",
)


@st.composite
def modules(draw: st.DrawFn) -> str:
    first = [top for top in TOPS if draw(st.booleans())]
    lines = first + draw(st.lists(st.sampled_from(STATEMENTS), max_size=7))
    newline = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    text = "\n".join(lines) + draw(st.sampled_from(["", "\n", "\n\n", "\n   "]))
    return text.replace("\n", newline)


def parses(text: str) -> bool:
    try:
        compile(text, "module.py", "exec")
    except SyntaxError:
        return False
    return True


@given(modules().filter(parses), st.sampled_from([("asyncio", None), ("typing", "Any"), ("starlette.x", "run")]))
def test_one_import_is_added_and_the_rest_stays(text: str, wanted: tuple[str, str | None]) -> None:
    def plan_for(code: str) -> ImportPlan:
        module, name = wanted
        if name is None:
            return import_module(ast.parse(code), code, module, avoid=())
        return import_from(ast.parse(code), code, module, name, avoid=())

    result = plan_for(text)
    if result.edit is None:
        return
    after = applied(text, result)
    tree = ast.parse(after)
    old, new = [ast.dump(s) for s in ast.parse(text).body], [ast.dump(s) for s in tree.body]
    place = next(i for i, statement in enumerate(new) if [*new[:i], *new[i + 1 :]] == old)
    assert isinstance(tree.body[place], (ast.Import, ast.ImportFrom))
    assert ast.get_docstring(tree) == ast.get_docstring(ast.parse(text))
    assert parses(after)  # __future__ imports are still first
    assert plan_for(after) == ImportPlan(result.name, None)
    assert after.endswith(("\n", "\r")) == text.endswith(("\n", "\r")) or not text
    if text.startswith("#"):
        assert after.splitlines()[0] == text.splitlines()[0]
