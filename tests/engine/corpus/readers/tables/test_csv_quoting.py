"""Quotation marks inside fields: doubled, escaped by a backslash, or characters of a TSV without quoting."""

from __future__ import annotations

import pytest

from engine.corpus.readers.tables.csv_quoting import find_quoting
from engine.corpus.types import DroppedRow
from tests.engine.corpus.readers.tables.read_table import read, rows_of

SPARK = r"""id,text,lang
1,"she said \"hi, you\" there",en
2,plain \o/,en
3,"\"quoted\"",en
4,"a backslash \\",en
5,"say \"a\", \"b\"
and \"c\"",en
"""


def test_quotation_marks_that_a_backslash_escapes_are_recognised() -> None:
    rows, notes = read(SPARK)
    assert rows == [
        'she said "hi, you" there',
        "plain \\o/",
        '"quoted"',
        "a backslash \\",
        'say "a", "b"\nand "c"',
    ]
    assert notes[0] == "quotation marks are escaped by a backslash"


def test_a_dump_without_a_header_of_quoted_fields_is_recognised() -> None:
    rows = rows_of('"7";"a \\"quiet\\" sea";"mia"\n"8";"it\'s \\"late\\"";"tom"\n')
    assert rows == ['a "quiet" sea', 'it\'s "late"']


def test_the_first_escaped_quotation_mark_may_be_far_from_the_start() -> None:
    rows = rows_of("id,text\n" + "1,hello\n" * 2000 + '2,"she \\"waved\\" twice"\n3,"C:\\"\n')
    assert rows[2000:] == ['she "waved" twice', "C:\\"]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (r'"C:\new\"', "C:\\new\\"),
        ('"a ""quoted"" \\o/"', 'a "quoted" \\o/'),
        (r'"he said \""hi\"""', r"he said \"hi\""),
    ],
)
def test_a_backslash_in_a_usual_csv_file_is_a_character(line: str, text: str) -> None:
    assert rows_of(f"id,text\n1,{line}\n2,bye\n") == [text, "bye"]


def test_a_tsv_without_quoting_keeps_its_quotation_marks() -> None:
    content = '1\tneutral\t"Hello" she said\n2\tpositive\t"never closed\n3\tpositive\tplain\n4\tneutral\t"whole"\n'
    rows, notes = read(content, label="all")
    assert rows == ['"Hello" she said', '"never closed', "plain", '"whole"']
    assert notes[:2] == ["tab-separated", "quotation marks are part of the text"]


def test_blanks_before_quoted_fields_are_recognised() -> None:
    content = 'year, author, joke\n2014, Mia, "So, a bus"\n2015, Tom, "I said ""no"", twice"\n2016, Ida, "Short"\n'
    assert rows_of(content) == ["So, a bus", 'I said "no", twice', "Short"]


def test_a_table_of_pipes_without_quoting_keeps_its_quotation_marks() -> None:
    rows, notes = read('1|"@tom: see you there" I will\n2|"never closed\n3|plain\n4|plain too\n5|a|b\n')
    assert rows[:4] == ['"@tom: see you there" I will', '"never closed', "plain", "plain too"]
    assert notes[:2] == ["pipe-separated", "quotation marks are part of the text"]


@pytest.mark.parametrize(
    "lines",
    [
        ['1\t"a ""b"" c"', '2\t"never closed', "3\tplain"],
        ['"1"\t"a b"', '"2"\t"c d"', '"3"\t"never closed'],
        ['1\t"a', 'b"', '2\t"c', 'd"'],
    ],
    ids=["doubled", "all quoted", "over lines"],
)
def test_a_broken_line_does_not_make_a_quoted_tsv_one_without_quoting(lines: list[str]) -> None:
    assert find_quoting(lines, "\t") == "doubled"


def test_an_unclosed_quotation_mark_is_dropped_where_a_backslash_escapes() -> None:
    rows = rows_of('id,text\n1,"a \\"b\\" c"\n2,"never \\"closed\\"\n3,"bye \\"you\\""\n')
    assert rows == [
        'a "b" c',
        DroppedRow("with a quotation mark that is never closed", 'line 3: 2,"never ""closed""'),
        'bye "you"',
    ]


def test_a_long_run_of_backslashes_is_read_in_linear_time() -> None:
    text = "\\" * 100_000  # minutes, if each backslash were the start of a search
    assert rows_of(f'id,text\n1,"{text}x \\"hi\\""\n') == [text + 'x "hi"']
