"""Files of every format are read as recorded, and of archives nothing that others wrote; damage costs only itself.

`tests.fuzz` tries random bytes.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from engine.config.corpus import CorpusConfig, FileFormat
from engine.corpus.files.streams import Member
from engine.corpus.formats import format_named
from engine.corpus.readers import json_values, parquet_reader, reader
from engine.corpus.readers.networks.bluesky_reader import MAX_BLOCK_BYTES
from engine.corpus.readers.networks.mastodon_reader import html_to_text
from engine.corpus.readers.networks.posts import without_typed_links
from engine.corpus.readers.networks.x_reader import root_of, x_rows
from engine.corpus.readers.reader import DroppedRow, Row, Source
from engine.corpus.readers.text_reader import decoded_lines, head_lines
from engine.errors import CorpusError
from tests.engine.corpus.files.open_contents import CAR_ID, car_of, parquet_of, section_of
from tests.engine.corpus.reading import (
    Case,
    Files,
    cases,
    encoded,
    read,
    read_with,
    recorded_cases,
    texts_of,
    unescaped,
)

CASES = ("text", "csv", "columns", "headers", "labels", "parquet", "json", "jsonl", "x", "x_old", "mastodon", "bluesky")


@recorded_cases(*CASES, "sources", "not_refused", "long")
def test_files_are_read_as_recorded(case: Case, snapshot: SnapshotAssertion) -> None:
    assert case.read() == snapshot


CHUNK = 65_536


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("padding", [0, 1, CHUNK - 12, CHUNK - 11, CHUNK - 10, CHUNK - 5, CHUNK - 4, 3 * CHUNK])
def test_any_line_end_is_removed_wherever_it_falls(end: bytes, padding: int) -> None:
    lines = ["x" * padding, "one", "", "two\u2028\x85\x0b\x0cthree", "four"]
    content = end.join(line.encode() for line in lines)
    assert texts_of({"a.txt": content}, format="text") == lines
    assert texts_of({"a.txt": content + end}, format="text") == lines


@given(lines=st.lists(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\r\n\0"))))
def test_lines_of_utf_8_come_back(lines: list[str]) -> None:
    content = "".join(line + "\n" for line in lines).encode()
    found = list(decoded_lines(io.BytesIO(content), Source("a.txt", "text")))
    assert found == [line.removeprefix("\ufeff") if not at else line for at, line in enumerate(lines)]


def test_the_head_of_a_file_is_its_whole_lines() -> None:
    heads = {b"one\ntwo\nthr": ["one", "two"], b"one\r\ntwo\r\n": ["one", "two"], b"one": ["one"], b"": []}
    assert {head: head_lines(head) for head in heads} == heads
    assert head_lines(b"o\0ne\ntwo\n") == ["two"]


@given(tweets=st.lists(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\r\0")), min_size=1))
def test_csv_written_with_quotes_is_read_back_whole(tweets: list[str]) -> None:
    texts = ["x" * 4000, *tweets]  # few of the characters are control characters, so this is a text file
    content = "".join('"' + text.replace('"', '""') + '"\n' for text in ["text", *texts])
    assert texts_of({"a.csv": content}, format="csv") == texts


WIDE = {"id": [1, 2], "tweet": ["hello there", "good morning"]}
WORDS = pa.array(["one ü", None, "", "one ü"], pa.string())
KINDS = (pa.string(), pa.string_view(), pa.binary(), pa.dictionary(pa.int32(), pa.string()))
PARQUET: dict[str, Any] = {
    "a column of dates is none of texts": {
        "text": ["one", "two"],
        "target": [0, 1],
        "day": pa.array([0, 1], pa.date32()),
    },
    "an empty table has no rows": {"text": pa.array([], pa.string())},
    "a text is read as Windows-1252 if it is not UTF-8": {"text": pa.array([b"caf\xe9", "ü".encode()])},
    "two columns of one name are an error": pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], ["text", "text"]),
    **{f"every type of text is read and a null is empty: {kind}": {"text": WORDS.cast(kind)} for kind in KINDS},
}


def parquet(columns: Any, **options: Any) -> Files:
    return {"a.parquet": parquet_of(columns, **options)}


@pytest.mark.parametrize("name", PARQUET)
def test_parquet_is_read_as_recorded(name: str, snapshot: SnapshotAssertion) -> None:
    options: tuple[dict[str, Any], ...] = ({"column": "text"},) if "one name" in name else ({},)
    options += ({"label_column": "target", "label": "1"},) if "dates" in name else ()
    assert "\n".join(read(parquet(PARQUET[name]), **each) for each in options) == snapshot


def test_a_column_of_thousands_of_digits_is_no_number() -> None:
    for files in ({"a.csv": "id,text\n1,hello\n"}, parquet(WIDE)):
        assert " has no column 999" in read(files, column="9" * 5000)


def test_rows_of_many_groups_come_in_order_and_a_limit_of_memory_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    numbered = [f"tweet number {n}" for n in range(5000)]
    assert texts_of(parquet({"text": numbered}, row_group_size=700)) == numbered
    assert texts_of(parquet(WIDE), "zip") == ["hello there", "good morning"]
    monkeypatch.setattr(reader, "MAX_WHOLE_BYTES", 100)
    assert "too large to be read as a whole" in read(parquet(WIDE), "zip")
    monkeypatch.setattr(parquet_reader, "MAX_GROUP_BYTES", 100_000)
    texts = ["x" * 1000 * n for n in range(50)]
    assert "in one row group" in read(parquet({"text": texts}, compression="zstd", use_dictionary=False))


@pytest.mark.parametrize("data", [b"PAR1", b"PAR1PAR1", b"PAR1" + b"\xff" * 100 + b"PAR1", b"cut"])
def test_a_damaged_file_is_an_error(data: bytes) -> None:
    content = parquet(WIDE)["a.parquet"][:-20] if data == b"cut" else data
    assert "a damaged Parquet file" in read({"a.parquet": content}, format="parquet")


@recorded_cases("json")
def test_white_space_between_values_changes_nothing(case: Case) -> None:
    (content,) = case.files.values()
    try:
        document = json.loads(content)
    except ValueError:
        return
    indented = {"a.json": json.dumps(document, indent=2)}
    assert read_with(case.options, indented) == case.read()


def as_json(document: object) -> Files:
    return {"a.json": json.dumps(document, ensure_ascii=False)}


TEXTS = [f"number {number}" for number in range(1000)]
LONG = {
    "columns": {"id": dict.fromkeys(map(str, range(1000)), 5), "text": {str(n): text for n, text in enumerate(TEXTS)}},
    "index": {str(n): {"id": 5, "text": text} for n, text in enumerate(TEXTS)},
    "split": {"columns": ["id", "text"], "index": list(range(1000)), "data": [[5, text] for text in TEXTS]},
    "an array after another": {"names": [{"first": "mia"}], "posts": [{"text": text} for text in TEXTS]},
}


def test_a_long_document_is_examined_by_its_first_items_and_texts_of_others_are_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(json_values, "_SMALL_BYTES", 100)
    for document in LONG.values():
        for column in (None, "text"):
            assert texts_of(as_json(document), column=column, format="json") == TEXTS
    nested = {"posts": [{"post": {"text": text}} for text in TEXTS]}
    content = as_json({"owner": {"names": [{"first": "mia"}]}, "export": nested})
    for column in (None, "export.posts.post.text", "post.text"):
        assert texts_of(content, column=column) == TEXTS
        assert (column is None) == ("* texts under export.posts.post.text" in read(content, column=column))
    others = [{"id": str(number), "text": "another's"} for number in range(300)]
    assert "has no array of tweets" in read(as_json({"includes": {"tweets": others}, "errors": [{"title": "gone"}]}))
    assert "has no texts under post.words" in read(as_json({"a": [5] * 9000}), column="post.words")
    late = {"posts": [{"id": number} for number in range(500)] + [{"words": "at last"}]}
    assert texts_of(as_json(late), column="posts.words") == ["at last"]


def test_a_too_large_file_or_value_is_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    content = {"a.json": '["a",\n"' + "x" * 2000 + '"]'}
    monkeypatch.setattr(json_values, "MAX_DECODED_BYTES", 1000)
    assert "a.json has a value of over 0 MB, near line 2 (character 7)." in read(content)
    assert "line 2 (character 7): trailing characters.\n!   In a file of" in read({"a.json": "[12]\n{}" + " " * 999})
    monkeypatch.setattr(json_values, "MAX_VALUES", 3)
    assert "a.json has over 3 values" in read({"a.json": "[1,2,3,4,5]"})
    monkeypatch.setattr(reader, "MAX_WHOLE_BYTES", 1000)
    assert "too large to be read as a whole.\n!   Extract Parquet from an archive; save JSON as JSON Lines" in read(
        content
    )


def test_characters_across_a_block_boundary_are_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = {"a.json": json.dumps(["ü€😀", "x" * 40, 123456], ensure_ascii=False).encode()}
    mixed = {"a.json": whole["a.json"].replace(b"xx", b"x\xe9", 1)}
    expected = [read(whole), read(mixed)]
    assert expected[0].endswith("- not a text: item 3: 123456")
    assert expected[1].endswith("* 1 character read as Windows-1252")
    for size in range(1, 40):
        monkeypatch.setattr(json_values, "_BLOCK_BYTES", size)
        assert [read(whole), read(mixed)] == expected


WRONG: list[object] = [None, True, 5, -1e99, "x", [], {}, [[]], [None, 5], {"a": [5]}, [{"type": ["x"]}]]


def variants(value: Any) -> Iterator[object]:
    """Yield a value with one of those in it, or itself, replaced by a wrong one."""
    yield from WRONG
    for key, inner in value.items() if isinstance(value, dict) else ():
        yield from ({**value, key: wrong} for wrong in variants(inner))
    for place, inner in enumerate(value) if isinstance(value, list) else ():
        yield from ([*value[:place], wrong, *value[place + 1 :]] for wrong in variants(inner))


def rows_of(content: str, config: CorpusConfig) -> list[Row]:
    """Return the rows that the reader yields, or none if it raises an error."""
    members = [Member("a.json", lambda: io.BytesIO(content.encode()))]
    try:
        return list(format_named(config.format).rows(members, Source("a.json", config.format), config))
    except CorpusError:
        return []


@recorded_cases("values")
@pytest.mark.parametrize("more", [{}, {"no_replies": True, "no_sensitive": True, "keep_links": True}])
def test_a_value_of_the_wrong_kind_is_no_crash(case: Case, more: dict[str, Any]) -> None:
    (options,) = case.options
    config = CorpusConfig(**options, **more, no_retweets=bool(more))
    sample = json.loads(case.files["a.json"])
    start = "window.YTD.tweets.part0 = " if config.format == "x" else ""
    plain = f"{start}{json.dumps(sample)}\n"
    after = plain if config.format == "jsonl" else ""
    assert any(isinstance(row, str) for row in rows_of(plain + after, CorpusConfig(**options)))
    for variant in variants(sample):
        rows = rows_of(f"{start}{json.dumps(variant)}\n{after}", config)
        assert all(isinstance(row, str | DroppedRow) for row in rows)


@pytest.mark.parametrize("file_format", ["json", "mastodon", "bluesky"])
def test_any_depth_is_read_or_an_error(file_format: FileFormat) -> None:
    config = CorpusConfig(format=file_format)
    for depth in range(850, 1000):
        inner = '{"a":' * depth + "[]" + "}" * depth
        for content in (inner, f'{{"b":{inner},"posts":[{{"text":"one"}}]}}', f'[{{"text":"one"}},{inner}]'):
            assert all(isinstance(row, str | DroppedRow) for row in rows_of(content, config))


def archive(**entries: list[object]) -> Files:
    """Return the files of an archive with tweets under an id and a text, or other entries, by the file's name."""
    names = {name: name.replace("_", "-") for name in entries}
    return {f"data/{names[name]}.js": f"window.YTD.{name}.part0 = {json.dumps(each)}" for name, each in entries.items()}


