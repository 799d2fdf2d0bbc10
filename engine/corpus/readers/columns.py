"""Chooses the text column of any table: CSV, Parquet, and JSON, whose keys are the columns. Add a usual name here.

The usual names of text columns decide first, in an order of preference; else the greatest mean length does, among the
columns that can be text. A column of links, ids, numbers, dates or user names never is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.errors import CorpusError
from engine.text import listed, sanitize_line

TEXT_NAMES = (
    *("full_text", "text", "tweet", "tweets", "tweet_text", "tweet_content", "tweet_full_text", "content", "contents"),
    *("raw_content", "body", "message", "messages", "message_text", "post", "posts", "post_text"),
    *("status", "status_text", "selftext"),
    *("comment", "comments", "comment_text", "review", "review_text", "sentence", "sentences", "quote", "joke"),
    *("haiku", "poem", "caption", "utterance", "lines", "line", "msg", "msgs", "phrase", "quote_text", "joke_text"),
    *("headline", "headlines", "lyrics"),
)
"""Usual names of text columns, in the order of preference: of two, `full_text` is the one that is not cut off."""
OTHER_NAMES = frozenset(
    {"id", "ids", "index", "user", "users", "username", "screen_name", "author", "authors", "handle", "sender", "from"}
    | {"poet", "writer", "artist", "speaker", "character", "gender", "category", "class", "topic", "genre", "type"}
    | {"source", "query", "url", "urls", "link", "links", "permalink", "media", "image", "images", "photo", "photos"}
    | {"date", "time", "datetime", "timestamp", "created", "created_at", "timezone", "lang", "language", "location"}
    | {"place", "country", "hashtag", "hashtags", "mentions", "keyword"}
)
"""Usual names of other columns, which are never the text."""

USUAL, LONGEST = "by its name", "the longest"
"""Why a column was chosen, for notes."""
_RANKS = {key: rank for rank, name in enumerate(TEXT_NAMES) for key in (name, name.replace("_", ""))}
_OTHER_ENDINGS = ("_id", "_ids", "_url", "_urls", "_link", "_at", "_date", "_time", "_count", "_source", "_lang")
_USER_NAMES = re.compile(r"(?:user|author|from|to|sender|screen|profile)_(?:screen_|full_|display_)?name|screenname")
_CONTEXT = re.compile(r"includes|(?:extended_?)?entities|(?:quoted|retweeted|referenced|in_?reply)\w*", re.IGNORECASE)
_PATH_DOT = re.compile(r"\.(?=\S)")
_NUMBER = re.compile(r"[-+]?(?:\d[\d.,]*|\.\d+)(?:[eE][-+]?\d+)?%?")
_NOT_TEXT = re.compile(
    r"""
    (?:(?:https?://|www\.)\S++[\s,;|]*+)++  # links
    | <a\s+href=[^>]*>[^<]*</a>             # an X client, in the column `source`
    | @\w+                                  # a user name
    | \d{1,4}([-/.])\d\d?\1\d{1,4}(?:[T\s].{0,25})?                                 # a date
    | (?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,?\s[\w\s]{3,12}\s\d\d:\d\d:\d\d\s.{0,15} # a date of X's API
    | (?=[^\d]*\d)[\w.:/\#+=-]+             # an id: a word with a digit
    | (?i:true|false|none|null|nan|na)
    """,
    re.VERBOSE | re.ASCII | re.DOTALL,
)
_MAX_VALUE_CHARS = 300
_MAX_TEXTLESS_SHARE = 0.8
"""Share of values that are links, ids or numbers from which a column is not text."""
_MIN_CATEGORY_ROWS, _MAX_CATEGORY_SHARE = 20, 0.1
"""Share of distinct values up to which a column is a category, in so many rows."""
_MIN_FILLED_SHARE = 0.3
"""Share of rows in which a column has a value from which it is preferred to those with values in fewer."""


@dataclass(frozen=True)
class TextColumn:
    """The column of the text and the reason for the choice."""

    index: int
    """From 0."""
    why: str
    """For the note: `USUAL` or `LONGEST`."""


def text_column(names: Sequence[str], rows: Sequence[Sequence[str]]) -> TextColumn | None:
    """Return the text column of the first rows of a table, or None if all have links, ids, numbers or the like.

    `names` are the columns' own, paths into objects such as "tweet.full_text", or empty. The last part of a path is its
    name. A shorter path is preferred; below a user, or a post to which one refers, is no text. A row may end before
    the others.
    """
    num_columns = len(names) or max(map(len, rows), default=0)
    columns = [[row[index] for row in rows if index < len(row) and row[index].strip()] for index in range(num_columns)]
    texts: list[int] = []
    ranks: dict[int, tuple[int, int]] = {}
    for index, cells in enumerate(columns):
        name = names[index] if names else ""
        *outer, last = _PATH_DOT.split(name)
        if is_other_name(name) or is_other_name(last) or any(map(is_context, outer)) or is_textless(cells):
            continue
        if (key := name_key(last)) in _RANKS:
            ranks[index] = len(outer), _RANKS[key]
        if cells or index in ranks:
            texts.append(index)
    varied = [index for index in texts if columns[index] and not is_category(columns[index])]
    filled = [index for index in varied if len(columns[index]) >= _MIN_FILLED_SHARE * len(rows)]
    for candidates in (filled, varied, texts):
        if named := ranks.keys() & candidates:
            return TextColumn(min(named, key=lambda index: (ranks[index], index)), USUAL)
        if candidates:
            return TextColumn(max(candidates, key=lambda index: sum(map(len, columns[index]))), LONGEST)
    return None


def requested_column(names: Sequence[str], num_columns: int, column: str, option: str, source_name: str) -> int:
    """Return the index of a column that an option names: by name, in any case, or by number from 1.

    Raises `CorpusError`, with the names, if it does not exist.
    """
    tests: tuple[Callable[[str], str], ...] = (str.strip, lambda name: name.strip().casefold(), name_key)
    for test in tests:
        found = [index for index, name in enumerate(names) if test(name) == test(column) != ""]
        if found:
            return found[0]
    if column.isascii() and column.isdecimal() and len(column) < 10 and 1 <= int(column) <= num_columns:
        return int(column) - 1
    raise CorpusError(
        f"{source_name} has no column {sanitize_line(column, 60)} ({option}).",
        f"Its first row is: {listed([sanitize_line(name, 30) for name in names], 12)}. Column numbers start at 1.",
    )


def name_key(name: str) -> str:
    """Return a column's name for comparison: "Tweet Text", "tweet-text" and "tweetText" are "tweet_text"."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.strip())
    return re.sub(r"[\W_]+", "_", spaced).casefold().strip("_")


def is_text_name(name: str) -> bool:
    """Return whether a name, not a path, is a usual one of text columns."""
    return name_key(name) in _RANKS


def is_other_name(name: str) -> bool:
    """Return whether a name is a usual one of columns without text."""
    key = name_key(name)
    return key in OTHER_NAMES or key.endswith(_OTHER_ENDINGS) or _USER_NAMES.fullmatch(key) is not None


def is_context(part: str) -> bool:
    """Return whether a part of a path leads to what a post refers to, such as its user or another's post."""
    return part.casefold() in OTHER_NAMES or _CONTEXT.fullmatch(part) is not None


def is_number(value: str) -> bool:
    """Return whether a cell is a number, possibly negative or with thousands separators."""
    return _NUMBER.fullmatch(value.strip()) is not None


def is_textless(values: Sequence[str]) -> bool:
    """Return whether most of these non-blank values are links, ids, numbers, dates, lists or user names."""
    return bool(values) and sum(map(is_textless_cell, values)) >= _MAX_TEXTLESS_SHARE * len(values)


def is_textless_cell(cell: str) -> bool:
    """Return whether a cell is a link, id, number, date, list or user name; False if it is blank."""
    value = cell.strip()
    is_structure = value[:1] + value[-1:] in {"[]", "{}"}  # hashtags, entities
    start = value[:_MAX_VALUE_CHARS]
    return is_structure or _NUMBER.fullmatch(start) is not None or _NOT_TEXT.fullmatch(start) is not None


def is_category(values: Sequence[str]) -> bool:
    """Return whether few distinct values repeat, as in a column of languages or topics."""
    return len(values) >= _MIN_CATEGORY_ROWS and len(set(map(str.strip, values))) <= _MAX_CATEGORY_SHARE * len(values)
