"""The benchmark scripts' own reasoning: what they unpack, count, compare and call a violation."""

from __future__ import annotations

import os
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
if not BENCHMARKS.is_dir():
    pytest.skip("a source distribution has no benchmarks", allow_module_level=True)
sys.path.insert(0, str(BENCHMARKS))

import compare  # noqa: E402
import findings  # noqa: E402
import packages  # noqa: E402
import places  # noqa: E402
import projects  # noqa: E402
import realfix  # noqa: E402
import robustness  # noqa: E402
import runs  # noqa: E402
import scale  # noqa: E402
import startup  # noqa: E402
import tools  # noqa: E402


def wheel_with(path: Path, members: Mapping[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def python_tool(name: str, code: str) -> tools.Tool:
    return tools.Tool(name, (sys.executable, "-c", code), (), threads="1", expected=(0,))


def finding(path: str, row: int, code: str = "BGL203", **more: Any) -> dict[str, Any]:
    return {
        "code": code,
        "name": "dangling-task",
        "message": "nobody keeps this task",
        "filename": path,
        "location": {"row": row, "column": 1},
        "end_location": {"row": row, "column": 9},
        "chain": [],
        "fix": None,
        **more,
    }


class TestPackages:
    def test_each_package_is_listed_once(self) -> None:
        names = [canonicalize_name(package.name) for package in packages.ALL]
        assert len(set(names)) == len(names)

    def test_a_package_is_chosen_in_any_spelling(self) -> None:
        assert packages.choose(["Open-WebUI", "langflow_base"]) == packages.BENCHMARK[:2]

    def test_an_unknown_package_is_named(self) -> None:
        with pytest.raises(ValueError, match="no-such-thing"):
            packages.choose(["django", "no-such-thing"])

    def test_only_python_sources_are_unpacked(self, tmp_path: Path) -> None:
        wheel = wheel_with(
            tmp_path / "a.whl", {"a/b.py": "x = 1\n", "a/b.pyi": "x: int\n", "a/b.js": "1", "a/c.pyc": "1"}
        )
        assert packages.unpack_sources(wheel, tmp_path / "out") == 2
        names = [path.name for path in packages.python_files(tmp_path / "out")]
        assert names == ["b.py", "b.pyi"]

    def test_a_member_outside_the_package_is_refused(self, tmp_path: Path) -> None:
        wheel = wheel_with(tmp_path / "a.whl", {"../evil.py": "x = 1\n"})
        with pytest.raises(ValueError, match="outside"):
            packages.unpack_sources(wheel, tmp_path / "out")
        assert not (tmp_path / "evil.py").exists()

    def test_a_wheel_is_found_by_name_and_version(self, tmp_path: Path) -> None:
        package = packages.Package("discord.py", "2.7.1", 1, 0.1, "")
        for name in ("discord_py-2.7.0-py3-none-any.whl", "discord_py_x-2.7.1-py3-none-any.whl", "odd.whl"):
            (tmp_path / name).touch()
        assert packages.find_wheel(package, tmp_path) is None
        (tmp_path / "discord_py-2.7.1-py3-none-any.whl").touch()
        assert packages.find_wheel(package, tmp_path) == tmp_path / "discord_py-2.7.1-py3-none-any.whl"

    def test_an_interrupted_unpacking_is_done_again(self, tmp_path: Path) -> None:
        package = packages.Package("thing", "1.0", 1, 0.1, "")
        (tmp_path / "downloads").mkdir()
        wheel_with(tmp_path / "downloads" / "thing-1.0-py3-none-any.whl", {"thing.py": "x = 1\n"})
        (tmp_path / "sources" / "thing-1.0.partial").mkdir(parents=True)
        (tmp_path / "sources" / "thing-1.0.partial" / "half.py").touch()
        assert packages.python_files(packages.fetch(package, tmp_path)) == [
            tmp_path / "sources" / "thing-1.0" / "thing.py"
        ]

    def test_a_damaged_wheel_is_an_error_that_names_it(self, tmp_path: Path) -> None:
        (tmp_path / "downloads").mkdir()
        (tmp_path / "downloads" / "thing-1.0-py3-none-any.whl").write_bytes(b"not a zip")
        with pytest.raises(packages.DownloadError, match="thing-1"):
            packages.fetch(packages.Package("thing", "1.0", 1, 0.1, ""), tmp_path)


class TestRuns:
    def test_findings_are_the_lines_with_a_place(self) -> None:
        output = "a.py:1:2: BGL101 x\nsub dir/b.py:10:3: dangling-task: y\n  a.py:1:2: quoted\nFound 2 errors.\n"
        assert runs.count_findings(output) == 2

    @pytest.mark.parametrize(
        ("code", "crashed"),
        [
            ("pass", False),
            ("raise SystemExit(1)", False),
            ("raise SystemExit(2)", True),
            ("import os; os.abort()", True),
            ("import traceback\ntry: 1/0\nexcept ArithmeticError: traceback.print_exc()", True),
        ],
    )
    def test_other_exit_codes_and_tracebacks_are_crashes(self, tmp_path: Path, code: str, crashed: bool) -> None:
        run = runs.measure([sys.executable, "-c", code], tmp_path, expected=(0, 1))
        assert (run.crash is not None) == crashed

    def test_a_run_that_takes_too_long_is_stopped_and_is_no_crash(self, tmp_path: Path) -> None:
        run = runs.measure([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path, timeout=0.2)
        assert run.timed_out
        assert run.crash is None
        assert run.seconds >= 0.2

    def test_the_checkout_is_out_of_reach_unless_asked_for(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PYTHONPATH", "some/folder")
        show = [sys.executable, "-c", "import os; print(os.environ.get('PYTHONPATH'))"]
        assert runs.execute(show, tmp_path).stdout.strip() == "None"
        own = runs.execute(show, tmp_path, tools.import_path()).stdout.strip()
        assert own == str(Path("some/folder").resolve())


class TestCompare:
    def test_tools_take_turns_and_the_first_round_is_thrown_away(self, tmp_path: Path) -> None:
        note = "open('order', 'a').write({0!r}); print(*['x:1:1: E1'] * {1}, sep='\\n')"
        pair = [python_tool("a", note.format("a", 1)), python_tool("b", note.format("b", 2))]
        first, second = compare.interleave(pair, tmp_path, rounds=2)
        assert (tmp_path / "order").read_text() == "ababab"
        assert (len(first.seconds), first.findings, second.findings) == (2, 1, 2)

    def test_a_crash_in_the_warm_up_is_kept(self, tmp_path: Path) -> None:
        once = "import os, sys; seen = os.path.exists('seen'); open('seen', 'w'); sys.exit(0 if seen else 2)"
        (timing,) = compare.interleave([python_tool("a", once)], tmp_path, rounds=1)
        assert timing.crash is not None

    def test_ratios_are_of_medians(self) -> None:
        fast = compare.Timing("fast", "1", (1.0, 2.0, 30.0), 0)
        slow = compare.Timing("slow", "1", (5.0, 6.0, 7.0), 0)
        assert compare.ratio(slow, [fast, slow], "fast") == "3.0"
        assert compare.ratio(slow, [fast, slow], "absent") == "–"

    def test_a_stopped_run_gives_a_lower_bound_and_a_crash_none(self) -> None:
        fast = compare.Timing("fast", "1", (1.0,), 0)
        stopped = compare.Timing("slow", "1", (20.0,), 0, timed_out=True)
        crashed = compare.Timing("broken", "1", (20.0,), 0, crash="exit code 2")
        assert compare.ratio(stopped, [fast, stopped], "fast") == "≥ 20.0"
        assert compare.ratio(crashed, [fast, crashed], "fast") == "–"
        assert compare.ratio(fast, [fast, crashed], "broken") == "–"

    def test_a_quick_run_takes_the_smallest_package_and_fewer_rounds(self) -> None:
        options = compare.parse(["--quick", "--packages", "sympy", "uvicorn", "ray"])
        assert [package.name for package in options.packages] == ["uvicorn"]
        assert options.rounds == 3

    def test_a_quick_run_leaves_out_flake8_async_where_it_would_be_slow(self) -> None:
        small, large = packages.choose(["sqlmodel", "open_webui"])
        assert compare.affordable(small, quick=True)
        assert not compare.affordable(large, quick=True)
        assert compare.affordable(large, quick=False)

    def test_ordinary_modules_are_valid_and_have_no_background_work(self, tmp_path: Path) -> None:
        startup.write_ordinary_modules(tmp_path / "ordinary")
        files = packages.python_files(tmp_path / "ordinary")
        assert len(files) == 40
        for path in files:
            source = path.read_text()
            compile(source, str(path), "exec")
            assert not any(word in source for word in ("async", "await", "thread", "sleep", "requests"))


class TestFindings:
    @given(
        st.lists(st.sampled_from(["BGL101", "BGL203"]), max_size=30),
        st.integers(0, 5),
        st.integers(0, 3),
    )
    def test_a_sample_is_a_repeatable_part_in_the_first_order(self, codes: list[str], size: int, seed: int) -> None:
        package = packages.BENCHMARK[0]
        sightings = [
            findings.Sighting(package, Path(), finding("a.py", row, code)) for row, code in enumerate(codes, start=1)
        ]
        chosen = findings.sample(sightings, size, seed)
        assert chosen == findings.sample(sightings, size, seed)
        for code, group in chosen.items():
            rows = [each.finding["location"]["row"] for each in group]
            assert {each.finding["code"] for each in group} <= {code}
            assert rows == sorted(set(rows))
            assert len(rows) == min(size, codes.count(code))

    def test_one_rules_sample_does_not_depend_on_other_rules(self) -> None:
        package = packages.BENCHMARK[0]
        ours = [findings.Sighting(package, Path(), finding("a.py", row)) for row in range(1, 30)]
        others = [findings.Sighting(package, Path(), finding("b.py", row, "BGL101")) for row in range(1, 9)]
        assert findings.sample(ours + others, 5, 0)["BGL203"] == findings.sample(ours, 5, 0)["BGL203"]

    def test_an_excerpt_marks_the_rows_and_stays_inside_the_file(self) -> None:
        source = "one\ntwo\x0c\nthree\nfour\n"
        assert findings.excerpt(source, 2, 3, context=1) == "  1 │ one\n> 2 │ two\n> 3 │ three\n  4 │ four"
        assert findings.excerpt(source, 1, 1, context=0) == "> 1 │ one"

    def test_a_finding_is_shown_with_its_chain_and_its_fix(self, tmp_path: Path) -> None:
        (tmp_path / "a.py").write_text("create_task(f())\n")
        edit = {"content": "TASKS.add(create_task(f()))", "location": {"row": 1, "column": 1}}
        shown = finding(
            "a.py",
            1,
            chain=[{"function": "app.f", "filename": "app.py", "row": 7}],
            fix={"applicability": "safe", "message": "Keep the task", "edits": [edit]},
        )
        text = findings.describe(findings.Sighting(packages.BENCHMARK[0], tmp_path, shown), context=2)
        for part in ("open_webui==0.12.4 a.py:1:1", "> 1 │ create_task(f())", "app.f (app.py:7)", "(safe)"):
            assert part in text


LINTER = """\
import json, pathlib, sys
options = sys.argv[1:]
source = pathlib.Path("a.py")
{body}
print(json.dumps(found))
"""


class TestRobustness:
    @pytest.fixture
    def package(self, tmp_path: Path) -> Path:
        folder = tmp_path / "source"
        folder.mkdir()
        (folder / "a.py").write_text("bad()\n")
        return folder

    def examine(self, package: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> robustness.Report:
        """Examine the package with a linter made of ``body``, which leaves its findings in ``found``."""
        script = package.parent / "linter.py"
        script.write_text(LINTER.format(body=body))
        monkeypatch.setattr(robustness, "BGLINT", (sys.executable, str(script)))
        return robustness.examine(package, "BGL")

    FOUND = f"found = [{finding('a.py', 1)!r}] if 'bad' in source.read_text() else []\n"

    def test_a_good_linter_passes_and_the_package_stays_as_it_was(
        self, package: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        body = "if '--fix' in options: source.write_text('good()\\n')\n" + self.FOUND
        report = self.examine(package, monkeypatch, body)
        assert report.violations == []
        assert (report.found.total(), report.remaining.total(), report.changed_files) == (1, 0, 1)
        assert (package / "a.py").read_text() == "bad()\n"

    @pytest.mark.parametrize(
        ("body", "violation"),
        [
            ("sys.exit(2)", "exit code 2"),
            ("found = []; print('oops')", "no JSON"),
            (FOUND + "if '2' in options: found = []", "--jobs 2 has 0"),
            (FOUND + "source.write_text('x')", "a.py: changed without --fix"),
            (FOUND + "if '--fix' in options: source.write_text('good(')", "does not compile"),
            (
                FOUND + "if '--fix' in options: source.write_bytes(b'good()\\r\\n')",
                "newlines of another kind",
            ),
            (FOUND + "if '--fix' in options: source.with_suffix('.tmp').touch()", "a.tmp: appeared"),
            (FOUND + "if '--fix' in options: source.unlink()", "a.py: vanished"),
            (FOUND + "if '--fix' in options: source.open('a').write('x\\n')", "changed again by a second"),
            (FOUND + "if '--fix' in options: found *= 2", "BGL203: 1 more after fixing"),
            (
                FOUND + "found[0]['fix'] = {'applicability': 'safe', 'edits': []}",
                "offered but not applied: a.py:1:1",
            ),
        ],
    )
    def test_each_kind_of_harm_is_seen(
        self, package: Path, monkeypatch: pytest.MonkeyPatch, body: str, violation: str
    ) -> None:
        report = self.examine(package, monkeypatch, body)
        assert any(violation in each for each in report.violations), report.violations

    def test_a_file_that_never_compiled_must_be_left_alone(self) -> None:
        assert robustness.change_problem(b"x = (\n", b"x = 1\n")
        assert robustness.change_problem(b"x = (1)\n", b"x = 1\n") is None

    def test_the_byte_order_mark_must_stay(self) -> None:
        assert robustness.change_problem(b"\xef\xbb\xbfx = 2\n", b"x = 1\n")

    @given(st.lists(st.sampled_from([b"\n", b"\r\n"]), min_size=1, max_size=5))
    def test_newlines_are_the_ones_used(self, ends: list[bytes]) -> None:
        assert robustness.newlines(b"".join(b"x" + end for end in ends)) == set(ends)


class TestPlaces:
    BEFORE = "import os\n\n\ndef f():\n    g()\n    if x:\n        bad(\n            1)\n    h()\n"

    def stray(self, *replaced: tuple[str, str]) -> list[int]:
        after = self.BEFORE
        for old, new in replaced:
            after = after.replace(old, new)
        return places.stray_rows(self.BEFORE, after, [finding("a.py", 8)])

    def test_a_reported_statement_imports_and_helpers_may_change(self) -> None:
        helper = "import os\nimport sys\n\n\ndef _help():\n    pass\n"
        assert self.stray(("bad(\n            1)", "good()\n        better()"), ("import os\n", helper)) == []

    @pytest.mark.parametrize(
        ("old", "new", "row"), [("    g()", "    k()", 5), ("    h()", "    k()", 9), ("os\n", "os\nos.x()\n", 2)]
    )
    def test_other_rows_may_not(self, old: str, new: str, row: int) -> None:
        assert self.stray((old, new))[0] == row

    def test_what_is_taken_away_is_seen(self) -> None:
        assert self.stray(("    h()\n", "")) == [9]


JUNIT = """<testsuites><testsuite>
<testcase classname="tests.a" name="one"/>
<testcase classname="tests.a" name="two"><failure message="assert 1 == 2&#10;more">...</failure></testcase>
<testcase classname="tests.a" name="two"/>
<testcase classname="tests.a" name="three"><skipped message="no network"/></testcase>
</testsuite></testsuites>"""


class TestRealfix:
    def test_each_project_is_listed_once_and_locked(self) -> None:
        names = [canonicalize_name(project.name) for project in projects.PROJECTS]
        assert len(set(names)) == len(names)
        for project in projects.PROJECTS:
            assert project.requirement in project.lock
            assert all("==" in line for line in project.lock)

    def test_outcomes_are_read_one_by_one(self) -> None:
        outcomes = realfix.read_outcomes(JUNIT)
        assert {test: end.word for test, end in outcomes.items()} == {
            "tests.a::one": "passed",
            "tests.a::two": "failure",
            "tests.a::two'": "passed",
            "tests.a::three": "skipped",
        }
        assert outcomes["tests.a::two"].message == "assert 1 == 2"

    def test_only_what_always_ends_in_another_way_is_a_change(self) -> None:
        def run(**words: str) -> dict[str, realfix.Outcome]:
            return {test: realfix.Outcome(word) for test, word in words.items()}

        before = [run(a="passed", b="passed", c="passed", gone="passed"), run(a="passed", b="failure", c="passed")]
        after = [run(a="passed", b="failure", c="failure"), run(a="passed", b="failure", c="error", new="passed")]
        changes, unsteady = realfix.compare(before, after)
        assert [(each.test, each.before.word, each.after.word) for each in changes] == [("c", "passed", "failure")]
        assert unsteady == 3

    def test_changed_rows_are_those_of_the_new_text(self, tmp_path: Path) -> None:
        for folder, text in (("old", "a\nb\nc\n"), ("new", "a\nx\ny\nc\n")):
            (tmp_path / folder).mkdir()
            (tmp_path / folder / "m.py").write_text(text)
        assert realfix.rows_changed(tmp_path / "old", tmp_path / "new") == {"m.py": {2, 3}}


# scale.py


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="needs to be told what a process used")
def test_a_run_is_told_by_its_size_time_and_memory(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("import asyncio\n\nasync def f():\n    asyncio.create_task(g())\n")
    cost = scale.lint("here", tmp_path)
    assert (cost.name, cost.files) == ("here", 1)
    assert cost.seconds > 0
    assert cost.memory > 5
    with pytest.raises(RuntimeError, match="here: bglint ended with exit code 2"):
        scale.lint("here", tmp_path, ["--select", "BGL999"])


def test_the_whole_is_compared_with_all_parts_together() -> None:
    parts = [scale.Cost("a", 1, 0.1, 2.0, 50), scale.Cost("b", 2, 0.2, 3.0, 60)]
    assert scale.summary(parts, scale.Cost("both", 3, 0.3, 5.5, 70.4)) == (
        "3 files at once take 1.10 times as long as one by one (5.5 s, 5.0 s), and 70 MB"
    )
