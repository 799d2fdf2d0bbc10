"""Made-up tweets in other scripts and languages, each with encodings in which such files exist."""

from __future__ import annotations

from tests.engine.corpus.reading import CASES

TWEETS: dict[str, list[str]] = {}
ENCODINGS: dict[str, list[str]] = {}
"""Encodings of each language; none for those of Windows-1252."""
for _section in (CASES / "foreign_tweets.txt").read_text(encoding="utf-8").split("==== ")[1:]:
    _head, *_tweets = filter(None, _section.split("\n"))
    _language, _, _encodings = _head.partition(": ")
    TWEETS[_language] = _tweets
    ENCODINGS[_language] = list(filter(None, _encodings.split(", ")))
