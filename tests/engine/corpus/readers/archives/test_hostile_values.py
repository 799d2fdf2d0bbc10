"""Any value of the wrong kind, anywhere in a network's JSON, is read or dropped, and never ends in a crash."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from engine.config.corpus import CorpusConfig, FileFormat
from engine.corpus.ingest.formats import FORMATS
from engine.corpus.types import DroppedRow, Member, Row, Source
from engine.errors import CorpusError

ACTOR = "https://m.example/users/mia"
SELF_LABELS = {"values": [{"val": "nudity"}]}
LINK = {
    "index": {"byteStart": 0, "byteEnd": 9},
    "features": [{"$type": "app.bsky.richtext.facet#link", "uri": "a.example"}],
}
SAMPLES: list[tuple[FileFormat, Any]] = [
    (
        "mastodon",
        {
            "orderedItems": [
                {
                    "type": "Create",
                    "actor": ACTOR,
                    "object": {
                        "type": "Note",
                        "content": "<p>a</p>",
                        "to": [f"{ACTOR}/followers"],
                        "cc": [],
                        "summary": "x",
                        "sensitive": False,
                        "inReplyTo": f"{ACTOR}/statuses/1",
                    },
                }
            ]
        },
    ),
    (
        "mastodon",
        [
            {
                "content": "<p>a</p>",
                "visibility": "public",
                "spoiler_text": "",
                "reblog": None,
                "sensitive": False,
                "in_reply_to_id": "1",
                "in_reply_to_account_id": "7",
                "account": {"id": "7"},
            }
        ],
    ),
    (
        "x",
        [
            {
                "tweet": {
                    "id_str": "1",
                    "full_text": "a b",
                    "created_at": "Tue Apr 04 13:45:22 +0000 2023",
                    "in_reply_to_user_id_str": "7",
                    "in_reply_to_status_id_str": "1",
                    "entities": {"urls": [{"expanded_url": "https://a.example"}]},
                    "user": {"protected": True},
                }
            }
        ],
    ),
    (
        "bluesky",
        [
            {
                "uri": "at://did:plc:mia/app.bsky.feed.post/1",
                "value": {
                    "$type": "app.bsky.feed.post",
                    "text": "a.example b",
                    "createdAt": "2024-05-01",
                    "reply": {"parent": {"uri": "at://did:plc:mia/app.bsky.feed.post/0"}},
                    "labels": SELF_LABELS,
                    "facets": [LINK],
                },
            }
        ],
    ),
]
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


def read(file_format: FileFormat, data: bytes, config: CorpusConfig) -> list[Row]:
    data = b"window.YTD.tweets.part0 = " + data if file_format == "x" else data
    members = [Member("posts.json", lambda: io.BytesIO(data))]
    return list(FORMATS[file_format].reader(members, Source("posts.json", file_format), config))


@pytest.mark.parametrize(("file_format", "sample"), SAMPLES)
def test_a_value_of_the_wrong_kind_is_no_crash(file_format: FileFormat, sample: Any) -> None:
    plain = CorpusConfig()
    assert any(isinstance(row, str) for row in read(file_format, json.dumps(sample).encode(), plain))
    for config in (plain, replace(plain, no_replies=True, no_sensitive=True, keep_links=True)):
        for path in places(sample):
            for wrong in WRONG:
                data = json.dumps(replaced(sample, path, wrong)).encode()
                try:
                    rows = read(file_format, data, config)
                except CorpusError:
                    continue
                assert all(isinstance(each, str | DroppedRow) for each in rows)
