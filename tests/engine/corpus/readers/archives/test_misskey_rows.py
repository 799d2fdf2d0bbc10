"""Notes are read from Misskey's export; those to specified users and renotes never are."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from engine.config.corpus import CorpusConfig
from engine.corpus.ingest.detection import recognize_format
from engine.corpus.readers.archives.misskey_rows import misskey_rows
from engine.corpus.types import DroppedRow, Row, Source
from engine.errors import CorpusError


def note(text: object, number: int = 1, **fields: object) -> dict[str, Any]:
    ids = {"id": f"9{number}", "text": text, "createdAt": "2024-05-01T10:00:00.000Z", "fileIds": [], "files": []}
    others = {"replyId": None, "renoteId": None, "poll": None, "cw": None, "visibility": "public"}
    return {**ids, **others, "visibleUserIds": [], "localOnly": False, "reactionAcceptance": None, **fields}


def rows_of(*notes: object, source: Source | None = None, **options: Any) -> list[Row]:
    data = json.dumps(notes, ensure_ascii=False).encode()
    return list(misskey_rows(io.BytesIO(data), source or Source("notes.json", "misskey"), CorpusConfig(**options)))


def reasons(rows: list[Row]) -> list[str]:
    return [row if isinstance(row, str) else row.reason for row in rows]


def test_an_export_is_recognised_by_its_content() -> None:
    assert recognize_format(json.dumps([note("a")]).encode(), "notes-2024-05-01-10-00-00.json") == "misskey"
    assert recognize_format(json.dumps([{"text": "a", "visibility": "public"}]).encode(), "a.json") == "json"


def test_notes_are_rows_and_renotes_without_text_are_counted() -> None:
    rows = rows_of(note("a &amp; b"), note(None, renoteId="8"), note("so true", renoteId="8"), note(None), 5)
    assert reasons(rows) == ["a &amp;amp; b", "renote", "so true", "without text", "not a post"]


def test_a_note_to_specified_users_is_never_read() -> None:
    rows = rows_of(note("secret", visibility="specified", visibleUserIds=["7"]), note("secret", visibility=None))
    assert reasons(rows) == ["direct message"] * 2
    assert "secret" not in str(rows)


def test_notes_for_followers_and_warnings_are_counted_in_the_notes() -> None:
    source = Source("notes.json", "misskey")
    notes = [
        note("a", visibility="followers"),
        note("b", visibility="home"),
        note("c https://a.example/b", cw="spiders"),
    ]
    assert rows_of(*notes, source=source) == ["a", "b", "c"]
    assert source.notes == [
        "links removed from 1 post; --keep-links keeps them",
        "1 post for followers only included",
        "content warnings of 1 post not included; --no-sensitive skips such posts",
    ]


def test_replies_sensitive_notes_and_links_depend_on_the_options() -> None:
    notes = [note("a", 1), note("b", 2, replyId="91"), note("c", 3, replyId="0"), note("d", 4, cw="x")]
    assert rows_of(*notes) == ["a", "b", "c", "d"]
    assert reasons(rows_of(*notes, no_replies=True, no_sensitive=True)) == ["a", "b", "reply", "marked as sensitive"]
    assert rows_of(note("見てhttps://a.example/bこれ"), note("awww.so cute")) == ["見てこれ", "awww.so cute"]
    link = note("https://a.example")
    assert rows_of(link) == [DroppedRow("only a link", "note 1: https://a.example")]
    assert rows_of(link, keep_links=True) == ["https://a.example"]


def test_links_are_found_in_linear_time() -> None:
    for piece in (" ", "https://", "(https://a", "https://!", "www."):
        rows_of(note(piece * 200_000))  # minutes, if the expression backtracked


@pytest.mark.parametrize(
    ("data", "problem"), [(b"[]", "has no notes"), (b"{}", "not valid JSON"), (b"[5] 6", "after its end")]
)
def test_a_file_without_notes_is_an_error(data: bytes, problem: str) -> None:
    with pytest.raises(CorpusError, match=problem):
        list(misskey_rows(io.BytesIO(data), Source("notes.json", "misskey"), CorpusConfig()))
