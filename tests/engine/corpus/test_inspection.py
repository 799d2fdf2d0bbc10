"""The statistics of `inspect` agree with a plain count over the tweets."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config.corpus import CorpusConfig
from engine.corpus.inspection import Inspection, inspect
from engine.corpus.loading import MIN_TWEETS, load_corpus
from tests.engine.helpers import small_tweets, write_corpus


def inspected(folder: Path, tweets: list[str], *, keep_duplicates: bool = False) -> Inspection:
    path = write_corpus(folder, tweets)
    return inspect(CorpusConfig(files=(str(path),), keep_duplicates=keep_duplicates, max_length=1000), lambda: 0)


def lists_of_tweets() -> st.SearchStrategy[list[str]]:
    """Return tweets that differ in a number, of many lengths and scripts."""
    text = st.text("ab é寿🐱1#@ ", min_size=0, max_size=60)
    return st.lists(text, min_size=MIN_TWEETS, max_size=60).map(
        lambda texts: [f"{number} {text}".strip() for number, text in enumerate(texts)]
    )


@settings(max_examples=20)
@given(tweets=lists_of_tweets())
def test_every_statistic_agrees_with_a_plain_count(tmp_path_factory: pytest.TempPathFactory, tweets: list[str]) -> None:
    path = write_corpus(tmp_path_factory.mktemp("c"), tweets)
    config = CorpusConfig(files=(str(path),), keep_duplicates=True)
    corpus, found = load_corpus(config), inspect(config, lambda: 0)
    kept = [*corpus.train, *corpus.validation]
    assert found.report.num_kept == len(kept) == found.num_train_tweets + found.num_val_tweets
    assert found.num_chars == sum(map(len, kept))
    assert found.char_counts == {char: "".join(kept).count(char) for char in set("".join(kept))}
    assert list(found.char_counts.values()) == sorted(found.char_counts.values(), reverse=True)
    assert found.rare_chars == [char for char, count in found.char_counts.items() if count == 1]
    assert found.mean_length == pytest.approx(found.num_chars / len(kept))
    for bar in found.lengths:
        assert bar.num_tweets == sum(bar.first <= len(tweet) <= bar.last for tweet in kept)
    assert set(found.samples) <= set(kept)


def test_the_share_of_validation_tweets_with_a_run_of_training_tweets_is_1_for_variants_of_a_frame_and_0_without_any(
    tmp_path: Path,
) -> None:
    frame = "it is a truth universally acknowledged, that {} must be in want of a good breakfast before {}"
    alike = [frame.format(f"{n} x{n * n}", f"day {n} z{n * 7}") for n in range(100)]
    assert inspected(tmp_path, alike).shared_run_share == 1.0
    assert inspected(tmp_path, small_tweets(60)).shared_run_share == 0.0
