"""A format is recognised by content first and name second."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import get_args

import pytest

from engine.config.corpus import FileFormat
from engine.corpus.ingest.detection import recognize_format
from engine.corpus.ingest.formats import FORMATS
from tests.engine.corpus.ingest.opened_sources import (
    CSV,
    JSONL,
    NESTED,
    OUTBOX,
    ROWS,
    SENTIMENT140,
    TEXT,
    X_DELETED,
    X_MONTH,
    X_OLD_FILES,
    X_TABLE,
    X_TWEETS,
    sources_of,
    write,
)


@pytest.mark.parametrize(
    ("head", "name", "file_format"),
    [
        (TEXT, "a.csv", "csv"),
        (TEXT, "a.txt", "text"),
        (b'"hello, there"\n', "a", "csv"),
        (b"id;text\n1;hello, you\n", "a", "csv"),
        (b"", "a", "text"),
        (b'"Be yourself" - Wilde\n"Or not" - me\n', "a", "text"),
        (CSV, "a", "csv"),
        (JSONL, "a.txt", "jsonl"),
        (JSONL.splitlines()[0], "a.json", "json"),
        (JSONL.splitlines()[0] + b"\n", "a", "jsonl"),
        (NESTED, "a.json", "json"),
        (codecs.BOM_UTF8 + JSONL, "a.txt", "jsonl"),
        (b'[{"text": "hello"}]', "a.txt", "json"),
        (b'["hey" she said\n', "a", "text"),
        (SENTIMENT140, "a.txt", "csv"),
        (b"Label,Id,Date,Query,Name,Text\n" + SENTIMENT140[:-20], "a", "csv"),
        (codecs.BOM_UTF8 + X_TWEETS, "a.txt", "x"),
        (X_DELETED, "a.txt", "x"),  # refused later
        (codecs.BOM_UTF8 + X_MONTH, "2012_01.js", "x"),
        (X_OLD_FILES["data/js/tweet_index.js"], "tweet_index.js", "x"),  # refused later
        (X_TABLE, "tweets.csv", "x"),
        (X_TABLE.replace(b'"', b"").replace(b"\n", b"\r\n"), "a.txt", "x"),
        (b"tweet_id,text\n1,hello\n", "tweets.csv", "csv"),
        (OUTBOX, "outbox.json", "mastodon"),
        (b"PAR1\x15\x04\x15", "a.txt", "parquet"),
        (b"[sigh] what a day\n", "a.txt", "text"),
    ],
)
def test_a_format_is_recognised_by_content_first_and_name_second(
    head: bytes, name: str, file_format: FileFormat
) -> None:
    assert recognize_format(head, name) == file_format


@pytest.mark.parametrize("start", ['{"data": [', '["', '{"a": {', "[[1, "])
def test_jsonl_in_the_name_decides_for_lines_whose_first_is_longer_than_what_detection_reads(start: str) -> None:
    assert recognize_format((start + "x" * 70_000).encode()[:65_536], "a.jsonl") == "jsonl"


@pytest.mark.parametrize(
    ("head", "file_format"),
    [
        (b'{"text": "torn\n' + JSONL, "jsonl"),
        (b'["one", "two"]\n["three", "four"]\n', "jsonl"),
        (b'{\n "text": "one"\n}\n', "json"),
        (b'{"tweets": [\n {"text": "one"},\n', "json"),
        (b'[\n{"text": "one"}]', "json"),
    ],
)
def test_jsonl_in_the_name_decides_unless_the_first_line_is_no_whole_value(head: bytes, file_format: str) -> None:
    assert recognize_format(head, "a.ndjson") == file_format


@pytest.mark.parametrize("name", ["a", "a.json", "a.jsonl", "a.txt"])
def test_json_lines_with_a_first_line_over_64_kib_are_read_to_the_end(tmp_path: Path, name: str) -> None:
    lines = [{"id": number, "entities": "x" * 70_000, "text": row} for number, row in enumerate(ROWS)]
    write(tmp_path, {name: "\n".join(map(json.dumps, lines)).encode()})
    (opened,) = sources_of(tmp_path / name)
    assert opened.source.format == "jsonl"
    assert list(opened.rows) == ROWS


def test_a_json_document_on_one_line_over_64_kib_is_a_document(tmp_path: Path) -> None:
    content = {"more": "x" * 70_000, "posts": [{"text": row} for row in ROWS]}
    write(tmp_path, {"a": json.dumps(content).encode() + b"\n"})
    (opened,) = sources_of(tmp_path / "a")
    assert opened.source.format == "json"
    assert list(opened.rows) == ROWS


@pytest.mark.parametrize(
    ("head", "file_format"),
    [
        (b'[{"text": "a", "kind": "t1"}, {"text": "b", "kind": "t2"}]', "json"),
        (b'{"text": "a", "source": "app.bsky.feed.post"}\n{"text": "b"}\n', "jsonl"),
        (b'[{"text": "a", "replies": {"type": "OrderedCollection"}}]', "json"),
        (b'[{"text": "a", "visibility": "public"}]', "json"),
        (b"id,title,body,kind,label\n1,a,b,c,d\n", "csv"),
        (b"scheduled_post_id,text\n1,hello\n", "csv"),
    ],
)
def test_files_of_other_tools_are_not_detected_as_those_of_a_network(head: bytes, file_format: FileFormat) -> None:
    assert recognize_format(head, "a") == file_format


def test_every_format_has_a_row_in_the_table() -> None:
    assert {"auto", *FORMATS} == set(get_args(FileFormat))
