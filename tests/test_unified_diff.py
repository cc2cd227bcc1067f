"""The patch, as git reads it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bglint.unified_diff import unified_diff


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    return folder


def applied(folder: Path, name: str, before: bytes, patch: bytes) -> bytes:
    """Return what ``git apply`` makes of a file."""
    path = folder / name
    path.write_bytes(before)
    if patch:
        subprocess.run(["git", "apply", "--whitespace=nowarn", "-"], cwd=folder, input=patch, check=True)
    try:
        return path.read_bytes()
    finally:
        path.unlink()


def test_no_difference_is_no_patch() -> None:
    assert unified_diff(b"a\n", b"a\n", "a.py") == b""


def test_a_missing_newline_at_the_end_is_said_on_its_side() -> None:
    assert unified_diff(b"a\nb", b"a\nc\n", "x.py") == (
        b"--- a/x.py\n+++ b/x.py\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+c\n"
    )


def test_a_carriage_return_belongs_to_its_line() -> None:
    assert b"-a\r\n+b\r\n" in unified_diff(b"a\r\n", b"b\r\n", "x.py")


@pytest.mark.parametrize(
    ("path", "header"),
    [
        ("src/a.py", b"--- a/src/a.py\n"),
        ("/abs/a.py", b"--- a/abs/a.py\n"),
        ("my file.py", b"--- a/my file.py\t\n"),
        ("\u00fc.py", b"--- a/\xc3\xbc.py\n"),
        ('a"b.py', b'--- "a/a\\042b.py"\n'),
        ("a\nb.py", b'--- "a/a\\012b.py"\n'),
    ],
)
def test_names_are_written_as_git_reads_them(path: str, header: bytes) -> None:
    assert unified_diff(b"a", b"b", path).startswith(header)


LINES = st.lists(
    st.sampled_from([b"a\n", b"b\n", b"\n", b"c\r\n", b"d\r", b"\xff\xe9\n", b"\x0c\n", b"--- a\n"]), max_size=12
)
TEXTS = st.builds(lambda lines, end: b"".join(lines) + end, LINES, st.sampled_from([b"", b"end", b"end\r"]))


@given(
    # git takes a patch that makes a file empty, or fills an empty one, for its removal or creation.
    before=TEXTS.filter(bool),
    after=TEXTS.filter(bool),
    name=st.sampled_from(["x.py", "a b.py", "\u00fc \u00e9.py", 'q"\\.py', "t\tn\n.py"]),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_git_makes_the_new_bytes_of_the_old_ones(repository: Path, before: bytes, after: bytes, name: str) -> None:
    assert applied(repository, name, before, unified_diff(before, after, name)) == after
