"""An X (Twitter) archive of 2012 to 2019: a file per month in `data/js/tweets`, and `tweets.csv` with the same tweets.

`data/js/tweets/2012_01.js` is `Grailbird.data.tweets_2012_01 = [{"text": ..., "id_str": ..., "in_reply_to_user_id_str":
..., "user": {"id_str": ...}, "retweeted_status": {...}}]`, newest tweet first; the text is HTML-escaped.
`data/js/user_details.js` (`var user_details = {"id": ...}`) has the owner's id. `tweets.csv`, at first one file per
month in `data/csv`, has every field quoted; a row ends at its last field that is not empty, or has a field for each of
several links. The month files are preferred: in CSV, some characters were lost ("?" for curly quotation marks).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Set
from contextlib import closing
from dataclasses import replace
from itertools import chain
from operator import attrgetter

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.archives.x_files import (
    HINT,
    TABLE_FILES,
    USER_FILE,
    file_name_of,
    is_table,
    items_of,
    own_id,
    table_columns,
)
from engine.corpus.readers.archives.x_notes import NoteTweets
from engine.corpus.readers.archives.x_tweets import TweetRows, owner_id
from engine.corpus.readers.lines import decoded_lines
from engine.corpus.readers.reader import DroppedRow, Member, Row, Source, example
from engine.corpus.readers.table import BLANK_LINE, TOO_FEW_COLUMNS
from engine.corpus.readers.tables.csv_records import CsvRecords
from engine.errors import CorpusError

_TWEETS = re.compile(r"tweets(?:_\w+)?")


def old_rows(members: Set[Member], source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield one row per tweet, month by month, or in the order of `tweets.csv` if there are no month files.

    Raises `CorpusError` if there are no tweets, or the content of a file does not match its name.
    """
    is_alone = len(members) == 1
    users = {member for member in members if not is_alone and USER_FILE.fullmatch(file_name_of(member))}
    tables = {member for member in members if is_table(member, is_alone=is_alone)}
    months = members - users - tables
    whole = {table for table in tables if TABLE_FILES[0].fullmatch(file_name_of(table))}
    files = sorted(months or whole or tables, key=attrgetter("name"))
    if unread := sorted(tables.difference(files), key=attrgetter("name")):
        source.notes.append(f"read from {_listed(files)}, not again from {_listed(unread)}")

    def tweets(source: Source) -> Iterator[object]:
        return chain.from_iterable(
            _table_tweets(file, source) if file in tables else items_of(file, source, _TWEETS) for file in files
        )

    owner = next((own_id(user, source) for user in users), "")
    if config.no_replies and not owner:
        owner = owner_id(tweets(replace(source, notes=[])))
    yield from TweetRows(config, owner, NoteTweets(source.name), frozenset()).rows(tweets(source), source)


def _listed(files: Sequence[Member]) -> str:
    """Return the first file and the number of the others."""
    return files[0].name + (f" + {len(files) - 1:,} more" if len(files) > 1 else "")


def _table_tweets(member: Member, source: Source) -> Iterator[object]:
    """Yield the tweets of a table as objects by column name, or as dropped rows."""
    with closing(member.open()) as file:
        lines = decoded_lines(file, source)
        header = next(lines, None)
        names = table_columns(header) if isinstance(header, str) else []
        if not names:
            raise CorpusError(f"{source.name_of(member)} has no column names in its first line.", HINT)
        for record in CsvRecords(lines, ","):
            if isinstance(record, DroppedRow):
                yield record
                continue
            number, fields = record
            if len(fields) <= names.index("text"):
                reason = TOO_FEW_COLUMNS if fields else BLANK_LINE
                yield DroppedRow(reason, example(f"line {number + 1}", ",".join(fields)))
            else:
                tweet = dict(zip(names, fields, strict=False))  # a row may end early, or have more links
                yield {**tweet, "id_str": tweet["tweet_id"]}
