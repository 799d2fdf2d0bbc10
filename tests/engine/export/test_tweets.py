"""Exported tweets: one a line in every format, and no formula in a table."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from engine.export.text_files import tweets_to_csv as to_csv
from engine.export.text_files import tweets_to_jsonl as to_jsonl
from engine.export.text_files import tweets_to_text as to_text
from engine.protocol import events as e
from engine.text import sanitize
from tests.fakes import tweet_sampled
from tests.strategies import hostile_text

TEXTS = (
    'comma, "quote"',
    "a\nb\r\nc\u2028d\x1b[31m, \"e\" 'f' \x00 =1+1 👩\u200d👧",
    *("=1+1", "+1", "-1", "@SUM(1)", "=cmd|' /C calc'!A0", "a=1", "'=1", "1-1", " =1  + "),
)


@given(st.lists(hostile_text(), max_size=5))
def test_every_format_has_a_line_for_each_tweet(texts: list[str]) -> None:
    tweets = [tweet_sampled(text) for text in texts]
    assert len(to_text(tweets).splitlines()) == len(texts)
    assert len(to_csv(tweets).splitlines()) == len(texts) + 1
    lines = to_jsonl(tweets).split("\n")
    assert [e.from_json(line) for line in lines[:-1]] == [tweet_sampled(sanitize(text)) for text in texts]


def test_only_csv_marks_what_would_be_a_formula_and_a_long_text_is_whole(snapshot: SnapshotAssertion) -> None:
    tweets = [
        tweet_sampled("plain", 100, novelty="near-copy"),
        tweet_sampled("hot", 2000, temperature=1.05),
        *map(tweet_sampled, TEXTS),
    ]
    assert f"{to_csv(tweets)}\n{to_text(tweets)}" == snapshot
    assert to_text([tweet_sampled("long " * 2000)]) == "long " * 2000 + "\n"
