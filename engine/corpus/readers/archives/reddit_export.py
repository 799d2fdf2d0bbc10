"""The CSV files of Reddit's export of an account: `posts.csv` and `comments.csv`.

The columns are `id,permalink,date,ip,subreddit,gildings,title,url,body` and `id,permalink,date,ip,subreddit,gildings,
link,parent,body,media`. The export's other files are recognised by their columns, to be refused: messages and chats are
private and have the words of others, drafts were never published.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import BinaryIO

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.archives.posts import located
from engine.corpus.readers.archives.reddit_posts import row_of
from engine.corpus.readers.lines import decoded_lines
from engine.corpus.readers.tables.csv_records import CsvRecords
from engine.corpus.types import DroppedRow, Row, Source, example
from engine.errors import CorpusError
from engine.text import escape

FILE_NAME = re.compile(r"(?:posts|comments)(?:_\d+)?\.csv")
"""The names of the files that are read; those of large accounts are split and numbered."""

_OTHER_FILE = re.compile(
    r"(?:messages?(?:_archive)?_headers|(?:comment|post)_(?:headers|votes)|(?:subscribed|moderated)_subreddits)"
    r"(?:_\d+)?\.csv"
)
_PUBLIC = re.compile(rb"id,permalink,date,(?:[a-z_]+,)*subreddit,(?:[a-z_]+,)*body\b")
_HEADERS = re.compile(rb"id,permalink,date,(?:[a-z_]+,)*subreddit,(?:[a-z_]+,)*(?:parent|url)\r?\n")
"""`comment_headers.csv` and `post_headers.csv`, which have no texts."""
_PRIVATE = {
    re.compile(rb"id,permalink,thread_id,date,"): "messages",
    re.compile(rb"message_id,created_at,updated_at,username,message\b"): "chats",
    re.compile(rb"id,title,body,kind,created,"): "drafts",
    re.compile(rb"scheduled_post_id,subreddit,"): "scheduled posts",
}


def enclosing_root(name: str) -> str | None:
    """Return the folder of the export that has a file with this path, if only exports have files of its name."""
    folder, slash, file_name = name.rpartition("/")
    return folder + slash if _OTHER_FILE.fullmatch(file_name) else None


def looks_like(head: bytes) -> bool:
    """Return whether a file starts as one of an export, also as one that is never read or has no texts."""
    header = head.removeprefix(codecs.BOM_UTF8)
    return _PUBLIC.match(header) is not None or any(each.match(header) for each in (*_PRIVATE, _HEADERS))


def rows(file: BinaryIO, name: str, source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield one row per post or comment. Raises `CorpusError`, which has `name`, for another file of the export."""
    records = iter(CsvRecords(decoded_lines(file, source), ","))
    first = next(records, None)
    columns = first[1] if isinstance(first, tuple) else []
    header = ",".join(columns).encode()
    if not _PUBLIC.match(header):
        private = next((kind for each, kind in _PRIVATE.items() if each.match(header)), "")
        what = f"has the {private} of a Reddit account, which are never read" if private else "has no posts of Reddit"
        raise CorpusError(f"{name} {what}.", "Give posts.csv or comments.csv of Reddit's export, or all of it.")
    for record in records:
        if isinstance(record, DroppedRow):
            yield record
        elif record[1]:
            yield _row(record[0], record[1], columns, config)


def _row(number: int, fields: list[str], columns: list[str], config: CorpusConfig) -> Row:
    """Return the text of a record, which is not escaped."""
    if len(fields) != len(columns):
        what = f"with {len(fields)} columns instead of {len(columns)}"
        return DroppedRow(what, example(f"line {number:,}", ",".join(fields)))
    post: dict[str, object] = dict(zip(columns, fields, strict=True))
    if "title" in post:
        post["selftext"] = post.pop("body")
    row = row_of(post, config)
    return escape(row) if isinstance(row, str) else located(row, "line", number)
