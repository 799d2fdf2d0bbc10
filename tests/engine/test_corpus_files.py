"""From files to rows: formats are recognised, columns found, and what can't be read is named."""

from __future__ import annotations

import codecs
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.corpus.files import read_rows, recognise
from engine.corpus.readers.csv_rows import csv_rows
from engine.corpus.rows import Row, Unusable
from engine.corpus_config import FileFormat
from engine.errors import CorpusError


def rows_of(
    folder: Path,
    content: str | bytes,
    name: str = "data.csv",
    file_format: FileFormat = "auto",
    column: str | None = None,
) -> list[Row]:
    """Return the rows of a file with this content."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read_rows(path, file_format, column))


def error_of(
    folder: Path,
    content: str | bytes,
    name: str = "data.csv",
    file_format: FileFormat = "auto",
    column: str | None = None,
) -> CorpusError:
    """Return the error that reading a file with this content ends with; it says what and what to do."""
    with pytest.raises(CorpusError) as caught:
        rows_of(folder, content, name, file_format, column)
    assert caught.value.hint
    assert name in caught.value.message
    return caught.value


# Formats --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "suffix", "file_format"),
    [
        (b"hello there\n", ".csv", "csv"),
        (b"hello there\n", ".CSV", "csv"),
        (b"hello there\n", ".txt", "text"),
        (b"hello there\n", "", "text"),
        (b"hello there\n", ".log", "text"),
        (b'"hello, there"\n', "", "csv"),
        (b'{"text": "hello"}\n', "", "jsonl"),
        (b'{"text": "hello"}\n', ".txt", "jsonl"),
        (b'{"text": "hello"}\n', ".jsonl", "jsonl"),
        (b'"hello"\n', ".ndjson", "jsonl"),
        (codecs.BOM_UTF8 + b'\n {"text": "hello"}\n', "", "jsonl"),
        (codecs.BOM_UTF8 + b'"hello, there"\n', "", "csv"),
    ],
)
def test_a_format_is_recognised_by_content_and_name(head: bytes, suffix: str, file_format: FileFormat) -> None:
    assert recognise(head, suffix) == file_format


@pytest.mark.parametrize(("suffix", "file_format"), [(".csv", "csv"), (".txt", "text"), ("", "text")])
def test_a_tweet_that_begins_with_a_brace_does_not_make_a_file_json(suffix: str, file_format: FileFormat) -> None:
    assert recognise(b"{hugs} to everyone: have a nice day\n", suffix) == file_format


def test_a_record_of_a_one_column_csv_with_a_bare_comma_is_counted_and_not_cut_short(tmp_path: Path) -> None:
    content = 'hello there\nhello, world\n"hello, all"\n'

    assert rows_of(tmp_path, content) == ["hello there", Unusable("with more than one column"), "hello, all"]


def test_a_format_that_is_given_wins_over_the_look_of_the_file(tmp_path: Path) -> None:
    assert rows_of(tmp_path, '"a, b"\n', file_format="text") == ['"a, b"']
    assert rows_of(tmp_path, '"a, b"\n', name="data.txt", file_format="csv") == ["a, b"]


# Text -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_every_line_of_a_text_is_a_row(tmp_path: Path, newline: str) -> None:
    lines = ["one, two", "  three ", "", 'quo"te', "five\u2028still five"]
    assert rows_of(tmp_path, newline.join(lines), "data.txt") == lines
    assert rows_of(tmp_path, newline.join([*lines, ""]), "data.txt") == lines


def test_a_text_has_no_columns(tmp_path: Path) -> None:
    assert "no column tweet" in error_of(tmp_path, "hello\n", "data.txt", column="tweet").message


# CSV ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_one_column_of_quoted_tweets_is_read_as_the_tutorial_reads_it(tmp_path: Path, newline: str) -> None:
    content = newline.join(["plain", '"with, comma"', '"she said ""hi"""', "it's"]) + newline
    assert rows_of(tmp_path, content) == ["plain", "with, comma", 'she said "hi"', "it's"]


