"""Exported tweets: one per line whatever they contain, and no file replaced without permission."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.protocol.events import from_json
from engine.text import defused
from tests.fakes import tweet_sampled
from tui.files.tweet_export import to_csv, to_jsonl, to_text

HOSTILE = "a\nb\r\nc\u2028d\x1b[31m, \"e\" 'f' \x00 =1+1 👩\u200d👧"


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=40), max_size=5))
def test_every_format_has_a_line_for_each_tweet(texts: list[str]) -> None:
    tweets = [tweet_sampled(text) for text in texts]
    assert len(to_text(tweets).splitlines()) == len(texts)
    assert len(to_csv(tweets).splitlines()) == len(texts) + 1
    lines = to_jsonl(tweets).split("\n")
    assert [from_json(line) for line in lines[:-1]] == [tweet_sampled(defused(text)) for text in texts]


def test_csv_has_a_header_row_and_quotes_where_needed() -> None:
    tweets = (
        tweet_sampled("plain", 100, novelty="near-copy"),
        tweet_sampled('comma, "quote"', 2000, temperature=1.05),
    )
    assert to_csv(tweets).splitlines() == [
        "step,temperature,novelty,bits_per_char,text",
        "100,0.8,near-copy,2.4000,plain",
        '2000,1.05,new,2.4000,"comma, ""quote"""',
    ]


def test_text_is_exported_whole_without_control_characters() -> None:
    assert to_text([tweet_sampled(HOSTILE)]) == "a b c d, \"e\" 'f' =1+1 👩\u200d👧\n"
    assert to_text([tweet_sampled("long " * 2000)]) == ("long " * 2000).strip() + "\n"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(1)", "=cmd|' /C calc'!A0", "a=1", "'=1", "1-1"])
def test_csv_has_no_formulas_and_the_other_formats_have_the_text(text: str) -> None:
    [_, row] = csv.reader(io.StringIO(to_csv([tweet_sampled(text)])))
    assert row[-1] == ("'" + text if text[0] in "=+-@" else text)
    assert to_text([tweet_sampled(text)]) == text + "\n"
    assert from_json(to_jsonl([tweet_sampled(text)])) == tweet_sampled(text)
