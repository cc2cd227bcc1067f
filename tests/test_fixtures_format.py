"""The parser of the spec files: what a case is, what a marker means, and that nothing is lost in silence."""

from __future__ import annotations

import contextlib
import string
from textwrap import dedent

import pytest
from fixtures_format import Case, Expected, Fixture, FixtureError, SourceFile, parse_filename, parse_fixture
from hypothesis import given
from hypothesis import strategies as st

NAME = "BGL201-gather-outside-task-group.md"


def fixture(text: str) -> Fixture:
    return parse_fixture(dedent(text), NAME)


def only_case(text: str) -> Case:
    (case,) = fixture(text).cases
    return case


def only_file(source: str) -> SourceFile:
    """The file of a case whose python block is ``source``."""
    (file,) = parse_fixture(f"## Case\n```python\n{source}```\n", NAME).cases[0].files
    return file


class TestFileNames:
    def test_code_and_rule_name(self) -> None:
        assert parse_filename("fixtures/proofs/BGL203-dangling-task.md") == ("BGL203", "dangling-task")

    @pytest.mark.parametrize("name", ["README.md", "BGL20-a.md", "BGL201.md", "BGL201-Gather.md", "BGL201-a.txt"])
    def test_other_shapes_are_errors(self, name: str) -> None:
        with pytest.raises(FixtureError, match="file name"):
            parse_filename(name)


class TestCases:
    def test_each_section_with_a_block_is_a_case(self) -> None:
        parsed = fixture("""\
            # BGL201

            Prose, with an illustration:

            ```text
            nothing
            ```

            ## Reported
            ### Two calls
            ```python
            a()
            ```
            ### Three calls
            More prose.
            ~~~python
            b()
            ~~~
            ## Only prose
            """)
        assert (parsed.code, parsed.name) == ("BGL201", "gather-outside-task-group")
        assert [(case.title, case.row) for case in parsed.cases] == [("Two calls", 10), ("Three calls", 14)]
        assert [case.files[0].text for case in parsed.cases] == ["a()\n", "b()\n"]

    def test_headings_inside_a_fence_are_source(self) -> None:
        case = only_case("""\
            ## One
            ```python
            ## two
            a()
            ```
            """)
        assert case.files[0].text == "## two\na()\n"

    def test_a_longer_fence_may_hold_a_shorter_one(self) -> None:
        case = only_case("""\
            ## One
            ````python
            text = '''
            ```
            '''
            ````
            """)
        assert case.files[0].text == "text = '''\n```\n'''\n"

    def test_toml_is_the_configuration(self) -> None:
        case = only_case("""\
            ## One
            ```toml
            guards = ["app.safe"]
            ```
            ```python
            a()
            ```
            """)
        assert case.config == 'guards = ["app.safe"]\n'

    def test_blocks_with_a_path_are_one_project(self) -> None:
        case = only_case("""\
            ## One
            ```python file=app/mail.py
            def send(): ...
            ```
            ```python file=app/main.py
            send()  # error: BGL201
            ```
            """)
        assert [(file.path, len(file.expected)) for file in case.files] == [
            ("app/mail.py", 0),
            ("app/main.py", 1),
        ]
        assert case.reports

    def test_fixed_blocks_belong_to_the_block_before_or_to_their_path(self) -> None:
        case = only_case("""\
            ## One
            ```python file=a.py
            a()  # error: BGL201
            ```
            ```python file=b.py
            b()  # error: BGL201
            ```
            ```python fixed file=a.py
            A()
            ```
            ```python fixed
            B()
            ```
            ```python unsafe-fixed
            BB()
            ```
            """)
        assert [(file.fixed, file.unsafe_fixed) for file in case.files] == [
            ("A()\n", None),
            ("B()\n", "BB()\n"),
        ]

    def test_an_empty_block_is_an_empty_file(self) -> None:
        assert only_file("").text == ""


class TestMarkers:
    def test_it_leaves_its_line_as_if_it_had_never_been_there(self) -> None:
        file = only_file("a()\nb()   # type: ignore  # error: BGL201\nc()\n")
        assert file.text == "a()\nb()   # type: ignore\nc()\n"
        assert file.expected == (Expected(2, "BGL201"),)

    def test_options(self) -> None:
        file = only_file(
            r'a()  # error: BGL201 col=5 message="say \"hi\", #2" fix=none refused="a, try", BGL401 fix=safe' + "\n"
        )
        assert file.expected == (
            Expected(1, "BGL201", column=5, message='say "hi", #2', fix="none", refused="a, try"),
            Expected(1, "BGL401", fix="safe"),
        )

    def test_error_below_means_the_next_line_and_takes_no_line_itself(self) -> None:
        file = only_file("x\n    # error-below: BGL201\n    # error-below: BGL401\ny = '''\n''' # error: BGL203\n")
        assert file.text == "x\ny = '''\n'''\n"
        assert file.expected == (Expected(2, "BGL201"), Expected(2, "BGL401"), Expected(3, "BGL203"))

    def test_twice_the_same_code_is_two_findings(self) -> None:
        assert only_file("a()  # error: BGL201 col=1, BGL201 col=4\n").expected == (
            Expected(1, "BGL201", column=1),
            Expected(1, "BGL201", column=4),
        )

    def test_other_comments_about_errors_stay(self) -> None:
        source = "a()  # an error: none of ours\nb()  # errors are handled, see BGL201\n"
        assert only_file(source).text == source

    @pytest.mark.parametrize(
        "line",
        [
            "a()  # error: BGL20",
            "a()  # error: E501",
            "a()  # error: BGL201,",
            "a()  # error: BGL201 BGL401",
            "a()  # error: BGL201 and more",
            "a()  # error: BGL201 col=0",
            "a()  # error: BGL201 col=x",
            "a()  # error: BGL201 fix=maybe",
            "a()  # error: BGL201 colour=red",
            'a()  # error: BGL201 message="open',
            "a()  # error BGL201",
            "a()  #error: BGL201",
            "a()  # Error: BGL201",
            "a()  # error-below: BGL201",
            "    # error: BGL201",
            "# error-below: BGL201\n",
        ],
    )
    def test_what_cannot_be_read_is_an_error_at_its_row(self, line: str) -> None:
        with pytest.raises(FixtureError, match=rf"^{NAME}:[45]: "):
            only_file(f"first()\n{line}\n")


