"""A file called .txt is read as the table that it is; prose with commas or tabs stays plain text."""

from __future__ import annotations

import pytest

from engine.corpus.ingest.detection import recognize_format

TEXTS = [
    "what a day",
    "so, it rains again",
    "good morning :)",
    "I can't, won't!",
    "late",
    "bye; all",
    "1 more",
    "ok",
] * 3


def table(row: str, header: str = "") -> bytes:
    return (header + "".join(row.format(number, text) for number, text in enumerate(TEXTS, 1))).encode()


TABLES = {
    "VADER": table("{0}\t-0.{0}\t{1}\n"),
    "SemEval": table("26410074655{0}\tneutral\t{1}\n"),
    "STS": table('"0";"146781{0}";"{1}"\n'),
    "a header": table("{1}\ten\n", "tweet\tlang\n"),
    "two lines": b"1\thello\n2\tbye\n",
    "text and label": table('"{1}",1\n'),
    "text and date": table("2009-06-{0:02}|{1}\n"),
    "pairs": table("{1}\tbonjour {0}\n"),
    "Excel": b"sep=;\nid;text\n1;hello\n",
    "CSV": b"id,text\n1,hello\n2,bye\n",
    "quotation marks": table("171043|Tue Mar 0{0}|{1}\n") + b'171044|Wed Mar 30|"@tom: yes" I do\n' * 2,
    "texts with blank lines": table('{0},"{1}\n\nand so on",tom_{0}\n', "id,text,user\n"),
    "one quoted column": table('"{1} no {0}, I think"\n') + b'"she said ""no"" to me, of course"\n',
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_called_txt_is_read_as_csv(name: str) -> None:
    assert recognize_format(TABLES[name], "a.txt") == "csv"


LINES = {
    "sentences": b"hello, world\nbye, you\n" * 20,
    "verses": b"Roses are red, violets are blue\nSugar is sweet, and so are you\n" * 20,
    "commas without blanks": b"hello,world\nparis,france\nrome,italy\n" * 20,
    "a list that starts like a header": b"time,love\nhope,fear\njoy,rain\n" * 20,
    "indented": b"\tone line\n\tand another\n" * 20,
    "some tabs": b"one\ttwo\nthree\nfour\tfive\n" * 20,
    "paragraphs": b"1, he said\n\n2, she said\n\n" * 20,
    "numbers with commas": b"1,000 nights\nover 2,000 days\n3,000 more\n" * 20,
    "numbers alone": b"1,2\n3,4\n5,6\n" * 20,
    "a quotation": b'"Be yourself", Wilde\n"Or not", me\n' * 2,
    "one line": b"1\thello\n",
    "dialogue": b"mia: hello, you\ntom: hi\nmia: so, what?\n" * 20,
    "semicolons": b"it rains; I stay\nit snows; I go\n" * 20,
    "a header of another width": b"id,text\n" + b"1,so,hello\n" * 99,
    "times": b"12:30, lunch\n13:00, a walk\n" * 20,
}


@pytest.mark.parametrize("name", LINES)
def test_prose_called_txt_is_read_as_lines(name: str) -> None:
    assert recognize_format(LINES[name], "a.txt") == "text"
