"""CSV dialects: delimiter, header, columns and labels are detected; an unclosed quotation mark drops one row.

`tests.fuzz` tries random bytes and random pieces of CSV.
"""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.tables.csv_records import MAX_RECORD_LINES
from engine.corpus.readers.tables.csv_rows import csv_rows
from engine.corpus.types import DroppedRow, Source
from engine.errors import CorpusError
from tests.engine.corpus.readers.tables.read_table import read, rows_of

NEVER_CLOSED = "with a quotation mark that is never closed"


# One column -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_one_column_of_quoted_tweets_is_read_as_the_tutorial_reads_it(newline: str) -> None:
    content = newline.join(["plain", '"with, comma"', '"she said ""hi"""', "it's"]) + newline
    assert read(content) == (["plain", "with, comma", 'she said "hi"', "it's"], ["no header row"])


@pytest.mark.parametrize("header", ["text", "Tweet", " TWEETS ", "full_text", '"content"', "Tweet Text", "\ufefftext"])
def test_a_usual_column_name_alone_in_the_first_row_is_a_header(header: str) -> None:
    assert read(f"{header}\nhello\n") == (["hello"], ["header row found"])


def test_a_bare_comma_in_one_column_is_counted_and_not_cut_short() -> None:
    rows = rows_of('hello there\nhello, world\n"hello, all"\n')
    assert rows == ["hello there", DroppedRow("with too many columns", "line 2: hello, world"), "hello, all"]


def test_a_comma_in_a_tsv_of_one_column_is_a_character() -> None:
    source = Source("a.tsv", "csv")
    content = b'comments\nso long\nhello, you\n"hm", she said\n'
    assert list(csv_rows(io.BytesIO(content), source, CorpusConfig())) == ["so long", "hello, you", '"hm", she said']
    assert source.notes == ["tab-separated", "quotation marks are part of the text", "header row found"]


def test_a_few_sentences_with_a_comma_each_are_no_two_columns() -> None:
    rows = rows_of("hello, world\nbye, you\n")
    assert [row.reason for row in rows if isinstance(row, DroppedRow)] == ["with too many columns"] * 2
    assert rows_of("1, hello there\n2, bye\n") == [" hello there", " bye"]
    assert rows_of("hello, world out there\n" * 10) == [" world out there"] * 10