def test_a_quoted_tweet_may_go_over_lines(tmp_path: Path) -> None:
    assert rows_of(tmp_path, '"one\ntwo"\nthree\n') == ["one\ntwo", "three"]


@given(tweets=st.lists(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\r\0")), min_size=1))
def test_csv_written_with_quotes_is_read_back_whole(tweets: list[str]) -> None:
    lines = "".join('"' + tweet.replace('"', '""') + '"\n' for tweet in ["text", *tweets])
    assert (
        list(
            csv_rows(lines.splitlines(keepends=True) if "\n" not in "".join(tweets) else _by_newline(lines), None, "f")
        )
        == tweets
    )


def _by_newline(text: str) -> list[str]:
    return [line + "\n" for line in text.split("\n")[:-1]]


@pytest.mark.parametrize("header", ["text", "Tweet", " TWEETS ", "full_text", '"content"'])
def test_a_usual_column_name_alone_in_the_first_row_is_a_header(tmp_path: Path, header: str) -> None:
    assert rows_of(tmp_path, f"{header}\nhello\n") == ["hello"]


def test_any_other_first_row_is_a_tweet(tmp_path: Path) -> None:
    assert rows_of(tmp_path, "text me\nhello\n") == ["text me", "hello"]


WIDE = 'id,Text,lang\n1,"hello, you",en\n2,bye,en\n'


@pytest.mark.parametrize("column", ["Text", "text", "2"])
def test_a_column_is_found_by_its_name_in_any_case_or_its_number(tmp_path: Path, column: str) -> None:
    assert rows_of(tmp_path, WIDE, column=column) == ["hello, you", "bye"]


def test_a_number_without_a_header_begins_with_the_first_row(tmp_path: Path) -> None:
    assert rows_of(tmp_path, "1,hello\n2,bye\n", column="2") == ["hello", "bye"]


@pytest.mark.parametrize("column", ["tweet", "0", "4", "-1", "²"])
def test_a_column_that_is_missing_is_named_beside_those_that_are_there(tmp_path: Path, column: str) -> None:
    error = error_of(tmp_path, WIDE, column=column)
    assert f"no column {column}" in error.message
    assert "id, Text, lang" in error.hint


def test_a_wide_file_asks_for_the_column(tmp_path: Path) -> None:
    error = error_of(tmp_path, WIDE)
    assert "3 columns" in error.message
    assert "--column" in error.hint
    assert "id, Text, lang" in error.hint


def test_a_record_that_lacks_the_column_is_counted_as_such(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "id,text\n1,hello\n2\n\n3,bye\n", column="text")
    assert rows == ["hello", Unusable("too few columns"), Unusable("empty"), "bye"]


def test_a_field_without_end_is_refused_with_its_line(tmp_path: Path) -> None:
    error = error_of(tmp_path, "hello\n" + '"never closed' + "x" * 200_000)
    assert "not valid CSV near line" in error.message


# JSON lines -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["text", "tweet", "full_text", "content"])
def test_the_usual_keys_are_found(tmp_path: Path, key: str) -> None:
    content = "".join(json.dumps({"id": 1, key: text}) + "\r\n" for text in ["hello", "bye ünï"])
    assert rows_of(tmp_path, content, "data.jsonl") == ["hello", "bye ünï"]


def test_a_key_is_found_by_its_name(tmp_path: Path) -> None:
    assert rows_of(tmp_path, '{"text": "no", "body": "yes"}\n', "data.jsonl", column="body") == ["yes"]


def test_a_line_may_be_the_tweet_itself_and_blank_lines_are_no_rows(tmp_path: Path) -> None:
    assert rows_of(tmp_path, '"hello"\n\n  \n"bye"\n', "data.jsonl") == ["hello", "bye"]


def test_a_first_object_without_a_usual_key_asks_for_the_key_and_shows_those_there_are(tmp_path: Path) -> None:
    error = error_of(tmp_path, '{"id": 1, "body": "hello"}\n')
    assert "which key" in error.message
    assert "id, body" in error.message
    assert "--column" in error.hint


def test_a_first_object_without_any_key_asks_for_the_key_too(tmp_path: Path) -> None:
    assert "none at all" in error_of(tmp_path, "{}\n").message


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("not json", "not JSON"),
        ('{"text": "torn', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("1" * 5000, "not JSON"),  # more digits than Python turns into a number
        ('{"id": 1}', "no text"),
        ('{"text": null}', "not a text"),
        ('{"text": ["a"]}', "not a text"),
        ("5", "not a text"),
        ("null", "not a text"),
    ],
    ids=lambda value: value[:20],
)
def test_a_line_that_holds_no_tweet_is_counted_by_its_reason(tmp_path: Path, line: str, reason: str) -> None:
    rows = rows_of(tmp_path, f'{{"text": "one"}}\n{line}\n{{"text": "two"}}\n', "data.jsonl")
    assert rows == ["one", Unusable(reason), "two"]


# What can't be read ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "content"), [("a.txt", "héllo"), ("a.csv", "héllo"), ("a.jsonl", '{"text":"héllo"}')])
def test_a_byte_order_mark_is_no_part_of_the_first_tweet(tmp_path: Path, name: str, content: str) -> None:
    assert rows_of(tmp_path, codecs.BOM_UTF8 + content.encode(), name) == ["héllo"]


def test_a_byte_order_mark_hides_no_header(tmp_path: Path) -> None:
    assert rows_of(tmp_path, codecs.BOM_UTF8 + WIDE.encode(), column="id") == ["1", "2"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf_16_is_no_utf_8(tmp_path: Path, encoding: str) -> None:
    error = error_of(tmp_path, "hello there\n".encode(encoding))
    assert "UTF-16" in error.message or "not a text file" in error.message


def test_a_file_with_a_utf_16_mark_is_told_how_to_become_utf_8(tmp_path: Path) -> None:
    assert "iconv -f UTF-16" in error_of(tmp_path, "hello\n".encode("utf-16")).hint


def test_a_wrong_encoding_names_the_line_and_the_byte(tmp_path: Path) -> None:
    error = error_of(tmp_path, "fine\nalso fine é\n".encode() + "café\n".encode("latin-1"), "data.txt")
    assert "line 3 holds the byte 0xe9" in error.message


def test_what_was_read_before_a_bad_line_is_given_first(tmp_path: Path) -> None:
    path = tmp_path / "data.txt"
    path.write_bytes(b"one\ntwo\n\xff\n")
    rows = read_rows(path, "auto", None)
    assert [next(rows), next(rows)] == ["one", "two"]
    with pytest.raises(CorpusError, match="line 3"):
        next(rows)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"  \r\n\t\n"])
def test_an_empty_file_is_called_empty(tmp_path: Path, content: bytes) -> None:
    assert "is empty" in error_of(tmp_path, content).message


@pytest.mark.parametrize(
    "content", [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\x7fELF\x02\x01\x01\0", b"PK\x03\x04\x14\0\0\0"]
)
def test_a_binary_file_is_called_no_text(tmp_path: Path, content: bytes) -> None:
    assert "not a text file" in error_of(tmp_path, content).message


def test_a_git_lfs_pointer_is_recognised(tmp_path: Path) -> None:
    content = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    error = error_of(tmp_path, content)
    assert "Git LFS pointer" in error.message
    assert "git lfs pull" in error.hint


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"absent\.csv can't be read: No such file"):
        list(read_rows(tmp_path / "absent.csv", "auto", None))


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="can't be read: Is a directory"):
        list(read_rows(tmp_path, "auto", None))