def tweet(text: str, number: int = 1) -> object:
    return {"tweet": {"id_str": str(number), "full_text": text}}


def test_an_archive_with_too_many_circle_tweets_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.corpus.readers.networks.x_reader.MAX_CIRCLE_TWEETS", 2)
    for ids in ((0, 1, 2), (1, 1, 2)):
        circle = [tweet("a secret", number) for number in ids]
        assert "over 2 circle tweets" in read(archive(tweets=[tweet("hello")], twitter_circle_tweet=circle))


def test_other_files_of_the_archive_are_never_opened() -> None:
    refused = mock.Mock(side_effect=AssertionError("it was opened"))
    private = ("direct-messages.js", "direct-messages-group.js", "deleted-tweets.js", "deleted-tweet-headers.js")
    foreign = ("twitter-circle.js", "twitter-circle-member.js", "protected-history.js", "like.js", "community-tweet.js")
    members = [Member(f"data/{name}", refused) for name in (*private, *foreign, "../tweets.js.exe")]
    ((path, content),) = archive(tweets=[tweet("hello")]).items()
    members.append(Member(path, lambda: io.BytesIO(encoded(content))))
    assert list(x_rows(members, Source("archive.zip", "x"), CorpusConfig())) == ["hello"]


@recorded_cases("x_paths")
def test_the_files_of_an_archive_that_are_read_are_known_by_their_path(case: Case, snapshot: SnapshotAssertion) -> None:
    roots = {path: root_of(path) for path in case.rows}
    lines = (f"{path}: {'not read' if root is None else f'in {root!r}'}" for path, root in roots.items())
    assert "\n".join(lines) == snapshot


