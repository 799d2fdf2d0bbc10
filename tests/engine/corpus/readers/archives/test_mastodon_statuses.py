"""Statuses of Mastodon's API are read as the posts they are, not as HTML; private ones never are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.config.corpus import CorpusConfig
from engine.corpus.loading import read_tweets

STATUS = {
    "id": "1",
    "created_at": "2024-05-01T10:00:00.000Z",
    "in_reply_to_id": None,
    "in_reply_to_account_id": None,
    "sensitive": False,
    "spoiler_text": "",
    "visibility": "public",
    "language": "en",
    "uri": "https://m.example/users/mia/statuses/1",
    "content": "<p>hello &amp; good day</p>",
    "reblog": None,
    "account": {"id": "7", "acct": "mia"},
}


def read(path: Path, content: str, **options: Any) -> tuple[list[str], dict[str, int]]:
    """Write a file and return its tweets and dropped rows; assert that it is recognised."""
    path.write_text(content, encoding="utf-8")
    texts, report = read_tweets(CorpusConfig(files=(str(path),), keep_duplicates=True, **options))
    assert report.formats == ("mastodon",)
    return list(texts), report.dropped


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", json.dumps([STATUS, STATUS])),
        ("a.json", json.dumps([STATUS, STATUS], indent=2)),
        ("a.jsonl", f"{json.dumps(STATUS)}\n{json.dumps(STATUS)}\n"),
        (
            "m.example.user.mia.json",
            json.dumps({"account": {"id": "7"}, "statuses": [STATUS] * 2, "mentions": [STATUS]}),
        ),
    ],
)
def test_statuses_are_found_in_every_form(name: str, content: str, tmp_path: Path) -> None:
    assert read(tmp_path / name, content) == (["hello & good day"] * 2, {})


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"visibility": "direct"}, "direct message"),
        ({"visibility": "limited"}, "direct message"),
        ({"visibility": "private"}, "for followers only"),
        ({"visibility": "login"}, "not public"),
        ({"reblog": STATUS}, "boost"),
        ({"content": None}, "not a post"),
    ],
)
def test_private_statuses_and_boosts_are_drops(fields: dict[str, object], reason: str, tmp_path: Path) -> None:
    content = json.dumps([{**STATUS, "visibility": "unlisted"}, {**STATUS, **fields}])
    assert read(tmp_path / "a.json", content) == (["hello & good day"], {reason: 1})


def test_arrays_of_others_posts_are_named_in_a_note(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text(json.dumps({"statuses": [STATUS], "favourites": [STATUS], "bookmarks": []}), encoding="utf-8")
    assert read_tweets(CorpusConfig(files=(str(path),)))[1].sources[0].notes == ("not read: favourites",)


def test_the_examples_of_dropped_statuses_never_have_their_text(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    secret = {**STATUS, "visibility": "direct", "content": "a secret"}
    lines = [
        json.dumps(STATUS),
        json.dumps(secret),
        json.dumps(secret)[:-1],
        json.dumps({**secret, "content": ["a secret"]}),
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    report = read_tweets(CorpusConfig(files=(str(path),)))[1]
    assert report.dropped == {"direct message": 1, "not JSON": 1, "not a post": 1}
    assert "secret" not in str(report)


def test_replies_and_sensitive_statuses_are_dropped_by_option_only(tmp_path: Path) -> None:
    reply = {**STATUS, "in_reply_to_id": "5", "in_reply_to_account_id": "8"}
    thread = {**reply, "in_reply_to_account_id": "7"}
    content = json.dumps([reply, thread, {**STATUS, "spoiler_text": "spiders"}, {**STATUS, "sensitive": True}])
    assert read(tmp_path / "a.json", content)[1] == {}
    dropped = read(tmp_path / "a.json", content, no_replies=True, no_sensitive=True)[1]
    assert dropped == {"marked as sensitive": 2, "reply": 1}
