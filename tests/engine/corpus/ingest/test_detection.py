"""A format is recognised by content first and name second.

A file called .txt is read as the table that it is; prose with commas or tabs stays plain text.
"""

from __future__ import annotations

import codecs
import json
from typing import get_args

import pytest

from engine.config.corpus import FileFormat
from engine.corpus.ingest.detection import recognize_format
from engine.corpus.ingest.formats import FORMATS
from tests.engine.corpus.reading import read

TEXT = b"a nice day\nand a good night\n"
LINE = b'{"text": "a nice day"}\n'
SENTIMENT140 = b'"4","7","Mon Apr 06 22:19:45 PDT 2009","NO_QUERY","somebody","a nice day"\n' * 5
X_TWEETS = b'window.YTD.tweets.part0 = [{"tweet": {"full_text": "a nice day"}}]'
X_DELETED = X_TWEETS.replace(b"tweets", b"deleted_tweets")
X_MONTH = b'Grailbird.data.tweets_2012_01 = \n [ {\n  "source" : "web",\n  "text" : "a nice day"\n} ]'
X_INDEX = b'var tweet_index = [ {"file_name": "data/js/tweets/2012_01.js"} ]'
X_TABLE = (
    b'"tweet_id","in_reply_to_status_id","in_reply_to_user_id","timestamp","source","text","retweeted_status_id",'
    b'"retweeted_status_user_id","retweeted_status_timestamp","expanded_urls"\n"1","","","2012","web","a nice day"\n'
)
OUTBOX = b'{"@context": "x", "id": "outbox.json", "type": "OrderedCollection", "orderedItems": [{"type": "Create"}]}'


@pytest.mark.parametrize(
    ("head", "name", "file_format"),
    [
        (TEXT, "a.csv", "csv"),
        (TEXT, "a.txt", "text"),
        (b'"hello, there"\n', "a", "csv"),
        (b"id;text\n1;hello, you\n", "a", "csv"),
        (b"", "a", "text"),
        (b'"Be yourself" - Wilde\n"Or not" - me\n', "a", "text"),
        (b"id,text\n1,a nice day\n", "a", "csv"),
        (LINE * 2, "a.txt", "jsonl"),
        (LINE.strip(), "a.json", "json"),
        (LINE, "a", "jsonl"),
        (b'{"export": {"posts": [{"post": {"text": "a nice day"}}]}}', "a.json", "json"),
        (codecs.BOM_UTF8 + LINE * 2, "a.txt", "jsonl"),
        (b'[{"text": "hello"}]', "a.txt", "json"),
        (b'["hey" she said\n', "a", "text"),
        (SENTIMENT140, "a.txt", "csv"),
        (b"Label,Id,Date,Query,Name,Text\n" + SENTIMENT140[:-20], "a", "csv"),
        (codecs.BOM_UTF8 + X_TWEETS, "a.txt", "x"),
        (X_DELETED, "a.txt", "x"),  # refused later
        (codecs.BOM_UTF8 + X_MONTH, "2012_01.js", "x"),
        (X_INDEX, "tweet_index.js", "x"),  # refused later
        (X_TABLE, "tweets.csv", "x"),
        (X_TABLE.replace(b'"', b"").replace(b"\n", b"\r\n"), "a.txt", "x"),
        (b"tweet_id,text\n1,hello\n", "tweets.csv", "csv"),
        (OUTBOX, "outbox.json", "mastodon"),
        (b"PAR1\x15\x04\x15", "a.txt", "parquet"),
        (b"[sigh] what a day\n", "a.txt", "text"),
        # files of other tools are not those of a network
        (b'[{"text": "a", "kind": "t1"}, {"text": "b", "kind": "t2"}]', "a", "json"),
        (b'{"text": "a", "source": "app.bsky.feed.post"}\n{"text": "b"}\n', "a", "jsonl"),
        (b'[{"text": "a", "replies": {"type": "OrderedCollection"}}]', "a", "json"),
        (b'[{"text": "a", "visibility": "public"}]', "a", "json"),
        (b"id,title,body,kind,label\n1,a,b,c,d\n", "a", "csv"),
        (b"scheduled_post_id,text\n1,hello\n", "a", "csv"),
        # "jsonl" in the name decides, unless the first line is no whole value
        *[
            ((start + "x" * 70_000).encode()[:65_536], "a.jsonl", "jsonl")
            for start in ('{"a": [', '["', '{"a": {', "[[1,")
        ],
        (b'{"text": "torn\n' + LINE * 2, "a.ndjson", "jsonl"),
        (b'["one", "two"]\n["three", "four"]\n', "a.ndjson", "jsonl"),
        (b'{\n "text": "one"\n}\n', "a.ndjson", "json"),
        (b'{"tweets": [\n {"text": "one"},\n', "a.ndjson", "json"),
        (b'[\n{"text": "one"}]', "a.ndjson", "json"),
    ],
)
def test_a_format_is_recognised_by_content_first_and_name_second(
    head: bytes, name: str, file_format: FileFormat
) -> None:
    assert recognize_format(head, name) == file_format


@pytest.mark.parametrize("name", ["a", "a.json", "a.jsonl", "a.txt"])
def test_json_lines_with_a_first_line_over_64_kib_are_read_to_the_end(name: str) -> None:
    lines = [json.dumps({"id": number, "entities": "x" * 70_000, "text": f"tweet {number}"}) for number in range(2)]
    assert read({name: "\n".join(lines)}) == f"{name}, jsonl\n+ 'tweet 0'\n+ 'tweet 1'\n* texts under text"


def test_a_json_document_on_one_line_over_64_kib_is_a_document() -> None:
    content = json.dumps({"more": "x" * 70_000, "posts": [{"text": "a nice day"}]})
    assert read({"a": f"{content}\n"}) == "a, json\n+ 'a nice day'\n* texts under posts.text"


def test_every_format_has_a_row_in_the_table() -> None:
    assert {"auto", *FORMATS} == set(get_args(FileFormat))


# Files called .txt ----------------------------------------------------------------------------------------------------

TEXTS = ["what a day", "so, it rains again", "good morning :)", "I can't, won't!", "late", "bye; all", "1 more", "ok"]


def table(row: str, header: str = "") -> bytes:
    return (header + "".join(row.format(number, text) for number, text in enumerate(TEXTS * 3, 1))).encode()


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
PROSE = {
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


@pytest.mark.parametrize("name", TABLES)
def test_a_table_called_txt_is_read_as_csv(name: str) -> None:
    assert recognize_format(TABLES[name], "a.txt") == "csv"


@pytest.mark.parametrize("name", PROSE)
def test_prose_called_txt_is_read_as_lines(name: str) -> None:
    assert recognize_format(PROSE[name], "a.txt") == "text"
