"""What every output format promises, on fixed examples and on random findings."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bglint.model import Applicability, Edit, Finding, Fix, Frame, Level, Location, Span
from bglint.report import FORMATS, Report, render
from bglint.report.change import Row, changes
from bglint.report.excerpt import excerpt
from bglint.report.fingerprint import fingerprints
from bglint.report.statistics import statistics
from bglint.report.text import printable, split_lines

SCHEMA = json.loads((Path(__file__).parent / "data" / "sarif-2.1.0.json").read_text(encoding="utf-8"))
SARIF = jsonschema.Draft7Validator(SCHEMA)

SOURCE = """\
import time


async def route(tasks):
    time.sleep(1)
    tasks.add_task(
        send,
        1,
    )
"""


class SleepRule:
    """Finds `time.sleep` on
    the event loop.

    ## Why is this bad?
    Everything else waits.
    """

    code, name, level = "BGL402", "blocking-sleep", Level.ERROR


class TaskRule:
    """
    ## What it does
    Finds tasks <that> can fail.
    """

    code, name, level = "BGL101", "unguarded-background-task", Level.WARNING


@pytest.fixture(autouse=True, scope="module")
def rules() -> Iterator[None]:
    module = types.ModuleType("bglint.rules")
    module.all_rules = lambda: (TaskRule, SleepRule)  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "bglint.rules", module)
        yield


def span(row: int, column: int, end_row: int, end_column: int) -> Span:
    return Span(Location(row, column), Location(end_row, end_column))


def finding(where: Span, **changes: object) -> Finding:
    values: dict[str, object] = {
        "code": "BGL402",
        "name": "blocking-sleep",
        "level": Level.ERROR,
        "message": "`time.sleep` blocks the event loop",
        "path": "app/main.py",
        "span": where,
    }
    return Finding(**{**values, **changes})  # type: ignore[arg-type]


SAFE = Fix(
    Applicability.SAFE,
    "Await `asyncio.sleep`",
    (Edit(span(1, 1, 1, 1), "import asyncio\n"), Edit(span(5, 5, 5, 15), "await asyncio.sleep")),
)
UNSAFE = Fix(Applicability.UNSAFE, "Guard the task", (Edit(span(7, 9, 7, 13), "guard(send)"),))
SLEEP = finding(
    span(5, 5, 5, 18),
    fix=SAFE,
    noqa_rows=(5,),
    chain=(Frame("app.main.route", "app/main.py", 5), Frame("app.mail.send", "app/mail.py", 12)),
)
TASK = finding(
    span(6, 5, 9, 6),
    code="BGL101",
    name="unguarded-background-task",
    level=Level.WARNING,
    message="`send` can fail",
    fix=UNSAFE,
    noqa_rows=(6, 9),
)
REFUSED = finding(span(5, 5, 5, 15), path="lib.py", fix_refused="`sleep` is a local name")


def report(*findings: Finding, text: str = SOURCE, **changes: object) -> Report:
    values: dict[str, object] = {
        "findings": findings,
        "text_of": lambda path: text,
        "fixed": {},
        "files": 1,
        "unsafe_fixes": False,
        "show_fixes": False,
    }
    return Report(**{**values, **changes})  # type: ignore[arg-type]


# -- concise and the summary -----------------------------------------------------------------------


def test_concise_is_a_line_per_finding_and_the_summary() -> None:
    assert render(report(SLEEP, TASK, REFUSED), "concise").splitlines() == [
        "app/main.py:5:5: BGL402 [*] `time.sleep` blocks the event loop",
        "app/main.py:6:5: BGL101 `send` can fail",
        "lib.py:5:5: BGL402 `time.sleep` blocks the event loop",
        "Found 3 errors.",
        "[*] 1 fixable with the --fix option (1 more with --unsafe-fixes).",
    ]


@pytest.mark.parametrize(
    ("shown", "closing"),
    [
        (report(), ["All checks passed!"]),
        (report(REFUSED), ["Found 1 error."]),
        (report(SLEEP), ["Found 1 error.", "[*] 1 fixable with the --fix option."]),
        (
            report(TASK),
            [
                "Found 1 error.",
                "No fixes available (1 hidden fix can be enabled with the --unsafe-fixes option).",
            ],
        ),
        (
            report(TASK, TASK),
            [
                "Found 2 errors.",
                "No fixes available (2 hidden fixes can be enabled with the --unsafe-fixes option).",
            ],
        ),
        (
            report(SLEEP, TASK, unsafe_fixes=True),
            ["Found 2 errors.", "[*] 2 fixable with the --fix option."],
        ),
        (
            report(REFUSED, fixed={"a.py": {"BGL402": 2}, "b.py": {"BGL101": 1}}),
            ["Found 4 errors (3 fixed, 1 remaining)."],
        ),
        (report(fixed={"a.py": {"BGL402": 1}}), ["Found 1 error (1 fixed, 0 remaining)."]),
    ],
)
def test_summary(shown: Report, closing: list[str]) -> None:
    lines = render(shown, "concise").splitlines()
    assert lines[len(shown.findings) :] == closing
    assert render(shown, "full").splitlines()[-len(closing) :] == closing
    assert render(shown, "grouped").splitlines()[-len(closing) :] == closing


def test_unsafe_fixes_are_marked_when_they_are_enabled() -> None:
    assert "BGL101 [*] `send`" in render(report(TASK, unsafe_fixes=True), "concise")


def test_without_summary_only_the_findings_are_printed() -> None:
    assert render(report(REFUSED, summary=False), "concise").count("\n") == 1
    assert render(report(summary=False), "full") == ""


def test_show_fixes_lists_what_was_fixed_by_file_the_most_frequent_first() -> None:
    fixed = {"b.py": {"BGL999": 1}, "a.py": {"BGL101": 1, "BGL402": 12}}
    assert render(report(REFUSED, fixed=fixed, show_fixes=True), "concise").splitlines()[1:] == [
        "",
        "Fixed 14 errors:",
        "- a.py:",
        "    12 × BGL402 (blocking-sleep)",
        "     1 × BGL101 (unguarded-background-task)",
        "- b.py:",
        "    1 × BGL999",
        "",
        "Found 15 errors (14 fixed, 1 remaining).",
    ]


def test_grouped_puts_findings_under_their_file_in_aligned_columns() -> None:
    late = finding(span(12, 10, 12, 11), message="late")
    assert render(report(SLEEP, late, REFUSED, summary=False), "grouped").splitlines() == [
        "app/main.py:",
        "   5:5  BGL402 [*] `time.sleep` blocks the event loop",
        "  12:10 BGL402 late",
        "",
        "lib.py:",
        "  5:5 BGL402 `time.sleep` blocks the event loop",
        "",
    ]


def test_pylint_is_path_row_code_message() -> None:
    assert render(report(TASK), "pylint") == "app/main.py:6: [BGL101] `send` can fail\n"


# -- full ------------------------------------------------------------------------------------------


def test_full_shows_source_chain_and_the_fix_as_a_diff() -> None:
    assert render(report(SLEEP, summary=False), "full") == (
        """\