class TestMistakes:
    """Nothing that an author meant as an assertion is passed over."""

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("## One\n```python\na()\n", ":2: .*never closed"),
            ("# Title\n```python\na()\n```\n", ":2: .*heading of level 2 or 3"),
            ("## One\n#### Deep\n```python\na()\n```\n", ":3: .*heading of level 2 or 3"),
            ("## One\n```pyhton\na()\n```\n", ":2: unknown language 'pyhton'"),
            ("## One\n```python fix\na()\n```\n", ":2: unexpected 'fix'"),
            ("## One\n```python file=/a.py\na()\n```\n", ":2: file= needs a relative path"),
            ("## One\n```python file=../a.py\na()\n```\n", ":2: file= needs a relative path"),
            ("## One\n```python\n```\n```python\n```\n", ":4: example.py is there already"),
            ("## One\n```python fixed\na()\n```\n", ":2: no python block for example.py"),
            ("## One\n```python\na()\n```\n```python fixed\nb()\n```\n", ":1: .*nothing to fix"),
            ("## One\n```toml\n```\n", ":1: .*no python block"),
            ("## One\n```toml\n```\n```toml\n```\n", ":4: .*one toml block"),
            ("## Silent: one\n```python\na()  # error: BGL201\n```\n", ":1: .*has no markers"),
            (
                "## One\n```python\na()  # error: BGL201\n```\n```python fixed\n```\n```python fixed\n```\n",
                ":7: .*already",
            ),
            (
                "## One\n```python\na()  # error: BGL201\n```\n```python fixed\nb()  # error: BGL201\n```\n",
                ":5: .*no markers",
            ),
        ],
    )
    def test_it_is_an_error_at_its_row(self, text: str, message: str) -> None:
        with pytest.raises(FixtureError, match=message):
            parse_fixture(text, NAME)


quoted = st.text(string.ascii_letters + string.digits + " '\"\\,=#é", min_size=1)
expected_findings = st.builds(
    Expected,
    row=st.just(0),
    code=st.sampled_from(["BGL101", "BGL201", "BGL401"]),
    column=st.none() | st.integers(1, 200),
    message=st.none() | quoted,
    fix=st.none() | st.sampled_from(["none", "safe", "unsafe"]),
    refused=st.none() | quoted,
)
source_lines = st.lists(
    st.tuples(
        st.text(string.ascii_letters + " ().,'é名", min_size=1).filter(lambda line: not line.endswith(" ")),
        st.lists(expected_findings, max_size=3),
        st.booleans(),
    ),
    max_size=8,
)


def written(finding: Expected) -> str:
    """The marker's text for a finding."""

    def quote(value: str) -> str:
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'

    options = [
        f"col={finding.column}" if finding.column else "",
        f"message={quote(finding.message)}" if finding.message else "",
        f"fix={finding.fix}" if finding.fix else "",
        f"refused={quote(finding.refused)}" if finding.refused else "",
    ]
    return " ".join([finding.code, *filter(None, options)])


@given(source_lines)
def test_any_source_and_any_markers_come_back_as_they_were_written(
    lines: list[tuple[str, list[Expected], bool]],
) -> None:
    marked = ""
    for text, findings, below in lines:
        marker = ", ".join(map(written, findings))
        if not findings:
            marked += f"{text}\n"
        elif below:
            marked += f"  # error-below: {marker}\n{text}\n"
        else:
            marked += f"{text}  # error: {marker}\n"
    file = only_file(marked)
    assert file.text == "".join(f"{text}\n" for text, _, _ in lines)
    assert [(found.row, written(found)) for found in file.expected] == [
        (row, written(finding)) for row, (_, findings, _) in enumerate(lines, 1) for finding in findings
    ]


@given(
    st.text(string.printable)
    | st.lists(st.sampled_from(["## A", "```python", "```", "x  # error: BGL201", "~~~"])).map("\n".join)
)
def test_any_text_is_a_fixture_or_a_fixture_error(text: str) -> None:
    with contextlib.suppress(FixtureError):
        assert all(case.title and case.files for case in parse_fixture(text, NAME).cases)
