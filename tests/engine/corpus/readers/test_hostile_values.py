"""Any value of the wrong kind, anywhere in a file of JSON, is read or dropped, and never ends in a crash."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.engine.corpus.reading import read, texts_of

ACTOR = "https://m.example/users/mia"
NOTE = {
    "type": "Note",
    "content": "<p>a</p>",
    "to": [f"{ACTOR}/followers"],
    "cc": [],
    "summary": "x",
    "sensitive": False,
    "inReplyTo": f"{ACTOR}/statuses/1",
}
STATUS = {
    "content": "<p>a</p>",
    "visibility": "public",
    "spoiler_text": "",
    "reblog": None,
    "sensitive": False,
    "in_reply_to_id": "1",
    "in_reply_to_account_id": "7",
    "account": {"id": "7"},
}
TWEET = {
    "id_str": "1",
    "full_text": "a b",
    "created_at": "Tue Apr 04 13:45:22 +0000 2023",
    "in_reply_to_user_id_str": "7",
    "in_reply_to_status_id_str": "1",
    "entities": {"urls": [{"expanded_url": "https://a.example"}]},
    "user": {"protected": True},
}
RECORD = {
    "$type": "app.bsky.feed.post",
    "text": "a.example b",
    "createdAt": "2024-05-01",
    "reply": {"parent": {"uri": "at://did:plc:mia/app.bsky.feed.post/0"}},
    "labels": {"values": [{"val": "nudity"}]},
    "facets": [
        {
            "index": {"byteStart": 0, "byteEnd": 9},
            "features": [{"$type": "app.bsky.richtext.facet#link", "uri": "a.example"}],
        }
    ],
}
POST = {
    "text": "a b",
    "truncated": True,
    "extended_tweet": {"full_text": "a b c"},
    "referenced_tweets": [{"type": "x"}],
}
SAMPLES: dict[str, tuple[str, Any]] = {
    "an outbox": ("mastodon", {"orderedItems": [{"type": "Create", "actor": ACTOR, "object": NOTE}]}),
    "statuses": ("mastodon", [STATUS]),
    "an archive of X": ("x", [{"tweet": TWEET}]),
    "records of Bluesky": ("bluesky", [{"uri": "at://did:plc:mia/app.bsky.feed.post/1", "value": RECORD}]),
    "an array of objects": ("json", {"tweets": [POST, POST]}),
    "a table of columns": ("json", {"text": {"0": "a b", "1": "c"}, "target": {"0": 0, "1": 4}}),
    "a table of rows": ("json", {"columns": ["id", "text"], "index": [0], "data": [[7, "a b"]]}),
    "lines of objects": ("jsonl", {"data": [POST, POST], "sentiment": "positive"}),
    "lines of arrays": ("jsonl", ["7", "a b"]),
}
WRONG: list[object] = [None, True, 5, -1e99, "x", [], {}, [[]], [None, 5], {"a": [5]}, [{"type": ["x"]}]]


def places(value: object) -> Iterator[tuple[object, ...]]:
    """Yield the path of every value inside."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield (key,)
        for rest in places(inner):
            yield (key, *rest)


def replaced(value: Any, path: tuple[object, ...], new: object) -> Any:
    """Return a copy with another value at a path."""
    whole = copy.deepcopy(value)
    parent = whole
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = new
    return whole


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("options", [{}, {"no_replies": True, "no_sensitive": True, "keep_links": True}])
def test_a_value_of_the_wrong_kind_is_no_crash(name: str, options: dict[str, Any]) -> None:
    file_format, sample = SAMPLES[name]
    start = "window.YTD.tweets.part0 = " if file_format == "x" else ""
    plain = f"{start}{json.dumps(sample)}\n"
    after = plain if file_format == "jsonl" else ""
    assert texts_of({"a.json": plain + after}, format=file_format)
    for path in places(sample):
        for wrong in WRONG:
            content = f"{start}{json.dumps(replaced(sample, path, wrong))}\n{after}"
            read({"a.json": content}, format=file_format, no_retweets=bool(options), **options)
