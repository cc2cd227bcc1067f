"""Bytes become text as Python itself reads them, and nothing is lost on the way back."""

from __future__ import annotations

import ast
import codecs
import io
import os
import pickle
import tokenize
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bglint.model import Location, Span
from bglint.source import Source, SourceError, decode, read

NEWLINES = ("\n", "\r\n", "\r")
ENCODINGS = ("utf-8", "latin-1", "cp1252", "koi8-r", "shift_jis", "euc-kr")


def source(text: str) -> Source:
    return decode(text.encode(), "app.py")


def refusal(data: bytes) -> SourceError:
    with pytest.raises(SourceError) as caught:
        decode(data, "app.py")
    return caught.value


texts = st.text(st.sampled_from("ab#é=\n\r\f\v\x1c\x85\u2028\t 日"), max_size=40)


@given(texts, st.booleans())
def test_encoding_gives_the_bytes_back(text: str, bom: bool) -> None:
    data = (codecs.BOM_UTF8 if bom else b"") + text.encode()
    read_back = decode(data, "app.py")
    assert (read_back.text, read_back.bom) == (text, bom)
    assert read_back.encode(read_back.text) == data


@given(st.sampled_from(ENCODINGS), st.sampled_from(NEWLINES), st.text(max_size=20), st.booleans())
def test_a_declared_encoding_gives_the_bytes_back(encoding: str, newline: str, word: str, second: bool) -> None:
    known = word.replace("\0", "").encode(encoding, "ignore").decode(encoding)
    lines = ["#!/usr/bin/python"] * second + [f"# -*- coding: {encoding} -*-", f"word = {known}"]
    data = newline.join(lines).encode(encoding)
    read_back = decode(data, "app.py")
    assert read_back.text.split(newline)[-1] == newline.join(lines).split(newline)[-1]
    assert read_back.encode(read_back.text) == data


@given(texts)
def test_location_and_offset_are_each_others_inverse(text: str) -> None:
    here = source(text)
    for offset in range(len(text) + 1):
        assert here.offset(here.location(offset)) == offset


@given(texts)
def test_lines_are_those_that_python_counts(text: str) -> None:
    lines = source(text).lines
    assert "".join(lines) == text
    assert [line.rstrip("\r\n") for line in lines] == io.StringIO(text, newline=None).read().removesuffix("\n").split(
        "\n"
    ) or text == ""


def test_form_feeds_and_line_separators_end_no_line() -> None:
    text = "a = 1\f\nb = '\u2028\x85\x1c'\nc = 3\n"
    assert source(text).lines == ["a = 1\f\n", "b = '\u2028\x85\x1c'\n", "c = 3\n"]
    assert ast.parse(text).body[-1].lineno == 3


@pytest.mark.parametrize(
    ("text", "offset", "place"),
    [
        ("", 0, Location(1, 1)),
        ("a", 1, Location(1, 2)),
        ("a\n", 2, Location(2, 1)),
        ("a\r\nb", 3, Location(2, 1)),
        ("a\rb", 2, Location(2, 1)),
        ("日本 = x", 5, Location(1, 6)),
    ],
)
def test_places_count_characters_from_one(text: str, offset: int, place: Location) -> None:
    assert source(text).location(offset) == place


@pytest.mark.parametrize("place", [Location(0, 1), Location(1, 0), Location(1, 7), Location(2, 1)])
def test_a_place_outside_the_text_is_an_error(place: Location) -> None:
    with pytest.raises(ValueError, match=r"app\.py has no row"):
        source("a = 1").offset(place)


@pytest.mark.parametrize("offset", [-1, 6])
def test_an_offset_outside_the_text_is_an_error(offset: int) -> None:
    with pytest.raises(ValueError, match=r"app\.py has no offset"):
        source("a = 1").location(offset)


def test_a_slice_is_the_text_of_its_span() -> None:
    text = "f(\n  é,\n)\n"
    assert source(text).slice(Span(Location(2, 3), Location(3, 2))) == "é,\n)"


@pytest.mark.parametrize(
    ("text", "newline"),
    [("", "\n"), ("a", "\n"), ("a\r\nb\r\nc\n", "\r\n"), ("a\rb\rc\n", "\r"), ("a\nb\nc\r\n", "\n")],
)
def test_the_most_frequent_line_end_is_the_files(text: str, newline: str) -> None:
    assert source(text).newline == newline