@recorded_cases("html")
def test_html_becomes_the_text_that_is_seen_without_or_with_addresses(case: Case, snapshot: SnapshotAssertion) -> None:
    lines = []
    for row in case.rows:
        seen, whole = (html_to_text(unescaped(row), keeps_links=keeps) for keeps in (False, True))
        assert seen.num_links == whole.num_links
        lines += [row, f"  {seen.text!r}, {seen.num_links} removed"]
        lines += [f"  {whole.text!r} with addresses"] * (whole != seen)
    assert "\n".join(lines) == snapshot


TAGS = ("<p>", "</p>", "<br>", "<span class='invisible'>", '<span class="ellipsis">', "</span>", "<a href='", "</a>")
SCRAPS = (*"<>'\"a ", "<!--", "-->", "<![CDATA[", "<script>", "</script>", "&amp;", "&#", "99999999999")


@given(markup=st.lists(st.sampled_from(TAGS + SCRAPS) | st.text(max_size=3)).map("".join))
def test_any_html_yields_text_without_double_breaks(markup: str) -> None:
    text = html_to_text(markup).text
    assert "\n\n" not in text
    assert text == text.strip()


REPOSITORY = car_of([{"$type": "app.bsky.feed.post", "text": "hello", "createdAt": "2024-05-01T10:00:00.000Z"}])
DAMAGED = {
    "truncated": REPOSITORY[:-1],
    "of another version": car_of([{}], version=2),
    "without an id": car_of([]) + section_of(b"no id"),
    "without the encoding of records": car_of([]) + section_of(CAR_ID + bytes(32) + b"\x81" * 100_000),
    "with a block that is too long": car_of([]) + section_of(bytes(MAX_BLOCK_BYTES + 1)),
    "with an empty block": car_of([]) + b"\x00",
}


