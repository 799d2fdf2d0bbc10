"""Samples of files and archives of networks, and functions that open them as sources."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.config.corpus import CorpusConfig, FileFormat
from engine.corpus.files.read_progress import ReadProgress
from engine.corpus.ingest.sources import OpenedSource, open_sources
from engine.corpus.types import Row
from engine.errors import CorpusError

TEXT = b"a nice day\nand a good night\n"
CSV = b"id,text\n1,a nice day\n2,and a good night\n"
JSONL = b'{"text": "a nice day"}\n{"text": "and a good night"}\n'
NESTED = b'{"export": {"posts": [{"post": {"text": "a nice day"}}, {"post": {"text": "and a good night"}}]}}'
ROWS: list[Row] = ["a nice day", "and a good night"]
SENTIMENT140 = b"".join(
    b'"4","%d","Mon Apr 06 22:19:45 PDT 2009","NO_QUERY","somebody","a nice day, number %d"\n' % (number, number)
    for number in range(5)
)
X_TWEETS = b'window.YTD.tweets.part0 = [{"tweet": {"id_str": "1", "full_text": "a nice day"}}]'
X_PART = b'window.YTD.tweets.part1 = [{"tweet": {"id_str": "2", "full_text": "and a good night"}}]'
X_DELETED = b'window.YTD.deleted_tweets.part0 = [{"tweet": {"id_str": "3", "full_text": "a secret"}}]'
X_FILES = {
    "Your archive.html": b"<html>",
    "data/account.js": b"window.YTD.account.part0 = []",
    "data/README.txt": b"what is in this archive\n",
    "data/deleted-tweets.js": X_DELETED,
    "data/direct-messages.js": X_DELETED,
    "data/tweets-part1.js": X_PART,
    "data/tweets.js": X_TWEETS,
}
X_MONTH = b'Grailbird.data.tweets_2012_01 = \n [ {\n  "source" : "web",\n  "text" : "a nice day"\n} ]'
X_TABLE = (
    b'"tweet_id","in_reply_to_status_id","in_reply_to_user_id","timestamp","source","text","retweeted_status_id",'
    b'"retweeted_status_user_id","retweeted_status_timestamp","expanded_urls"\n"1","","","2012","web","a nice day"\n'
)
X_OLD_FILES = {
    "README.txt": b"how to use this archive\n",
    "data/js/payload_details.js": b'var payload_details = {"tweets": 2}',
    "data/js/tweet_index.js": b'var tweet_index = [ {"file_name": "data/js/tweets/2012_01.js"} ]',
    "data/js/tweets/2012_01.js": X_MONTH,
    "data/js/tweets/2012_02.js": X_MONTH.replace(b"2012_01", b"2012_02").replace(b"a nice day", b"and a good night"),
    "data/js/user_details.js": b'var user_details = {"id": "5", "bio": "a life"}',
    "index.html": b"<html>",
    "js/application.js": b"var app = 1",
    "tweets.csv": X_TABLE,
}
OUTBOX = json.dumps(
    {
        "@context": "https://www.w3.org/ns/activitystreams",
        "id": "outbox.json",
        "type": "OrderedCollection",
        "orderedItems": [
            {"type": "Create", "object": {"type": "Note", "content": f"<p>{row}</p>", "to": ["as:Public"]}}
            for row in ROWS
        ],
    }
).encode()
MASTODON_FILES = {"actor.json": b'{"id": "me"}\n', "likes.json": b'{"text": "not mine"}\n', "outbox.json": OUTBOX}


def write(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files into a folder and return it."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def sources_of(*files: Path, file_format: FileFormat = "auto", column: str | None = None) -> Iterator[OpenedSource]:
    """Open the sources of these files."""
    config = CorpusConfig(files=tuple(map(str, files)), format=file_format, column=column)
    return open_sources(config, ReadProgress())


def read(*files: Path, file_format: FileFormat = "auto", column: str | None = None) -> dict[str, list[Row]]:
    """Return the rows of all sources in these files, by name."""
    return {each.source.name: list(each.rows) for each in sources_of(*files, file_format=file_format, column=column)}


def error_of(path: Path, file_format: FileFormat = "auto", column: str | None = None) -> CorpusError:
    """Return the error of opening a file, before a row is read; assert that it names the file and has a hint."""
    with pytest.raises(CorpusError) as caught:
        next(sources_of(path, file_format=file_format, column=column))
    assert str(path) in caught.value.message
    assert caught.value.hint
    return caught.value


def rows_or_error(config: CorpusConfig) -> Iterator[object]:
    """Yield the rows of all sources, or the error."""
    try:
        for opened in open_sources(config, ReadProgress()):
            yield from opened.rows
    except CorpusError as error:
        yield error.message