@pytest.mark.parametrize(
    ("data", "encoding", "text"),
    [
        (b"# coding: latin-1\nx = '\xe9'\n", "iso-8859-1", "# coding: latin-1\nx = 'é'\n"),
        (b"#!/bin/sh\n# vim: set fileencoding=cp1252 :\n'\x80'", "cp1252", None),
        (b"# coding: utf-8-sig\n", "utf-8", None),
        (b"\xef\xbb\xbf# coding: UTF_8\nx = 1", "utf-8", "# coding: UTF_8\nx = 1"),
        (b"# comment\r# coding: cp1252\r'\x80'\r", "cp1252", "# comment\r# coding: cp1252\r'€'\r"),
        (b"x = 1\n# coding: cp1252\n", "utf-8", None),
        (b"\n\n# coding: cp1252\n", "utf-8", None),
    ],
)
def test_the_declaration_counts_where_python_looks_for_it(data: bytes, encoding: str, text: str | None) -> None:
    found = decode(data, "app.py")
    assert found.encoding == encoding
    assert text is None or found.text == text
    assert found.encode(found.text) == data


cookies = st.sampled_from(
    ["", "coding: utf-8", "-*- coding: latin-1 -*-", "coding=cp1252", "coding: utf-9", "coding: UTF_8", "x"]
)


@given(st.booleans(), st.lists(st.builds("{}{}".format, st.sampled_from(["# ", "x = 1 # ", ""]), cookies)))
def test_the_same_declarations_are_found_as_by_tokenize(bom: bool, lines: list[str]) -> None:
    data = (codecs.BOM_UTF8 if bom else b"") + "\n".join(lines).encode()
    try:
        expected = tokenize.detect_encoding(io.BytesIO(data).readline)[0]
    except SyntaxError:
        assert refusal(data).row in (1, 2)
    else:
        found = decode(data, "app.py").encoding
        assert codecs.lookup(found) == codecs.lookup(expected.replace("utf-8-sig", "utf-8"))


@pytest.mark.parametrize(
    ("data", "row", "column", "message"),
    [
        (b"a = 1\r\nb = '\xe9'\r\n", 2, 6, "not valid utf-8: byte 0xe9: invalid continuation byte"),
        ("é = '".encode() + b"\xff'", 1, 6, "not valid utf-8: byte 0xff: invalid start byte"),
        (b"# coding: ascii\nx = '\xe9'", 2, 6, "not valid ascii: byte 0xe9: ordinal not in range(128)"),
        (b"a = 1\nb = '\0'\n", 2, 6, "source code cannot contain null bytes"),
        (b"#!x\n# coding: klingon\n", 2, 11, "unknown encoding: klingon"),
        (b"# coding: rot13\n", 1, 11, "unknown encoding: rot13"),
        (b"# coding: utf-16\n", 1, 11, "unknown encoding: utf-16"),
        (
            codecs.BOM_UTF8 + b"# coding: cp1252\n",
            1,
            11,
            "encoding declared as cp1252, but the file starts with a UTF-8 byte order mark",
        ),
    ],
)
def test_bytes_that_python_refuses_are_refused_with_their_place(
    data: bytes, row: int, column: int, message: str
) -> None:
    with pytest.raises((SyntaxError, ValueError)):
        compile(data, "app.py", "exec")
    error = refusal(data)
    assert (error.path, error.row, error.column, error.message) == ("app.py", row, column, message)


@given(st.binary(max_size=30), st.sampled_from([b"", b"# coding: cp1252\n", b"# coding: euc-kr\n"]))
def test_any_bytes_become_text_or_a_source_error(data: bytes, cookie: bytes) -> None:
    try:
        found = decode(cookie + data, "app.py")
    except SourceError:
        return
    assert found.data == cookie + data
    assert "\0" not in found.text


def test_a_missing_file_is_reported_in_the_systems_words(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        read(tmp_path / "gone.py")
    assert str(caught.value) == f"{tmp_path / 'gone.py'}:1:1: {os.strerror(2)}"


def test_a_directory_is_reported_in_the_systems_words(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        read(tmp_path)
    assert caught.value.message == os.strerror(21)


def test_a_file_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"\xef\xbb\xbfa = 1\r\n")
    found = read(tmp_path / "a.py")
    assert (found.path, found.text, found.bom, found.newline) == (
        tmp_path / "a.py",
        "a = 1\r\n",
        True,
        "\r\n",
    )


def test_errors_travel_between_processes() -> None:
    error = SourceError("a.py", 2, 3, "not valid utf-8")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_text_that_the_encoding_cannot_hold_is_not_written() -> None:
    with pytest.raises(UnicodeEncodeError):
        decode(b"# coding: latin-1\n", "app.py").encode("€")