@pytest.mark.parametrize("name", ["statuses of the interface are found in lines", "the activities of an outbox alone"])
def test_posts_one_per_line_are_read_at_any_size(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_WHOLE_BYTES", 100)
    (case,) = (each for each in cases("mastodon") if each.name.startswith(name) and each.name.endswith("lines"))
    assert "! " not in case.read()
    record = json.dumps({"$type": "app.bsky.feed.post", "text": "hello", "createdAt": "2024"}) + "\n"
    assert texts_of({"a.jsonl": 100 * record}) == 100 * ["hello"]


def test_a_damaged_repository_is_an_error(snapshot: SnapshotAssertion) -> None:
    assert "\n".join(f"({name})\n{read({'repo.car': content})}" for name, content in DAMAGED.items()) == snapshot


def test_links_and_malformed_html_take_linear_time() -> None:
    """It would take minutes if an expression backtracked."""
    tweets = [tweet(piece * 100_000 + "x") for piece in (" ", "\n", "https://t.co/a ", "(https://t.co/")]
    notes: list[object] = [{"noteTweet": {"createdAt": "2023-04-04T13:45:22.000Z", "core": {"text": "a note"}}}]
    read(archive(tweets=tweets, note_tweet=notes))
    for piece in (" ", "https://", "(https://a", "https://!", "www."):
        without_typed_links(piece * 200_000)
    for piece in ("<a ", "<!--", "</", "<span>", "</span>", "<b></i>", "&#", "<a b='", "<script>", " \n"):
        html_to_text(piece * 20_000)


@pytest.mark.parametrize(("package", "name"), [("pyarrow.parquet", "a.parquet"), ("libipld", "a.car")])
def test_a_missing_package_is_named_to_be_installed(package: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    content = b"PAR1" + bytes(100) + b"PAR1" if name == "a.parquet" else REPOSITORY
    assert read({name: content}).endswith(f"pip install {package.partition('.')[0]}")
