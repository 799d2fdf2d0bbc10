"""The archive of an X (Twitter) account: `data/tweets.js` and the files that belong to it.

Each file assigns an array to a variable: `window.YTD.tweets.part0 = [{"tweet": {"full_text": ..., "created_at": "Tue
Apr 04 13:45:22 +0000 2023", "in_reply_to_user_id": ...}}]`. Large accounts have `tweets-part1.js` and on; archives
before 2022 have `tweet.js` (`window.YTD.tweet.part0`), the oldest of them without the wrapper. `manifest.js`
(`window.__THAR_CONFIG = {"userInfo": {"accountId": ...}}`) has the owner's id. Retweets are `RT @name: ...`, cut with
an ellipsis. Longer tweets occur twice: shortened, and in full in `note-tweet.js` (see `x_notes`). Tweets to a circle, a
chosen few readers, are in `tweets.js` too; `twitter-circle-tweet.js` has them again, so their ids are known. Archives
of 2012 to 2019 have other files (see `x_old_rows`).

Never reads deleted tweets, community tweets, messages, likes or any other file of the archive.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.archives.x_files import (
    CIRCLE_FILE,
    MANIFEST_FILE,
    NOTES_FILE,
    TWEETS_FILE,
    archive_root,
    enclosing_root,
    file_name_of,
    has_private_posts,
    is_old,
    items_of,
    looks_like,
    main_first,
    own_id,
)
from engine.corpus.readers.archives.x_notes import NoteTweets
from engine.corpus.readers.archives.x_old_rows import old_rows
from engine.corpus.readers.archives.x_tweets import TweetRows, owner_id, tweet_ids
from engine.corpus.readers.posts import PRIVATE_EXAMPLE
from engine.corpus.readers.reader import DroppedRow, Format, Member, Row, Source, example
from engine.errors import CorpusError

_TWEETS = re.compile("tweets?")
_NOTES = re.compile("note_tweets?")
_CIRCLE = re.compile("twitter_circle_tweets?")


def x_rows(members: Sequence[Member], source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield one row per tweet of all parts in order, then the unmatched long notes as dropped rows.

    Of several members, those without an `archive_root` are ignored. Raises `CorpusError` if there are no tweets, or
    the content of a file does not match its name.
    """
    is_alone = len(members) == 1
    parts = [member for member in members if is_alone or archive_root(member.name) is not None]
    old = {member for member in parts if is_old(member, is_alone=is_alone)}
    new = [member for member in parts if member not in old]
    if old:
        yield from old_rows(old, source, config)
    if new:
        yield from _new_rows(new, source, config)


def _new_rows(members: Sequence[Member], source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield the rows of an archive since 2018."""
    files = _parts(TWEETS_FILE, members) if len(members) > 1 else members
    if not files:
        raise CorpusError(
            f"{source.name} has no tweets.js.", "Give the whole archive: the zip from X, or the extracted folder."
        )

    def items(files: Sequence[Member], variable: re.Pattern[str]) -> Iterator[object]:
        return chain.from_iterable(items_of(file, source, variable) for file in files)

    others = members if len(members) > 1 else ()
    notes = NoteTweets(source.name)
    for note in items(_parts(NOTES_FILE, others), _NOTES):
        notes.add(note)
    circle_ids = tweet_ids(items(_parts(CIRCLE_FILE, others), _CIRCLE), source.name)
    owner = next((own_id(file, source) for file in _parts(MANIFEST_FILE, others)), "")
    if config.no_replies and not owner:
        owner = owner_id(items(files, _TWEETS))
    yield from TweetRows(config, owner, notes, circle_ids).rows(items(files, _TWEETS), source)
    for _ in range(notes.num_unmatched):
        yield DroppedRow("long note without its tweet", example("note-tweet.js", PRIVATE_EXAMPLE))


def _parts(kind: re.Pattern[str], members: Sequence[Member]) -> list[Member]:
    """Return the files of a kind in the order of their numbers."""
    numbered = [(kind.fullmatch(file_name_of(member)), member) for member in members]
    found = [(int(match[1] or 0), member.name, member) for match, member in numbered if match]
    return [member for _, _, member in sorted(found, key=lambda part: part[:2])]


X = Format(
    name="x",
    rows=x_rows,
    suffixes=(".js", "tweets.csv"),
    looks_like=looks_like,
    has_private_posts=has_private_posts,
    root_of=archive_root,
    closes=enclosing_root,
    main_first=main_first,
    never_read="messages, deleted tweets, community tweets and media",
)
