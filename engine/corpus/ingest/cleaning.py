"""Turns rows into tweets: repairs mojibake, cleans, applies the options, or drops the row with a reason."""

from __future__ import annotations

import re
import unicodedata

from engine.config.corpus import CorpusConfig
from engine.corpus.ingest.mojibake import repair
from engine.corpus.readers.reader import RETWEET, DroppedRow, Row
from engine.text import EXAMPLE_CHARS, LINE_BREAK, WITHOUT_MARKS, clean, sanitize_line, with_single_blanks

EMPTY = "empty"
ONLY_A_LINK = "only a link"
LOST_CHARACTERS = "with characters that were lost (U+FFFD)"
_AFTER_LINKS = "\u2600-\u27bf\u2e80-\u9fff\uac00-\ud7af\uff00-\uffef\U0001f000-\U0001faff"
"""East Asian characters and emoji, which follow a link without a blank."""
_IN_LINKS = rf"[^\s{LINE_BREAK}{_AFTER_LINKS}]"
LINK = re.compile(rf"(?:https?://|www\.){_IN_LINKS}+", re.IGNORECASE)
_LINK_OR_PICTURE = re.compile(rf"(?:https?://|www\.|pic\.twitter\.com/){_IN_LINKS}+", re.IGNORECASE)
MASK = "@user"

MENTION = re.compile(r"@\w+")
_WHOLE_MENTION = re.compile(r"(?<!\w)@\w+(?:@\w(?:[\w.-]*\w)?)*")  # Mastodon's @name@server too; not an e-mail address
_NAME_AND_JOINERS = re.compile(_WHOLE_MENTION.pattern + "[\u200c\u200d]*")
_REPLACEMENT_CHARACTER = "\ufffd"
_FIRST_OF_A_LINK = frozenset("hHwW")
_EMOJI_SELECTORS = "\ufe0e\ufe0f"
_NO_LETTERS = re.compile(r"[\W_]+")
_BLANK_FOR_NO_LETTER = {code: " " for code in range(128) if not chr(code).isalnum()}
_PLAIN = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′´", "'"),
        **dict.fromkeys("“”„‟″«»", '"'),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        **dict(zip("‹›•·⁄×¡¿", "<>**/x!?", strict=True)),
        **dict(zip("øØłŁđĐðÐıħĦŧŦ", "oOlLdDdDihHtT", strict=True)),
        **dict(zip("ßẞæÆœŒþÞ", ["ss", "SS", "ae", "AE", "oe", "OE", "th", "Th"], strict=True)),
        "…": "...",
        LINE_BREAK: " ",
    }
)


class Cleaner:
    """Cleans the rows of one source as `CorpusConfig` says, and counts the repaired ones."""

    def __init__(self, config: CorpusConfig) -> None:
        self._config = config
        options = (config.no_retweets, config.strip_links, config.strip_mentions, config.mask_mentions)
        self._has_options = any(options) or config.lowercase or config.ascii
        self._too_long = f"over {config.max_length} characters"
        self.num_repaired = 0

    def __call__(self, row: Row) -> Row:
        """Return the row's tweet, or the row as dropped with its reason."""
        if isinstance(row, DroppedRow):
            return row
        text = row if row.isascii() else self._repaired(row)
        tweet = clean(text)
        if _REPLACEMENT_CHARACTER in tweet:
            return DroppedRow(LOST_CHARACTERS, sanitize_line(row, EXAMPLE_CHARS))
        if self._has_options:
            if reason := self._reason_before_changes(tweet):
                return DroppedRow(reason, sanitize_line(row, EXAMPLE_CHARS))
            tweet = self._changed(tweet)
        reason = self._reason_to_drop(tweet)
        return DroppedRow(reason, sanitize_line(row, EXAMPLE_CHARS)) if reason else tweet

    def _repaired(self, row: str) -> str:
        text = repair(row)
        self.num_repaired += text != row
        return text

    def _reason_before_changes(self, tweet: str) -> str:
        """Return the reason to drop a tweet that the options would hide, or ""."""
        if self._config.no_retweets and tweet.startswith("RT @"):
            return RETWEET
        return ONLY_A_LINK if self._config.strip_links and _is_only_a_link(tweet) else ""

    def _changed(self, tweet: str) -> str:
        """Apply the options that change the text."""
        if self._config.ascii:
            tweet = to_ascii(tweet)
        if self._config.lowercase:
            tweet = unicodedata.normalize(
                "NFC", tweet.replace("İ", "i").lower()
            )  # `lower` would give an i and a combining dot
        if self._config.strip_links:
            tweet = _LINK_OR_PICTURE.sub(" ", tweet)
        if self._config.strip_mentions:
            tweet = _NAME_AND_JOINERS.sub(" ", tweet)
        elif self._config.mask_mentions:
            tweet = _WHOLE_MENTION.sub(MASK, tweet)
        return with_single_blanks(tweet)

    def _reason_to_drop(self, tweet: str) -> str:
        """Return the reason to drop a tweet, or ""."""
        if not tweet:
            return EMPTY
        if tweet[0] in _FIRST_OF_A_LINK and _is_only_a_link(tweet):
            return ONLY_A_LINK
        return self._too_long if len(tweet) > self._config.max_length else ""


def _is_only_a_link(tweet: str) -> bool:
    return tweet != "" and not LINK.sub("", tweet).strip(f" {LINE_BREAK}")


def to_ascii(text: str) -> str:
    """Return `text` with accents and typographic characters folded to ASCII; other characters are removed."""
    if text.isascii():
        return text
    folded = unicodedata.normalize(
        "NFKD", text.translate(_PLAIN)
    )  # NFKD of ½ contains a fraction slash, hence translate again
    return folded.translate(_PLAIN).encode("ascii", "ignore").decode()


def duplicate_key(tweet: str) -> str:
    """Return a tweet without case, @names, links and punctuation, or with case folded only if nothing is left."""
    folded = tweet.casefold()
    bare = LINK.sub(" ", folded) if "://" in folded or "www." in folded else folded
    bare = MENTION.sub(" ", bare) if "@" in bare else bare
    return _words(bare) or folded


def _words(text: str) -> str:
    """Return the letters, digits and their combining marks, with single blanks between."""
    if text.isascii():
        return " ".join(text.translate(_BLANK_FOR_NO_LETTER).split())
    for selector in _EMOJI_SELECTORS:
        text = text.replace(selector, " ")
    if WITHOUT_MARKS.fullmatch(text):
        return " ".join(_NO_LETTERS.sub(" ", text).split())
    kept = [" "]
    for char in text:
        is_kept = char.isalnum() or (kept[-1] != " " and _is_mark(char))
        kept.append(char if is_kept else " ")
    return " ".join("".join(kept).split())


def _is_mark(char: str) -> bool:
    return unicodedata.category(char) in {"Mn", "Mc"}