BGL402 [*] blocking-sleep: `time.sleep` blocks the event loop
 --> app/main.py:5:5
  |
4 | async def route(tasks):
5 |     time.sleep(1)
  |     ^^^^^^^^^^^^^
6 |     tasks.add_task(
7 |         send,
  |
call chain:
  app.main.route    app/main.py:5
  └─ app.mail.send  app/mail.py:12
help: Await `asyncio.sleep`
  |
1 + import asyncio
2 | import time
...
5 | async def route(tasks):
  -     time.sleep(1)
6 +     await asyncio.sleep(1)
7 |     tasks.add_task(
  |

"""
    )


def test_full_draws_a_bar_beside_a_span_of_several_lines_and_marks_unsafe_fixes() -> None:
    assert render(report(TASK, summary=False), "full") == (
        """\
BGL101 unguarded-background-task: `send` can fail
 --> app/main.py:6:5
  |
4 |   async def route(tasks):
5 |       time.sleep(1)
6 | /     tasks.add_task(
7 | |         send,
8 | |         1,
9 | |     )
  | |_____^
  |
help: Guard the task
  |
6 |     tasks.add_task(
  -         send,
7 +         guard(send),
8 |         1,
  |
note: This is an unsafe fix and may change runtime behavior

"""
    )


def test_full_says_why_no_fix_is_offered() -> None:
    assert "\nnote: fix not offered: `sleep` is a local name\n" in render(report(REFUSED), "full")


def test_full_without_a_readable_file_still_names_the_place() -> None:
    def gone(path: str) -> str:
        raise FileNotFoundError(path)

    assert render(report(SLEEP, text_of=gone, summary=False), "full").splitlines()[:2] == [
        "BGL402 [*] blocking-sleep: `time.sleep` blocks the event loop",
        " --> app/main.py:5:5",
    ]


def test_full_cuts_a_long_hunk() -> None:
    helper = Fix(Applicability.SAFE, "m", (Edit(span(1, 1, 1, 1), "x = 1\n" * 50),))
    text = render(report(finding(span(5, 5, 5, 9), fix=helper)), "full")
    assert text.count("+ x = 1") == 20
    assert "… 31 more lines" in text


def shown(text: str, where: Span, width: int = 100) -> list[str]:
    return excerpt(split_lines(text), where, "p", width, lambda part, style: part)[2:-1]


@pytest.mark.parametrize(
    ("text", "where", "lines"),
    [
        ("\tx = f()\n", span(1, 6, 1, 9), ["1 |     x = f()", "  |         ^^^"]),
        ('é = "日本語"; f()\n', span(1, 12, 1, 15), ['1 | é = "日本語"; f()', "  |               ^^^"]),
        ("e\u0301 = f()\n", span(1, 6, 1, 9), ["1 | e\u0301 = f()", "  |     ^^^"]),
        ("x = 1\n", span(1, 6, 1, 6), ["1 | x = 1", "  |      ^"]),
        ("x = (\n", span(2, 1, 2, 1), ["1 | x = (", "  |      ^"]),
        ("f()\nx\n", span(1, 1, 2, 1), ["1 | f()", "  | ^^^", "2 | x"]),
        (
            "a = f(\n    1)\n",
            span(1, 5, 2, 7),
            ["1 |   a = f(", "  |  _____^", "2 | |     1)", "  | |______^"],
        ),
        ("\x1b[2J = 1\r\n", span(1, 1, 1, 2), ["1 | ␛[2J = 1", "  | ^"]),
        ("a\rb\x0cc\n", span(2, 3, 2, 4), ["1 | a", "2 | b␌c", "  |   ^"]),
    ],
    ids=["tab", "wide", "combining", "end-of-line", "end-of-file", "newline", "block", "escape", "form-feed"],
)
def test_carets_stand_under_the_span(text: str, where: Span, lines: list[str]) -> None:
    assert shown(text, where) == lines


def test_a_long_line_is_cut_around_the_span() -> None:
    text = "x = " + "aaaa + " * 30 + "bad() + " + "cccc + " * 30 + "1\n"
    line, marks = shown(text, span(1, 215, 1, 220), 60)
    assert len(line) <= 60
    assert line.startswith("1 | …")
    assert line.endswith("…")
    assert line[marks.index("^") : marks.rindex("^") + 1] == "bad()"


def test_a_long_span_keeps_its_head_and_tail() -> None:
    text = "f(\n" + "    1,\n" * 40 + ")\n"
    lines = shown(text, span(1, 1, 42, 2))
    assert [line[:2].strip() for line in lines] == ["1", "2", "3", "4", "5", "", "40", "41", "42", ""]
    assert lines[5].endswith("| | ...")


def test_colour_adds_only_escape_codes() -> None:
    shown = report(SLEEP, TASK, REFUSED)
    for format in ("full", "concise", "grouped"):
        coloured = render(shown, format, color=True)
        assert "\x1b[" in coloured
        assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == render(shown, format)


# -- the diff of a fix -----------------------------------------------------------------------------


def test_changes_next_to_each_other_are_one_hunk_and_distant_ones_are_two() -> None:
    lines = split_lines("".join(f"{row}\n" for row in range(1, 31)))
    near = [Edit(span(3, 1, 3, 2), "x"), Edit(span(5, 1, 5, 2), "y")]
    far = [Edit(span(3, 1, 4, 1), ""), Edit(span(20, 1, 20, 3), "y")]
    assert [[f"{row.sign}{row.text}" for row in hunk] for hunk in changes(lines, near)] == [
        [" 2", "-3", "+x", " 4", "-5", "+y", " 6"],
    ]
    assert [[(row.number, row.text) for row in hunk] for hunk in changes(lines, far)] == [
        [(2, "2"), (None, "3"), (3, "4")],
        [(18, "19"), (None, "20"), (19, "y"), (20, "21")],
    ]


def test_a_change_behind_the_last_line() -> None:
    assert changes(("a\n",), [Edit(span(2, 1, 2, 1), "b\n")]) == [[Row(" ", 1, "a"), Row("+", 2, "b")]]


@st.composite
def edited(draw: st.DrawFn) -> tuple[str, list[Edit]]:
    """A text and non-overlapping edits in it."""
    text = draw(st.text(alphabet="ab\n\té", max_size=60))
    ends = sorted(draw(st.lists(st.integers(0, len(text)), max_size=6, unique=True)))
    pairs = list(zip(ends[::2], ends[1::2], strict=False))

    def location(offset: int) -> Location:
        before = text[:offset]
        return Location(before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1)

    content = st.text(alphabet="xy\n", max_size=5)
    return text, [Edit(Span(location(start), location(end)), draw(content)) for start, end in pairs]


@given(edited())
def test_the_hunks_applied_to_the_old_text_give_the_new_text(case: tuple[str, list[Edit]]) -> None:
    text, edits = case
    lines = text.splitlines()
    expected = text
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for edit in reversed(edits):
        begin, end = (starts[at.row - 1] + at.column - 1 for at in (edit.span.start, edit.span.end))
        expected = expected[:begin] + edit.content + expected[end:]

    # All rows but "+" are old lines, and the first number says where in the new text the hunk begins.
    result: list[str] = []
    taken = 0
    for hunk in changes(split_lines(text), edits):
        first = next((row.number for row in hunk if row.number is not None), len(result) + 1)
        untouched = first - 1 - len(result)
        result += lines[taken : taken + untouched]
        taken += untouched
        for row in hunk:
            if row.sign != "+":
                assert lines[taken] == row.text
                taken += 1
            if row.sign != "-":
                result.append(row.text)
    assert [*result, *lines[taken:]] == expected.splitlines()


# -- formats for machines --------------------------------------------------------------------------


def test_json_has_the_documented_keys_in_order() -> None:
    (entry,) = json.loads(render(report(TASK), "json"))
    keys = "code name level message filename location end_location chain fix fix_refused noqa_row url"
    assert " ".join(entry) == keys
    assert entry["location"] == {"row": 6, "column": 5}
    assert entry["end_location"] == {"row": 9, "column": 6}
    assert entry["level"] == "warning"
    assert entry["noqa_row"] == 6
    assert entry["url"] == "docs/rules/BGL101.md"
    assert entry["chain"] == []
    assert entry["fix"] == {
        "applicability": "unsafe",
        "message": "Guard the task",
        "edits": [
            {
                "content": "guard(send)",
                "location": {"row": 7, "column": 9},
                "end_location": {"row": 7, "column": 13},
            }
        ],
    }


def test_json_of_a_finding_without_fix_and_noqa_row() -> None:
    (entry,) = json.loads(render(report(REFUSED), "json"))
    assert entry["fix"] is None
    assert entry["noqa_row"] is None


def test_json_lines_are_the_same_objects() -> None:
    shown = report(SLEEP, TASK)
    lines = render(shown, "json-lines").splitlines()
    assert [json.loads(line) for line in lines] == json.loads(render(shown, "json"))


def test_nothing_to_report() -> None:
    assert render(report(), "json") == "[]\n"
    assert render(report(), "gitlab") == "[]\n"
    assert [render(report(), format) for format in ("json-lines", "github", "pylint")] == ["", "", ""]
    log = json.loads(render(report(), "sarif"))
    SARIF.validate(log)
    assert log["runs"][0]["results"] == []
    suites = ElementTree.fromstring(render(report(), "junit"))
    assert suites.attrib == {"name": "bglint", "tests": "1", "failures": "0", "errors": "0", "skipped": "0"}
    assert suites.find(".//failure") is None


def test_github_escapes_as_github_decodes() -> None:
    odd = finding(span(1, 2, 3, 4), path="a,b:c%d.py", message="50% of\r\nit, not: more")
    assert render(report(odd), "github") == (
        "::error title=bglint (BGL402),file=a%2Cb%3Ac%25d.py,line=1,col=2,endLine=3,endColumn=4"
        "::50%25 of%0D%0Ait, not: more\n"
    )


def test_gitlab_issue() -> None:
    error, warning = json.loads(render(report(SLEEP, TASK), "gitlab"))
    assert error.pop("fingerprint") != warning.pop("fingerprint")
    assert error == {
        "check_name": "BGL402",
        "description": "BGL402: `time.sleep` blocks the event loop",
        "severity": "major",
        "location": {
            "path": "app/main.py",
            "positions": {"begin": {"line": 5, "column": 5}, "end": {"line": 5, "column": 18}},
        },
    }
    assert warning["severity"] == "minor"


def test_junit_has_one_case_per_file_and_code() -> None:
    again = finding(span(7, 1, 7, 2), message="a < b & c")
    suites = ElementTree.fromstring(render(report(SLEEP, TASK, again, REFUSED), "junit"))
    assert suites.attrib["tests"] == suites.attrib["failures"] == "3"
    assert [
        (suite.attrib["name"], [case.attrib["name"] for case in suite]) for suite in suites
    ] == [("app/main.py", ["bglint.BGL402", "bglint.BGL101"]), ("lib.py", ["bglint.BGL402"])]  # fmt: skip
    failures = suites.findall(".//failure")
    assert [failure.attrib["message"] for failure in failures] == [
        "2 × blocking-sleep",
        "`send` can fail",
        "`time.sleep` blocks the event loop",
    ]
    assert (failures[0].text or "").strip().splitlines() == [
        "Finds `time.sleep` on the event loop.",
        "line 5, col 5, `time.sleep` blocks the event loop",
        "line 7, col 1, a < b & c",
    ]


# -- sarif -----------------------------------------------------------------------------------------


def sarif(shown: Report) -> dict[str, object]:
    log = json.loads(render(shown, "sarif"))
    SARIF.validate(log)
    run: dict[str, object] = log["runs"][0]
    return run


def test_the_schema_is_the_published_one_and_rejects_nonsense() -> None:
    assert SCHEMA["$id"].endswith("/sarif-spec/master/Schemata/sarif-schema-2.1.0.json")
    assert not SARIF.is_valid({"version": "2.1.0", "runs": [{"results": []}]})


def test_sarif_results_point_at_rules_with_their_documentation() -> None:
    unknown = finding(span(1, 1, 1, 1), code="BGL000", name="unparsable-file")
    run = sarif(report(SLEEP, TASK, unknown))
    driver = run["tool"]["driver"]  # type: ignore[index]
    rules = driver["rules"]
    assert [rule["id"] for rule in rules] == ["BGL000", "BGL101", "BGL402"]
    assert [(result["ruleId"], result["ruleIndex"]) for result in run["results"]] == [  # type: ignore[attr-defined]
        ("BGL402", 2),
        ("BGL101", 1),
        ("BGL000", 0),
    ]
    assert rules[2]["shortDescription"]["text"] == "Finds `time.sleep` on the event loop."
    assert rules[2]["help"]["markdown"].endswith("## Why is this bad?\nEverything else waits.")
    assert rules[1]["shortDescription"]["text"] == "Finds tasks <that> can fail."
    assert rules[0]["help"]["text"] == "unparsable-file"
    assert run["columnKind"] == "unicodeCodePoints"


def test_sarif_result_carries_place_chain_and_fix() -> None:
    (result,) = sarif(report(SLEEP))["results"]  # type: ignore[misc,attr-defined]
    assert result["level"] == "error"
    assert result["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "app/main.py", "uriBaseId": "%SRCROOT%"},
                "region": {"startLine": 5, "startColumn": 5, "endLine": 5, "endColumn": 18},
            }
        }
    ]
    steps = result["codeFlows"][0]["threadFlows"][0]["locations"]
    assert [step["location"]["message"]["text"] for step in steps] == ["app.main.route", "app.mail.send"]
    assert steps[1]["location"]["physicalLocation"] == {
        "artifactLocation": {"uri": "app/mail.py", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 12},
    }
    (fix,) = result["fixes"]
    assert fix["description"] == {"text": "Await `asyncio.sleep`"}
    assert fix["artifactChanges"][0]["replacements"] == [
        {
            "deletedRegion": {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 1},
            "insertedContent": {"text": "import asyncio\n"},
        },
        {
            "deletedRegion": {"startLine": 5, "startColumn": 5, "endLine": 5, "endColumn": 15},
            "insertedContent": {"text": "await asyncio.sleep"},
        },
    ]


def test_sarif_without_fix_and_chain_has_neither_key() -> None:
    (result,) = sarif(report(REFUSED))["results"]  # type: ignore[misc,attr-defined]
    assert not {"fixes", "codeFlows"} & set(result)


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("my app/ü#1.py", "my%20app/%C3%BC%231.py"),
        ("a:b?.py", "a%3Ab%3F.py"),
        ("odd\udcff.py", "odd%FF.py"),
        ("/abs/ü.py", "file:///abs/%C3%BC.py"),
    ],
)
def test_sarif_uris_are_percent_encoded(path: str, uri: str) -> None:
    (result,) = sarif(report(finding(span(1, 1, 1, 2), path=path)))["results"]  # type: ignore[misc,attr-defined]
    artifact = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert artifact["uri"] == uri
    assert ("uriBaseId" in artifact) is not uri.startswith("file:")


# -- fingerprints ----------------------------------------------------------------------------------


def test_fingerprints_survive_moved_and_reindented_lines() -> None:
    moved = finding(span(8, 1, 8, 14))
    assert fingerprints(report(SLEEP)) == fingerprints(report(moved, text="\n\n\n" + SOURCE.replace("    ", "")))


def test_fingerprints_tell_codes_paths_lines_and_repetitions_apart() -> None:
    same_line = finding(span(5, 9, 5, 10))
    other_code = finding(span(5, 5, 5, 6), code="BGL101")
    marks = fingerprints(report(SLEEP, same_line, other_code, TASK, REFUSED))
    assert len(set(marks)) == 5


def test_fingerprint_of_an_unreadable_file() -> None:
    def undecodable(path: str) -> str:
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")

    assert len(set(fingerprints(report(SLEEP, SLEEP, text_of=undecodable)))) == 2


# -- statistics ------------------------------------------------------------------------------------


def test_statistics_count_codes_the_most_frequent_first() -> None:
    assert statistics(report(SLEEP, TASK, REFUSED)).splitlines() == [
        "2\tBGL402\t[-] blocking-sleep",
        "1\tBGL101\t[ ] unguarded-background-task",
        "Found 3 errors.",
        "[*] 1 fixable with the --fix option (1 more with --unsafe-fixes).",
    ]
    assert statistics(report(SLEEP)).startswith("1\tBGL402\t[*] blocking-sleep\n")


def test_statistics_as_json() -> None:
    rows = json.loads(statistics(report(SLEEP, TASK, REFUSED), "json"))
    assert [" ".join(row) for row in rows] == ["code name count fixable fixable_count"] * 2
    assert [list(row.values()) for row in rows] == [
        ["BGL402", "blocking-sleep", 2, False, 1],
        ["BGL101", "unguarded-background-task", 1, False, 0],
    ]
    assert statistics(report(), "json") == "[]\n"


# -- all formats -----------------------------------------------------------------------------------


def test_an_unknown_format_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown output format 'xml', expected one of full, concise, json"):
        render(report(), "xml")


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_keeps_the_order(format: str) -> None:
    codes = [f"BGL{number}" for number in (503, 101, 402)]
    found = [
        finding(span(row, 1, row, 2), code=code, message=f"message-{row}", path=path)
        for path in ("a.py", "b.py")
        for row, code in enumerate(codes, start=1)
    ]
    output = render(report(*found), format)
    assert list(dict.fromkeys(re.findall(r"message-\d", output))) == ["message-1", "message-2", "message-3"]
    assert output.rindex("a.py") < output.index("b.py")
    assert max(output.index("a.py"), output.index("message-3")) < output.rindex("message-1")


def test_importing_the_package_imports_no_format() -> None:
    code = (
        "import sys, bglint.report; "
        "print([m for m in sys.modules if m.startswith('bglint.report.') or m in ('rich', 'json', 'libcst')])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_plain_text_needs_no_rich() -> None:
    code = """
import sys
from bglint.model import *
from bglint.report import Report, render
where = Span(Location(1, 1), Location(1, 2))
finding = Finding("BGL1", "n", Level.ERROR, "m", "p", where)
for format in ("full", "concise", "grouped"):
    render(Report((finding,), lambda path: "x\\n", {}, 1, False, False), format)
print([m for m in ("rich", "json", "libcst", "bglint.rules") if m in sys.modules])
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


anything = st.text(
    alphabet=st.one_of(st.characters(), st.sampled_from("\n\r\t\x00\x1b\x85\u2028\u202e\udcff\ufffe'\"<&>%,:]{}")),
    max_size=20,
)
rows = st.integers(1, 12)
spans = st.tuples(rows, rows, rows, rows).map(
    lambda four: Span(*sorted((Location(four[0], four[1]), Location(four[2], four[3]))))
)
fixes = st.builds(
    Fix,
    st.sampled_from(Applicability),
    anything,
    st.lists(st.builds(Edit, spans, anything), max_size=2).map(tuple),
)
# Undecodable bytes of a file name arrive as U+DC80 to U+DCFF; no other surrogate does.
paths = anything.map(lambda text: re.sub("[\ud800-\udc7f\udd00-\udfff]", "", text)).filter(bool)
findings = st.builds(
    Finding,
    code=st.sampled_from(["BGL000", "BGL101", "BGL402"]),
    name=st.just("a-name"),
    level=st.sampled_from(Level),
    message=anything,
    path=paths,
    span=spans,
    chain=st.lists(st.builds(Frame, anything, paths, rows), max_size=2).map(tuple),
    fix=st.none() | fixes,
    fix_refused=st.none() | anything,
)
reports = st.builds(
    lambda found, text: report(*sorted(found, key=lambda each: each.sort_key), text=text),
    st.lists(findings, max_size=4),
    anything,
)


@settings(max_examples=150, deadline=None)
@given(reports, st.integers(1, 120))
def test_every_format_renders_every_finding_in_order(shown: Report, width: int) -> None:
    outputs = {format: render(shown, format, width=width) for format in FORMATS}
    for output in outputs.values():
        output.encode()  # a lone surrogate would stop the run when it is printed
        assert not output or output.endswith("\n")
        assert "\x1b" not in output

    places = [(found.code, found.span.start.row, found.span.start.column) for found in shown.findings]
    count = len(places)

    entries = json.loads(outputs["json"])
    assert [entry["message"] for entry in entries] == [found.message for found in shown.findings]
    assert [entry["filename"] for entry in entries] == [found.path for found in shown.findings]
    assert [json.loads(line) for line in outputs["json-lines"].splitlines()] == entries

    issues = json.loads(outputs["gitlab"])
    begins = [(issue["check_name"], issue["location"]["positions"]["begin"]) for issue in issues]
    assert [(code, begin["line"], begin["column"]) for code, begin in begins] == places
    assert len({issue["fingerprint"] for issue in issues}) == count

    log = json.loads(outputs["sarif"])
    SARIF.validate(log)
    results = log["runs"][0]["results"]
    regions = [(each["ruleId"], each["locations"][0]["physicalLocation"]["region"]) for each in results]
    assert [(code, region["startLine"], region["startColumn"]) for code, region in regions] == places
    assert [each["message"]["text"] for each in results] == [found.message for found in shown.findings]

    for (code, row, column), line in zip(places, outputs["concise"].splitlines()[:count], strict=True):
        assert f":{row}:{column}: {code} " in line
    for (code, row, column), line in zip(places, outputs["github"].splitlines(), strict=True):
        assert line.startswith(f"::error title=bglint ({code}),file=")
        assert f",line={row},col={column}," in line
    for (code, row, _), line in zip(places, outputs["pylint"].splitlines(), strict=True):
        assert f":{row}: [{code}] " in line
    heads = re.findall(r"^ +(\d+):(\d+) +(BGL\d+) ", outputs["grouped"], re.M)
    assert [(code, int(row), int(column)) for row, column, code in heads] == places
    assert outputs["full"].count("--> ") >= count

    suites = ElementTree.fromstring(outputs["junit"].encode())
    listed = re.findall(r"^line (\d+), col (\d+), ", "\n".join(suites.itertext()), re.M)
    assert sorted(listed) == sorted((str(row), str(column)) for _, row, column in places)


@given(anything)
def test_printable_text_is_one_visible_line(text: str) -> None:
    result = printable(text)
    assert len(result.splitlines()) <= 1
    assert printable(result) == result
    assert result.isascii() or set(result) - set(map(chr, range(128))) <= set(text)
