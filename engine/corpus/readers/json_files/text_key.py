"""`TextKey`: the rows of JSON values whose texts are under a known key.

A post of X's API may have its text twice: cut off under `text`, and whole in `extended_tweet` (v1.1, streams) or
`note_tweet` (v2); in Activity Streams, in `long_object`. A retweet has the post that it repeats, or a flag.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from engine.corpus.readers.json_files.json_paths import Missing, shown_paths, values_at
from engine.corpus.readers.json_files.json_values import as_json
from engine.corpus.readers.labels import LabelFilter
from engine.corpus.readers.reader import RETWEET, DroppedRow, Row, Source, example
from engine.corpus.report import counted

Numbered = tuple[int, object, int]
"""A number in the file from 1, the value or why it is dropped, and the characters of the file up to its end."""

_LONG_TEXTS = (("extended_tweet", "full_text"), ("note_tweet", "text"), ("long_object", "body"))
"""Keys of an object with the whole text of a post, and of the text in it."""
_RETWEETED_POSTS = ("retweeted_status", "retweeted_status_result", "retweetedTweet", "retweeted_tweet")
_RETWEET_FLAGS = ("is_retweet", "isRetweet", "retweet")


@dataclass
class TextKey:
    """The key of the texts in the values of a file."""

    source: Source
    key: str
    """Dotted if nested; "" if the values themselves are the texts."""
    inside: str = ""
    """The path of the array of the values, with a trailing dot."""
    place: str = "line"
    """What a number counts, for examples."""
    prefers_long: bool = True
    """Whether a post's whole text replaces one that is cut off: not where the user set the key."""
    drops_retweets: bool = False
    label_key: str = ""
    label_filter: LabelFilter | None = None
    """None if posts are not filtered by the label under `label_key`."""
    num_missing: int = 0
    num_long: int = 0

    def rows(self, values: Iterable[Numbered]) -> Iterator[Row]:
        """Yield the rows of the values: one each, unless the key leads through an array. Adds a note at the end."""
        key = self.key
        is_filtered = self.drops_retweets or self.label_filter is not None
        for number, value, _ in values:
            text = value.get(key) if isinstance(value, dict) else None
            if isinstance(text, str) and isinstance(value, dict):  # fast path
                has_long = "extended_tweet" in value or "note_tweet" in value or "long_object" in value
                yield self._post(text, value, number) if has_long or is_filtered else text
            else:
                yield from self._nested_rows(value, number)
        if self.num_long:
            self.source.notes.append(f"{counted(self.num_long, 'long tweet')} read whole, from another key")

    def without_key(self, numbered: Numbered) -> DroppedRow:
        """Return the dropped row of a value without the key."""
        number, value, _ = numbered
        return value if isinstance(value, DroppedRow) else self._missing(value, number)

    def _missing(self, value: object, number: int) -> DroppedRow:
        """Return the dropped row of a value in which the key is missing."""
        self.num_missing += 1
        keys = shown_paths(value) if self.num_missing == 1 else ""  # only the first example is shown
        keys = keys or (", ".join(islice(value, 8)) if isinstance(value, dict) else "")
        return DroppedRow(f"no {self.inside}{self.key}", example(self._where(number), f"it has {keys or 'no keys'}"))

    def _nested_rows(self, value: object, number: int) -> Iterator[Row]:
        """Yield the rows of a value whose text is not directly under the key."""
        if isinstance(value, DroppedRow):
            yield value
            return
        if not self.key or not isinstance(value, dict | list):
            yield self._text_or_not(value, number)
            return
        num_values = 0
        for num_values, (each, parent) in enumerate(values_at(value, self.key), start=1):  # noqa: B007 - used below
            if isinstance(each, Missing):
                yield self._missing(each.beside, number)
            elif isinstance(each, str) and isinstance(parent, dict):
                yield self._post(each, parent, number)
            else:
                yield self._text_or_not(each, number)
        if not num_values:
            yield self._missing(value, number)

    def _post(self, text: str, post: dict[str, object], number: int) -> Row:
        """Return the text of a post, the whole one if it has two, or why it is dropped."""
        if self.drops_retweets and _is_retweet(post):
            return DroppedRow(RETWEET, example(self._where(number), text))
        if self.label_filter is not None:
            reason = self.label_filter.reject_reason(as_cell(post.get(self.label_key)))
            if reason is not None:
                return DroppedRow(reason, example(self._where(number), text))
        for outer, inner in _LONG_TEXTS if self.prefers_long else ():
            long = post.get(outer)
            if isinstance(long, dict) and isinstance(whole := long.get(inner), str):
                self.num_long += 1
                return whole
        return text

    def _text_or_not(self, value: object, number: int) -> Row:
        """Return a string as a row, any other value as a dropped row."""
        return (
            value if isinstance(value, str) else DroppedRow("not a text", example(self._where(number), as_json(value)))
        )

    def _where(self, number: int) -> str:
        return f"{self.place} {number:,}"


def as_cell(value: object) -> str:
    """Return a value as the cell of a table; null is blank."""
    return value if isinstance(value, str) else "" if value is None else as_json(value)


def _is_retweet(post: dict[str, object]) -> bool:
    """Return whether a post of X's API, or of a common scraper, is marked as a retweet."""
    if any(post.get(key) for key in _RETWEETED_POSTS) or any(post.get(key) is True for key in _RETWEET_FLAGS):
        return True
    if post.get("verb") == "share":
        return True
    references = post.get("referenced_tweets")
    return isinstance(references, list) and any(
        isinstance(each, dict) and each.get("type") == "retweeted" for each in references
    )
