"""The plugin in the real flake8: the command line's findings, under flake8's own noqa and options."""

from __future__ import annotations

import argparse
import ast
import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from scratch import Here

import bglint
from bglint.flake8 import Plugin, _options_of

SOURCE = str(Path(bglint.__file__).parent.parent)
SLEEPS = "import time\n\n\nasync def nap():\n    time.sleep(1)\n"


def module(folder: Path, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": SOURCE},
        input=None if stdin is None else stdin.encode(),
        capture_output=True,
        check=False,
        timeout=120,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def flake8(folder: Path, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run flake8 with nothing but pyflakes' syntax errors and this plugin."""
    installed = importlib.metadata.entry_points(group="flake8.extension", name="BGL")
    plugin = "" if installed else "[flake8:local-plugins]\nextension =\n    BGL = bglint.flake8:Plugin\n"
    (folder / "flake8.ini").write_text(f"[flake8]\nselect = BGL,E9\n{plugin}", "utf-8")
    return module(folder, "flake8", "--config", "flake8.ini", *arguments, stdin=stdin)


def lines(done: subprocess.CompletedProcess[str]) -> list[tuple[str, int, int, str]]:
    """The reports as path, row, column, code and message."""
    assert done.stderr == ""
    parts = (line.removeprefix("./").split(":", 3) for line in done.stdout.splitlines())
    return [(path, int(row), int(column), message.strip()) for path, row, column, message in parts]


def command_line(folder: Path, *arguments: str) -> list[tuple[str, int, int, str]]:
    done = module(folder, "bglint", "--output-format", "json", *arguments)
    return [
        (item["filename"], item["location"]["row"], item["location"]["column"], f"{item['code']} {item['message']}")
        for item in json.loads(done.stdout)
    ]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_the_same_findings_as_the_command_line(tmp_path: Path, here: Here, jobs: str) -> None:
    here("app/__init__.py", "")
    here("app/helpers.py", "import time\n\n\ndef wait():\n    time.sleep(1)\n")
    here("app/routes.py", "from app.helpers import wait\n\n\nasync def get():\n    wait()\n")
    here("plain.py", SLEEPS)
    here("crlf.py", SLEEPS.replace("\n", "\r\n").encode())
    here("cr.py", SLEEPS.replace("\n", "\r").encode())
    here("mixed.py", SLEEPS.replace("\n", "\r\n", 2).encode())
    here("bom.py", b"\xef\xbb\xbf" + b"async def f(): time.sleep(1)\nimport time\n")
    here("latin.py", ("# coding: latin-1\n" + SLEEPS.replace("    time", "    'é'; time")).encode("latin-1"))
    here("wide.py", SLEEPS.replace("    time", "    '😀é'; time"))
    here("clean.py", "x = 1\n")
    found = lines(flake8(tmp_path, "--jobs", jobs, "."))
    assert sorted(found) == sorted(command_line(tmp_path, "."))
    assert {path for path, *_ in found} >= {"plain.py", "crlf.py", "cr.py", "mixed.py", "bom.py", "latin.py", "wide.py"}


def test_the_standard_input_has_its_display_name(tmp_path: Path, here: Here) -> None:
    here("src/bglint.toml", 'ignore = ["BGL4"]\n')
    assert lines(flake8(tmp_path, "--stdin-display-name", "lib/a.py", "-", stdin=SLEEPS))[0][:3] == ("lib/a.py", 5, 5)
    assert lines(flake8(tmp_path, "--stdin-display-name", "src/a.py", "-", stdin=SLEEPS)) == []


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_the_standard_input_may_have_any_line_ends(tmp_path: Path, newline: str) -> None:
    # A call of several lines shows its rows to LibCST; flake8 hands over the line ends of its input as they are.
    text = "import asyncio\n\n\nasync def f(a, b):\n    await asyncio.gather(\n        a(),\n        b(),\n    )\n"
    assert [found[1:3] for found in lines(flake8(tmp_path, "-", stdin=text.replace("\n", newline)))] == [(5, 11)]


def test_a_file_that_cannot_be_parsed_is_reported_once(tmp_path: Path, here: Here) -> None:
    here("a.py", "import time\nasync def f(:\n    time.sleep(1)\n")
    messages = [message.split()[0] for *_, message in lines(flake8(tmp_path, "a.py"))]
    assert "E999" in messages
    assert not [code for code in messages if code.startswith("BGL")]


def test_noqa_is_flake8s_business(tmp_path: Path, here: Here) -> None:
    here("a.py", SLEEPS.replace("(1)", "(1)  # noqa: BGL402"))
    assert lines(flake8(tmp_path, "a.py")) == []
    assert [row for _, row, *_ in lines(flake8(tmp_path, "--disable-noqa", "a.py"))] == [5]


def test_bglints_own_configuration_holds(tmp_path: Path, here: Here) -> None:
    here("a.py", SLEEPS)
    here("tests/b.py", SLEEPS)
    here("pyproject.toml", '[tool.bglint.per-file-ignores]\n"tests/*" = ["BGL4"]\n')
    assert [path for path, *_ in lines(flake8(tmp_path, "."))] == ["a.py"]
    here("pyproject.toml", '[tool.bglint]\nignore = ["BGL402"]\n')
    assert lines(flake8(tmp_path, ".")) == []


def test_another_configuration_file_can_be_named(tmp_path: Path, here: Here) -> None:
    here("a.py", SLEEPS)
    here("quiet.toml", 'ignore = ["BGL4"]\n')
    assert lines(flake8(tmp_path, "--bglint-config", "quiet.toml", "a.py")) == []


@pytest.mark.parametrize("option", [("--bglint-config", "wrong.toml"), ()])
def test_a_wrong_configuration_is_said_in_its_own_words(tmp_path: Path, here: Here, option: tuple[str, ...]) -> None:
    here("a.py", SLEEPS)
    here("wrong.toml" if option else "bglint.toml", 'selekt = ["BGL1"]\n')
    done = flake8(tmp_path, *option, "a.py")
    assert done.returncode == 1
    assert 'toml:1: unknown key "selekt"; did you mean "select"?' in done.stdout + done.stderr


class TestOptInRules:
    """Rules that are off by default are bglint's configuration's to turn on, or flake8's by their whole code."""

    @pytest.mark.parametrize(
        ("select", "extend_select", "selected"),
        [
            (None, None, None),
            (["E", "BGL"], ["BGL4"], None),
            (["BGL402", "E501"], None, ("BGL402",)),
            (None, ["BGL402", "BGL999"], ("BGL402",)),
        ],
    )
    def test_only_whole_codes_count(
        self, select: list[str] | None, extend_select: list[str] | None, selected: tuple[str, ...] | None
    ) -> None:
        options = argparse.Namespace(select=select, extend_select=extend_select)
        assert _options_of(options).extend_select == selected


def test_a_report_is_row_zero_based_column_text_and_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plugin = Plugin(ast.parse(SLEEPS), "a.py", SLEEPS.splitlines(keepends=True), argparse.Namespace())
    ((row, column, text, cls),) = plugin.run()
    assert (row, column, cls) == (5, 4, Plugin)
    assert text.startswith("BGL402 ")
