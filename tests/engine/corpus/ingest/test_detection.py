"""A format is recognised by content first and name second.

A file called .txt is read as the table that it is; prose with commas or tabs stays plain text.
"""

from __future__ import annotations

import json
from typing import get_args

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.config.corpus import FileFormat
from engine.corpus.ingest.detection import recognize_format
from engine.corpus.ingest.formats import FORMATS
from tests.engine.corpus.reading import Case, cases, encoded, read, recorded_cases


def test_a_format_is_recognised_by_content_first_and_name_second(snapshot: SnapshotAssertion) -> None:
    lines = []
    for case in cases("formats"):
        ((name, content),) = case.files.items()
        lines.append(f"{recognize_format(encoded(content), name):<8} {case.name}: {name}")
    assert "\n".join(lines) == snapshot


@pytest.mark.parametrize("start", ['{"data": [', '["', '{"a": {', "[[1, "])
def test_jsonl_in_the_name_decides_for_lines_whose_first_is_longer_than_what_detection_reads(start: str) -> None:
    assert recognize_format((start + "x" * 70_000).encode()[:65_536], "a.jsonl") == "jsonl"


@pytest.mark.parametrize("name", ["a", "a.json", "a.jsonl", "a.txt"])
def test_json_lines_with_a_first_line_over_64_kib_are_read_to_the_end(name: str) -> None:
    lines = [json.dumps({"id": number, "entities": "x" * 70_000, "text": f"tweet {number}"}) for number in range(2)]
    assert read({name: "\n".join(lines)}) == f"{name}, jsonl\n+ 'tweet 0'\n+ 'tweet 1'\n* texts under text"


def test_a_json_document_on_one_line_over_64_kib_is_a_document() -> None:
    content = json.dumps({"more": "x" * 70_000, "posts": [{"text": "a nice day"}]})
    assert read({"a": f"{content}\n"}) == "a, json\n+ 'a nice day'\n* texts under posts.text"


def test_every_format_has_a_row_in_the_table() -> None:
    assert {"auto", *FORMATS} == set(get_args(FileFormat))


TEXTS = ["what a day", "so, it rains again", "good morning :)", "I can't, won't!", "late", "bye; all", "1 more", "ok"]


@recorded_cases("called_txt")
def test_a_table_called_txt_is_read_as_csv_and_prose_as_lines(case: Case) -> None:
    files = {name: str(content) for name, content in case.files.items()}
    rows = "".join(files.get("rows", "").format(number, text) for number, text in enumerate(TEXTS * 3, start=1))
    content = files.get("head", "") + rows + files.get("tail", "")
    assert recognize_format(content.encode(), "a.txt") == ("csv" if case.name.startswith("a table") else "text")
