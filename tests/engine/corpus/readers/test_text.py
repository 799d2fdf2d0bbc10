"""Plain text: a row per line, paragraph or piece between separators; an unusable line is a dropped row in its place.

`tests.fuzz` tries random bytes.
"""

from __future__ import annotations

import codecs
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from engine.corpus.readers.lines import MAX_LINE_BYTES, Line, decoded_lines, head_lines
from engine.corpus.readers.text_rows import MAX_PARAGRAPH_CHARS
from engine.corpus.types import DroppedRow, Source
from tests.engine.corpus.reading import Case, read, recorded_cases, texts_of

CHUNK = 65_536


@recorded_cases("text")
def test_text_is_read_as_recorded(case: Case, snapshot: SnapshotAssertion) -> None:
    assert case.read() == snapshot


def test_a_paragraph_over_the_bound_is_one_counted_drop() -> None:
    line = "x" * 99_999 + "\n"
    longest = line * (MAX_PARAGRAPH_CHARS // 100_000)
    assert texts_of({"a.txt": longest}, blank_line_separated=True) == [longest.removesuffix("\n")]
    lines = read({"a.txt": line * 25 + "\nnext\n"}, blank_line_separated=True).splitlines()
    assert lines[1].startswith("- with a piece over 1 MB: line 11: xxx")
    assert lines[2:] == ["+ 'next'"]


# Lines ----------------------------------------------------------------------------------------------------------------


def lines_of(data: bytes) -> list[Line]:
    """Return the lines of a file with this content."""
    return list(decoded_lines(io.BytesIO(data), Source("a.txt", "text")))


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("padding", [0, 1, CHUNK - 12, CHUNK - 11, CHUNK - 10, CHUNK - 5, CHUNK - 4, 3 * CHUNK])
def test_any_line_end_is_removed_wherever_it_falls(end: bytes, padding: int) -> None:
    lines = ["x" * padding, "one", "", "two\u2028\x85\x0b\x0cthree", "four"]
    content = end.join(line.encode() for line in lines)
    assert lines_of(content) == lines
    assert lines_of(content + end) == lines


@pytest.mark.parametrize(
    ("data", "lines"), [(b"a\nb\rc\r\nd\n\re", ["a", "b", "c", "d", "", "e"]), (b"", []), (b"\n", [""])]
)
def test_line_endings_can_be_mixed_and_no_bytes_are_no_lines(data: bytes, lines: list[str]) -> None:
    assert lines_of(data) == lines


def test_a_byte_order_mark_is_removed_at_the_start_only() -> None:
    assert lines_of(codecs.BOM_UTF8 + b"one\n" + codecs.BOM_UTF8 + b"two\n") == ["one", "\ufefftwo"]


def test_a_line_that_is_not_utf_8_is_windows_1252_and_the_others_are_not() -> None:
    text = Source("a.txt", "text")
    content = "naïve\n".encode() + "it’s 5 €\ncafé\n".encode("cp1252") + "naïve 😀".encode()
    assert list(decoded_lines(io.BytesIO(content), text)) == ["naïve", "it’s 5 €", "café", "naïve 😀"]
    assert text.notes == ["2 lines read as Windows-1252"]


def test_a_line_with_a_nul_byte_is_unusable_and_its_neighbours_are_not() -> None:
    assert lines_of(b"one\ntw\0o\nthree") == ["one", DroppedRow("with a NUL byte", "line 2: two"), "three"]


def test_a_line_of_the_maximum_length_is_kept_and_a_longer_one_dropped() -> None:
    long = b"x" * MAX_LINE_BYTES
    lines = lines_of(b"one\n" + long + b"\n" + long + b"x\r\n" + long + b"xx\rtwo")
    assert lines[:2] == ["one", long.decode()]
    assert [line.reason for line in lines[2:4] if isinstance(line, DroppedRow)] == ["with a line over 1 MB"] * 2
    assert lines[4:] == ["two"]


def test_the_head_of_a_file_is_its_whole_lines() -> None:
    assert head_lines(b"one\ntwo\nthr") == ["one", "two"]
    assert head_lines(b"one\r\ntwo\r\n") == ["one", "two"]
    assert head_lines(b"one") == ["one"]
    assert head_lines(b"o\0ne\ntwo\n") == ["two"]
    assert head_lines(b"") == []


@given(lines=st.lists(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\r\n\0"))))
def test_lines_of_utf_8_come_back(lines: list[str]) -> None:
    content = "".join(line + "\n" for line in lines).encode()
    assert lines_of(content) == [line.removeprefix("\ufeff") if not at else line for at, line in enumerate(lines)]