@given(tweets=st.lists(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\r\0")), min_size=1))
def test_csv_written_with_quotes_is_read_back_whole(tweets: list[str]) -> None:
    content = "".join('"' + tweet.replace('"', '""') + '"\n' for tweet in ["text", *tweets])
    assert rows_of(content) == tweets


# Delimiters and columns -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("delimiter", "note"),
    [(",", []), (";", ["semicolon-separated"]), ("\t", ["tab-separated"]), ("|", ["pipe-separated"])],
)
def test_the_delimiter_is_detected_and_noted(delimiter: str, note: list[str]) -> None:
    records = [["7", "hello, you; there | now", "en"], ["8", "good morning", "en"], ["9", "bye, all", "de"]]
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows([["id", "text", "lang"], *records])
    rows, notes = read(out.getvalue())
    assert rows == [record[1] for record in records]
    assert notes == [*note, "header row found", "text in column 2 (text): by its name"]


def test_a_tab_beats_a_comma_with_a_blank_after_it() -> None:
    assert rows_of("ham\thello, you\nspam\tbuy, buy\n" * 10) == ["hello, you", "buy, buy"] * 10


WIDE = 'id,Text,lang\n1,"hello, you",en\n2,bye,en\n'


@pytest.mark.parametrize("column", ["Text", "text", "2"])
def test_a_column_is_found_by_its_name_in_any_case_or_its_number(column: str) -> None:
    assert read(WIDE, column) == (["hello, you", "bye"], ["header row found", "text in column 2 (Text)"])


def test_a_first_row_of_words_over_numbers_is_a_header() -> None:
    assert read("foo,bar\nhello there,1\nbye now,2\n") == (
        ["hello there", "bye now"],
        ["header row found", "text in column 1 (foo): the longest"],
    )


@pytest.mark.parametrize("column", ["tweet", "0", "4", "-1", "²", "9" * 5000])
def test_the_error_of_a_missing_column_lists_the_existing_ones(column: str) -> None:
    with pytest.raises(CorpusError) as caught:
        read(WIDE, column)
    assert f"data.csv has no column {column[:20]}" in caught.value.message
    assert "id, Text, lang" in caught.value.hint


def test_a_table_of_very_many_columns_is_refused() -> None:
    with pytest.raises(CorpusError, match=r"data\.csv has 100,001 columns, more than 16,384"):
        rows_of("," * 100_000 + "\n")


def test_a_record_of_another_width_is_counted_and_shown() -> None:
    assert rows_of("id,text\n1,hello\n2\n\n3,bye, you\n4,bye\n", column="text") == [
        "hello",
        DroppedRow("with too few columns", "line 3: 2"),
        DroppedRow("empty", "line 4:"),
        DroppedRow("with too many columns", "line 5: 3,bye, you"),
        "bye",
    ]


# Excel's first line ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["sep=;", "SEP=;", '"sep=;"', "\ufeffsep=;"])
def test_the_separator_line_of_excel_decides_the_delimiter_and_is_no_row(first: str) -> None:
    rows, notes = read(f"{first}\nid;text\n1;hello, you\n2\n3;bye, all\n")
    assert rows == ["hello, you", DroppedRow("with too few columns", "line 4: 2"), "bye, all"]
    assert notes[0] == "semicolon-separated, as its first line sets"


def test_the_separator_line_may_set_a_delimiter_that_is_not_detected() -> None:
    assert read("sep=^\nid^text\n1^hello\n") == (
        ["hello"],
        ["^-separated, as its first line sets", "header row found", "text in column 2 (text): by its name"],
    )


# Rows without the last columns ----------------------------------------------------------------------------------------


def test_rows_that_leave_out_the_last_columns_are_kept_where_many_do() -> None:
    content = "id,text,date,url\n" + "1,hello,2012-01-02\n" * 9 + "2,bye,2012-01-03,http://a.example\n3,why\n4\n"
    rows, notes = read(content)
    assert rows == [
        *["hello"] * 9,
        "bye",
        DroppedRow("with too few columns", "line 12: 3,why"),
        DroppedRow("with too few columns", "line 13: 4"),
    ]
    assert notes[-1] == "rows that leave out the last columns are kept"


def test_rows_that_all_leave_out_the_last_column_are_kept() -> None:
    assert rows_of("id,text,url\n1,hello\n2,bye\n") == ["hello", "bye"]


def test_the_pieces_of_an_unquoted_text_with_a_line_break_are_no_rows() -> None:
    content = "id,text,lang\n" + "".join(f"{number},hello\nyou there,en\n" for number in range(20))
    rows = rows_of(content + "1,good bye,en\n" * 5)
    assert [row for row in rows if isinstance(row, str)] == ["good bye"] * 5
    assert {row.reason for row in rows if isinstance(row, DroppedRow)} == {"with too few columns"}


def test_rows_that_leave_out_the_label_are_dropped() -> None:
    content = "id,text,polarity\n" + "1,hello\n" * 5 + "2,bye,4\n3,no,0\n"
    assert [row for row in rows_of(content) if isinstance(row, str)] == ["bye"]


# Quotation marks ------------------------------------------------------------------------------------------------------


def test_a_quoted_tweet_may_go_over_lines() -> None:
    assert rows_of('"one\r\ntwo"\r\nthree\r\n') == ["one\ntwo", "three"]
    assert rows_of('1,"a, b\n\n""c"" d",x\n2,bye,x\n') == ['a, b\n\n"c" d', "bye"]


@pytest.mark.parametrize(
    "rest",
    [
        ["plain"] * 5,
        ['"quoted, one"', "plain"],
        ["plain"] * (MAX_RECORD_LINES + 10) + ['"quoted"'],
        ["plain", '"over\ntwo lines"', "plain"],
    ],
    ids=["to the end of the file", "next line quoted", "too many lines", "another over lines"],
)
def test_an_unclosed_quotation_mark_drops_its_line_and_no_other(rest: list[str]) -> None:
    content = "\n".join(["first", '"never closed', *rest]) + "\n"
    rows = rows_of(content)
    assert rows[:2] == ["first", DroppedRow(NEVER_CLOSED, 'line 2: "never closed')]
    assert rows[2:] == [line.strip('"') for line in rest]


def test_an_open_quotation_on_every_line_drops_every_line() -> None:
    rows = rows_of('x","\n' * 20_000)  # minutes, if each line were parsed to the end
    assert [row.reason for row in rows if isinstance(row, DroppedRow)] == [NEVER_CLOSED] * 20_000


def test_a_record_of_as_many_lines_as_allowed_is_whole() -> None:
    text = "\n".join(["x"] * MAX_RECORD_LINES)
    assert rows_of(f'"{text}"\nbye\n') == [text, "bye"]


def test_a_field_beyond_the_limit_of_csv_is_dropped_and_one_of_100_000_characters_is_not() -> None:
    rows = rows_of('hello\n"' + "x" * 200_000 + '"\n"' + "y" * 100_000 + '"\n' + "z" * 200_000 + "\nbye\n")
    assert [getattr(row, "reason", row) for row in rows] == [
        "hello",
        "with a field over 128 KB",
        "y" * 100_000,
        "z" * 200_000,
        "bye",
    ]


def test_an_unusable_line_drops_its_whole_record() -> None:
    nul = "with a NUL byte"
    assert rows_of(b'a\nb\0\nc\n"d\ne\0\nf"\ng\n') == [
        "a",
        DroppedRow(nul, "line 2: b"),
        "c",
        DroppedRow(nul, "line 5: e"),
        "g",
    ]
