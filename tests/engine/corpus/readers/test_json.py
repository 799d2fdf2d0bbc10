"""JSON documents are read item by item, JSON Lines line by line, and where the texts are is detected.

`tests.fuzz` tries damaged ones.
"""

from __future__ import annotations

import io
import json

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.json_files import json_window
from engine.corpus.readers.json_files.json_rows import json_rows
from engine.corpus.readers.json_files.jsonl_rows import MAX_LINE_BYTES
from engine.corpus.types import Source
from engine.errors import CorpusError
from tests.engine.corpus.reading import Case, Files, read, recorded_cases, texts_of


@recorded_cases("json", "jsonl")
def test_json_is_read_as_recorded(case: Case, snapshot: SnapshotAssertion) -> None:
    assert case.read() == snapshot


@recorded_cases("json")
def test_white_space_between_values_changes_nothing(case: Case) -> None:
    (content,) = case.files.values()
    try:
        document = json.loads(content)
    except ValueError:
        return
    indented = {"a.json": json.dumps(document, indent=2, ensure_ascii=False)}
    assert Case(case.name, case.options, indented).read() == case.read()


def as_json(document: object) -> Files:
    return {"a.json": json.dumps(document, ensure_ascii=False)}


# Documents too long to examine ----------------------------------------------------------------------------------------


@pytest.fixture
def short_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bound what may be held of a document to a few texts, instead of megabytes."""
    monkeypatch.setattr(json_window, "MAX_VALUE_CHARS", 2000)
    monkeypatch.setattr(json_window, "_BLOCK_BYTES", 500)


TEXTS = [f"number {number}" for number in range(1000)]
LONG = {
    "columns": {"id": dict.fromkeys(map(str, range(1000)), 5), "text": {str(n): text for n, text in enumerate(TEXTS)}},
    "index": {str(n): {"id": 5, "text": text} for n, text in enumerate(TEXTS)},
    "split": {"columns": ["id", "text"], "index": list(range(1000)), "data": [[5, text] for text in TEXTS]},
    "an array after another": {"names": [{"first": "mia"}], "posts": [{"text": text} for text in TEXTS]},
}


@pytest.mark.usefixtures("short_window")
@pytest.mark.parametrize("name", LONG)
@pytest.mark.parametrize("column", [None, "text"])
def test_a_document_too_long_to_examine_is_read_too(name: str, column: str | None) -> None:
    assert texts_of(as_json(LONG[name]), column=column, format="json") == TEXTS


@pytest.mark.usefixtures("short_window")
@pytest.mark.parametrize("column", [None, "export.posts.post.text", "post.text"])
def test_in_a_document_too_long_to_examine_a_nested_array_is_found(column: str | None) -> None:
    posts = [{"post": {"text": text}} for text in TEXTS]
    content = as_json({"owner": {"names": [{"first": "mia"}]}, "export": {"posts": posts}})
    assert texts_of(content, column=column) == TEXTS
    assert (column is None) == ("* texts under export.posts.post.text" in read(content, column=column))


@pytest.mark.usefixtures("short_window")
def test_in_a_document_too_long_to_examine_missing_texts_and_those_of_others_are_an_error() -> None:
    others = [{"id": str(number), "text": "another's"} for number in range(300)]
    assert "has no array of tweets" in read(as_json({"includes": {"tweets": others}, "errors": [{"title": "gone"}]}))
    assert "has no texts under post.words" in read(as_json({"a": [5] * 9000}), column="post.words")


@pytest.mark.usefixtures("short_window")
def test_a_too_large_value_is_refused_before_it_is_loaded() -> None:
    file = io.BytesIO(b'["' + b"x" * 100_000 + b'"]')
    with pytest.raises(CorpusError, match="has a value of over"):
        list(json_rows(file, Source("a.json", "json"), CorpusConfig()))
    assert file.tell() < 10_000


def test_characters_and_numbers_across_a_block_boundary_are_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["ü€😀", "x" * 40]
    expected = read(as_json([*texts, 123456]))
    assert expected.endswith("- not a text: item 3: 123456")
    for size in range(1, 40):
        monkeypatch.setattr(json_window, "_BLOCK_BYTES", size)
        assert read(as_json([*texts, 123456])) == expected


# Damage and length ----------------------------------------------------------------------------------------------------

LINE = '{"text": "one"}\n'
NOTICE = '{"delete": {"status": {"id": 1}}}\n'
PAGE = {"data": [{"text": f"number {number}", "entities": "x" * 15_000} for number in range(500)]}
LONG_FILES = {
    "items before the damage are read and its line is reported": {
        "a.json": "[\n" + '{"text": "one"},\n' * 1500 + '{"text": oops}\n]'
    },
    "a page of several megabytes on one line is read": {"a.jsonl": f"{json.dumps(PAGE)}\n" * 2},
    "a stream that begins with thousands of notices is read": {"a.jsonl": NOTICE * 2500 + LINE},
    "thousands of objects without a text are an error": {"a.jsonl": '{"id": 1, "words": "hello"}\n' + NOTICE * 2500},
    "a line of deep nesting costs only itself": {"a.jsonl": LINE + "[" * 100_000 + "\n" + LINE},
    "a line of thousands of digits costs only itself": {"a.jsonl": LINE + "1" * 5000 + "\n" + LINE},
    "a line over 10 MB costs only itself": {"a.jsonl": LINE + json.dumps("x" * MAX_LINE_BYTES) + "\n" + LINE},
    "thousands of digits do not cost the text beside them": {"a.jsonl": f'{{"n": {"1" * 5000}, "text": "hello"}}'},
    "deep arrays are an error": {"a.json": "[" * 100_000},
    "deep objects are an error": {"a.json": "[" + '{"a":' * 100_000},
    "deep objects of texts are an error": {"a.json": "[" + '[{"text":' * 100_000},
}


@pytest.mark.parametrize("name", LONG_FILES)
def test_a_long_or_deep_file_is_read_as_recorded(name: str, snapshot: SnapshotAssertion) -> None:
    (path,) = LONG_FILES[name]
    assert read(LONG_FILES[name], format=path.removeprefix("a.")) == snapshot
