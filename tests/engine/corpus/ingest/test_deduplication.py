"""The first of each group of duplicates is kept; exact and near duplicates are counted per source."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.corpus import CorpusConfig
from engine.corpus.ingest import collection as collection_module
from engine.corpus.ingest.collection import Collection, collect
from engine.corpus.ingest.deduplication import GroupedTweets, group
from engine.corpus.similarity.sorted_sets import GrowingSet
from engine.protocol.stage import no_progress
from tests.engine.helpers import write_corpus

SENTENCE = "the small brown dog slept under our kitchen table"
SAME = (SENTENCE, f"@mia {SENTENCE.upper()}!!", f"{SENTENCE} http://a.example/b")
NEAR = (f"{SENTENCE} today", SENTENCE.replace("dog", "cat"), SENTENCE.replace("under our", "near an"))
OTHERS = ("good morning", "Good Morning!", "tea :)", "two boats", "tea ☕", "tea")


def collected(folder: Path, *files: list[str], keep_duplicates: bool = False) -> Collection:
    paths = [write_corpus(folder, tweets, f"{number}.txt") for number, tweets in enumerate(files)]
    config = CorpusConfig(files=tuple(map(str, paths)), keep_duplicates=keep_duplicates)
    return collect(config, no_progress)


def grouped(folder: Path, *files: list[str], keep_duplicates: bool = False) -> GroupedTweets:
    return group(collected(folder, *files, keep_duplicates=keep_duplicates))


def test_the_first_of_each_group_is_kept_in_the_order_of_the_file(tmp_path: Path) -> None:
    tweets = ["tea", *SAME, "two boats", *NEAR, "Tea!"]
    assert list(grouped(tmp_path, tweets).collection.texts) == ["tea", SENTENCE, "two boats"]


def test_a_dropped_tweet_is_a_duplicate_if_its_words_are_equal_and_else_a_near_duplicate(tmp_path: Path) -> None:
    result = grouped(tmp_path, [*SAME, *NEAR])
    assert (result.num_duplicates, result.num_near_duplicates) == (2, 3)
    [counts] = result.collection.sources
    assert counts.dropped == {"duplicate": 2, "near-duplicate": 3}
    assert counts.examples == {"duplicate": SAME[1], "near-duplicate": NEAR[0]}


def test_every_file_has_its_own_counts(tmp_path: Path) -> None:
    result = grouped(tmp_path, [SENTENCE, "tea"], ["tea", NEAR[0], "two boats"])
    first, second = (counts.report() for counts in result.collection.sources)
    assert (first.num_rows, first.num_kept, first.dropped) == (2, 2, {})
    assert (second.num_rows, second.num_kept, second.dropped) == (3, 1, {"duplicate": 1, "near-duplicate": 1})
    assert result.collection.source_of.tolist() == [0, 0, 1]


@given(tweets=st.lists(st.sampled_from([*SAME, *NEAR, *OTHERS]), max_size=30), keep_duplicates=st.booleans())
def test_the_kept_tweets_are_a_subsequence_and_all_others_are_counted(
    tmp_path_factory: pytest.TempPathFactory, tweets: list[str], *, keep_duplicates: bool
) -> None:
    result = grouped(tmp_path_factory.mktemp("c"), [*tweets, "the last one"], keep_duplicates=keep_duplicates)
    kept = list(result.collection.texts)
    rest = iter([*tweets, "the last one"])
    assert all(tweet in rest for tweet in kept), "in the order of the file"
    report = result.collection.sources[0].report()
    assert report.num_rows == len(tweets) + 1
    assert report.num_kept == len(kept)
    num_repeated = result.num_duplicates + result.num_near_duplicates
    assert sum(report.dropped.values()) == (0 if keep_duplicates else num_repeated)
    assert len(kept) == len(tweets) + 1 - (0 if keep_duplicates else num_repeated)


def test_a_file_that_repeats_itself_is_stored_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collection_module, "CHUNK_TWEETS", 4)
    distinct = [f"number {number} is written out" for number in ("one", "two", "three", "four", "five", "six")]
    collection = collected(tmp_path, distinct * 100, [*distinct * 3, "another one"])
    assert list(collection.texts) == [*distinct, "another one"]
    assert collection.texts.utf8.nbytes == sum(map(len, [*distinct, "another one"]))
    first, second = (counts.report() for counts in collection.sources)
    assert (first.num_rows, first.num_kept, first.dropped) == (600, 6, {"duplicate": 594})
    assert (second.num_rows, second.num_kept, second.dropped) == (19, 1, {"duplicate": 18})
    assert collection.source_of.tolist() == [0] * 6 + [1]


@given(hashes=st.lists(st.lists(st.integers(0, 60), max_size=12), max_size=12))
def test_a_growing_set_contains_what_was_added_and_nothing_else(hashes: list[list[int]]) -> None:
    growing, known = GrowingSet(), set[int]()
    for each in hashes:
        growing.add(np.array(sorted(set(each) - known), dtype=np.uint64))
        known |= set(each)
        queries = np.arange(61, dtype=np.uint64)
        assert growing.contains(queries).tolist() == [int(query) in known for query in queries]
