"""Tweets of an X archive of any age: from the object of a tweet to its row. Never reads a file."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator
from contextlib import suppress

import numpy as np

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.archives.x_notes import NoteTweets
from engine.corpus.readers.json_files.json_values import as_json, as_object
from engine.corpus.readers.posts import ONLY_A_LINK, PRIVATE_EXAMPLE
from engine.corpus.readers.reader import RETWEET, DroppedRow, Row, Source, example
from engine.corpus.report import counted
from engine.errors import CorpusError

MAX_CIRCLE_TWEETS = 1_000_000

_LINK = re.compile(r"(?<!\s)\s*(?:\(https?://t\.co/\w+\)|https?://t\.co/\w+)")
_ID_FIELDS = ("id", "in_reply_to_status_id", "in_reply_to_user_id")
_REPLY_FIELDS = ("in_reply_to_status_id", "in_reply_to_status_id_str", "in_reply_to_user_id", "in_reply_to_screen_name")


class TweetRows:
    """Converts the tweets of an archive to rows, in order, and counts the changes."""

    def __init__(self, config: CorpusConfig, owner: str, notes: NoteTweets, circle_ids: frozenset[int]) -> None:
        """`owner` is the account id of the owner, or ""; `circle_ids` are the ids of the circle tweets."""
        self._config, self._owner, self._notes, self._circle_ids = config, owner, notes, circle_ids
        self._num_tweets = 0
        self._num_without_links = self._num_long = self._num_protected = 0

    def rows(self, entries: Iterable[object], source: Source) -> Iterator[Row]:
        """Yield a row for each tweet: its text, or why it is dropped; a `DroppedRow` is passed on.

        Adds notes on changes to the source. Raises `CorpusError` if there are no tweets.
        """
        for entry in entries:
            self._num_tweets += 1
            yield entry if isinstance(entry, DroppedRow) else self._row(entry, f"tweet {self._num_tweets:,}")
        if not self._num_tweets:
            raise CorpusError(
                f"{source.name} has no tweets: its owner never tweeted, or deleted them all.",
                "Give the archive of an account that has tweets, or another file.",
            )
        source.notes += self._changes()

    def _row(self, entry: object, where: str) -> Row:
        """Return the text of a tweet without its t.co links, or why it is dropped."""
        tweet = _unwrapped(entry)
        text = _full_text(tweet)
        if text is None:
            return DroppedRow("not a tweet", example(where, as_json(entry)))
        row = self._whole_text(tweet, text, where)
        if isinstance(row, str) and not self._config.keep_links and _LINK.search(row):
            row = _LINK.sub("", row).strip() or DroppedRow(ONLY_A_LINK, example(where, row))
            self._num_without_links += isinstance(row, str)
        self._num_protected += isinstance(row, str) and as_object(tweet.get("user")).get("protected") is True
        return row

    def _changes(self) -> Iterator[str]:
        """Yield the notes on changes to the tweets."""
        if count := self._num_without_links:
            yield f"links removed from {counted(count, 'tweet')}; --keep-links keeps them"
        if count := self._num_long:
            yield f"{counted(count, 'long tweet')} read from note-tweet.js"
        if count := self._num_protected:
            yield f"{counted(count, 'tweet')} of a protected account included"

    def _whole_text(self, tweet: dict[str, object], text: str, where: str) -> Row:
        """Return the text of a tweet, that of its long note if it has one, or why it is dropped."""
        if tweet_id(tweet) in self._circle_ids:
            self._notes.pop_full_text(text, tweet.get("created_at"))  # else it would count as a note without a tweet
            return DroppedRow("circle tweet", example(where, PRIVATE_EXAMPLE))
        if text.startswith("RT @") or tweet.get("retweeted_status") or tweet.get("retweeted_status_id"):
            return DroppedRow(RETWEET, example(where, text))
        long_text = self._notes.pop_full_text(text, tweet.get("created_at"))
        if self._config.no_replies and _is_reply_to_others(tweet, self._owner):
            return DroppedRow("reply", example(where, long_text or text))
        self._num_long += long_text is not None
        return long_text or text


def owner_id(tweets: Iterable[object]) -> str:
    """Return the account id of the owner: the author of the tweets, or inferred from their replies to each other.

    Stores only numbers. Returns "" if no tweet has an author or replies to another. Damage is reported later, when the
    texts are read.
    """
    own, answered, accounts = array("Q"), array("Q"), array("Q")
    with suppress(CorpusError):
        for tweet in map(_unwrapped, tweets):
            if isinstance(author := as_object(tweet.get("user")).get("id_str"), str):
                return author
            numbers = [_number(tweet, f"{field}_str", field) for field in _ID_FIELDS]
            own.append(numbers[0])
            if all(numbers):
                answered.append(numbers[1])
                accounts.append(numbers[2])
    is_own = np.isin(np.array(answered, np.uint64), np.array(own, np.uint64))
    candidates, counts = np.unique(np.array(accounts, np.uint64)[is_own], return_counts=True)
    return str(candidates[counts.argmax()]) if len(candidates) else ""


def tweet_ids(entries: Iterable[object], name: str) -> frozenset[int]:
    """Return the ids of tweets. Raises `CorpusError` that names the archive `name` if there are too many."""
    ids = set()
    for entry in entries:
        ids.add(tweet_id(_unwrapped(entry)))
        if len(ids) > MAX_CIRCLE_TWEETS:
            raise CorpusError(
                f"{name} has over {MAX_CIRCLE_TWEETS:,} circle tweets.",
                "That is too many for one account; check the file twitter-circle-tweet.js.",
            )
    return frozenset(ids - {0})


def tweet_id(tweet: dict[str, object]) -> int:
    """Return the id of a tweet, or 0."""
    return _number(tweet, "id_str", "id")


def _unwrapped(entry: object) -> dict[str, object]:
    """Return the object of a tweet, which archives since 2019 wrap in another one; empty for anything else."""
    return as_object(as_object(entry).get("tweet", entry))


def _full_text(tweet: dict[str, object]) -> str | None:
    """Return the text of a tweet; of version 1.1 of the API, which truncates it in `text`, the full one."""
    whole = as_object(tweet.get("extended_tweet")).get("full_text")
    texts = (whole, tweet.get("full_text"), tweet.get("text"))
    return next((text for text in texts if isinstance(text, str)), None)


def _is_reply_to_others(tweet: dict[str, object], owner: str) -> bool:
    """Return whether a tweet replies to another account; a continued thread does not count if the owner is known."""
    reply_to = tweet.get("in_reply_to_user_id_str") or tweet.get("in_reply_to_user_id")
    return any(tweet.get(field) for field in _REPLY_FIELDS) and not (owner and reply_to == owner)


def _number(tweet: dict[str, object], *fields: str) -> int:
    """Return the id of a tweet or account in the first of these fields that has one, else 0."""
    for field in fields:
        value = tweet.get(field)
        if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20:
            return int(value)
    return 0
