"""Tweets and their long versions are read from an X archive of any year, and nothing else.

`tests.fuzz` tries damaged ones.
"""

from __future__ import annotations

import io
import json
from typing import BinaryIO

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.archives.x_files import archive_root
from engine.corpus.readers.archives.x_rows import x_rows
from engine.corpus.types import Member, Source
from tests.engine.corpus.reading import Case, Files, read, recorded_cases


@recorded_cases("x", "x_old")
def test_an_archive_is_read_as_recorded(case: Case, snapshot: SnapshotAssertion) -> None:
    assert case.read() == snapshot


def archive(**entries: list[object]) -> Files:
    """Return the files of an archive with tweets under an id and a text, or other entries, by the file's name."""
    names = {name: name.replace("_", "-") for name in entries}
    return {f"data/{names[name]}.js": f"window.YTD.{name}.part0 = {json.dumps(each)}" for name, each in entries.items()}


def tweet(text: str, number: int = 1) -> object:
    return {"tweet": {"id_str": str(number), "full_text": text}}


def test_links_are_found_in_linear_time() -> None:
    tweets = [tweet(piece * 100_000 + "x") for piece in (" ", "\n", "https://t.co/a ", "(https://t.co/")]
    notes: list[object] = [{"noteTweet": {"createdAt": "2023-04-04T13:45:22.000Z", "core": {"text": "a note"}}}]
    read(archive(tweets=tweets, note_tweet=notes))  # minutes, if an expression backtracked


def test_an_archive_with_too_many_circle_tweets_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.corpus.readers.archives.x_tweets.MAX_CIRCLE_TWEETS", 2)
    circle = [tweet("a secret", number) for number in range(3)]
    assert "over 2 circle tweets" in read(archive(tweets=[tweet("hello")], twitter_circle_tweet=circle))


def test_other_files_of_the_archive_are_never_opened() -> None:
    def refused() -> BinaryIO:
        raise AssertionError("it was opened")

    def tweets() -> BinaryIO:
        (content,) = archive(tweets=[tweet("hello")]).values()
        return io.BytesIO(str(content).encode())

    others = [
        "deleted-tweets.js",
        "twitter-circle.js",
        "twitter-circle-member.js",
        "protected-history.js",
        "direct-messages.js",
        "direct-messages-group.js",
        "like.js",
        "community-tweet.js",
    ]
    members = [Member(f"data/{name}", refused) for name in [*others, "deleted-tweet-headers.js", "../tweets.js.exe"]]
    members.append(Member("data/tweets.js", tweets))
    assert list(x_rows(members, Source("archive.zip", "x"), CorpusConfig())) == ["hello"]


@recorded_cases("x_paths")
def test_the_files_that_are_read_are_known_by_their_path(case: Case, snapshot: SnapshotAssertion) -> None:
    roots = {path: archive_root(path) for path in str(case.files["rows"]).splitlines()}
    lines = (f"{path}: {'not read' if root is None else f'in {root!r}'}" for path, root in roots.items())
    assert "\n".join(lines) == snapshot
