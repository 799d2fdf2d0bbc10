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


@pytest.mark.parametrize(
    ("name", "root"),
    [
        ("data/tweets.js", ""),
        ("twitter-2023-04-04/data/tweet.js", "twitter-2023-04-04/"),
        ("data/tweets-part12.js", ""),
        ("data/note-tweet.js", ""),
        ("data/twitter-circle-tweet.js", ""),
        ("data/deleted-tweets.js", None),
        ("data/community-tweet.js", None),
        ("data/tweets_media/tweets.js", None),
        ("assets/tweets.js", None),
        ("data/._tweets.js", None),
        # the archives of 2012 to 2019
        ("data/js/tweets/2012_01.js", ""),
        ("archive/data/js/tweets/2012_01.js", "archive/"),
        ("js/tweets/2012_01.js", ""),
        ("tweets/2012_01.js", ""),
        ("2012_01.js", ""),
        ("months/2012_01.js", "months/"),
        ("archive/data/js/user_details.js", "archive/"),
        ("archive/data/csv/2012_01.csv", "archive/"),
        ("archive/tweets.csv", "archive/"),
        ("tweets.csv", ""),
        ("data/js/tweet_index.js", None),
        ("data/js/payload_details.js", None),
        ("js/application.js", None),
        ("my_tweets.csv", None),
    ],
)
def test_the_files_that_are_read_are_known_by_their_path(name: str, root: str | None) -> None:
    assert archive_root(name) == root
