"""Every row is counted once, under its source; the first of each group of duplicates is kept.

The first property tries 25 corpora of up to three files of several formats.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from engine.config.corpus import CorpusConfig
from engine.corpus.ingest import collection as collection_module
from engine.corpus.ingest.collection import Collection, collect
from engine.corpus.ingest.deduplication import GroupedTweets, group
from engine.corpus.loading import TooFewTweetsError, load_corpus, read_tweets
from engine.corpus.similarity.sorted_sets import GrowingSet
from engine.errors import CorpusError
from engine.protocol.stage import no_progress
from engine.text import EXAMPLE_CHARS, harmless
from tests.engine.helpers import write_corpus
from tests.strategies import HOSTILE_PIECES

PIECES = st.one_of(st.sampled_from(HOSTILE_PIECES), st.text(max_size=8), st.sampled_from(["good ", "day ", "tea"]))
ROWS = st.lists(st.lists(PIECES, max_size=5).map("".join), min_size=1, max_size=25)
AS_LINE: dict[str, Callable[[str], str]] = {
    "txt": lambda row: row.replace("\n", " ").replace("\r", " "),
    "jsonl": lambda row: json.dumps({"text": row}),
    "csv": lambda row: '"' + row.replace('"', '""') + '"',
}


@settings(max_examples=25)
@given(
    files=st.lists(st.tuples(st.sampled_from(sorted(AS_LINE)), ROWS), min_size=1, max_size=3),
    keep_duplicates=st.booleans(),
)
def test_kept_and_dropped_add_up_to_the_rows_of_every_source(
    tmp_path_factory: pytest.TempPathFactory, files: list[tuple[str, list[str]]], *, keep_duplicates: bool
) -> None:
    folder = tmp_path_factory.mktemp("c")
    paths = []
    for number, (ending, rows) in enumerate(files):
        path = folder / f"{number}.{ending}"
        path.write_bytes("\n".join(map(AS_LINE[ending], [*rows, "the last row"])).encode("utf-8", "replace"))
        paths.append(str(path))
    config = CorpusConfig(files=tuple(paths), max_length=12, keep_duplicates=keep_duplicates)
    try:
        tweets, report = read_tweets(config)
    except CorpusError:
        return
    assert len(report.sources) == len(files)
    for source in report.sources:
        assert source.num_kept + sum(source.dropped.values()) == source.num_rows
        assert min(source.num_kept, *source.dropped.values(), 1) >= 0
        assert list(source.dropped.values()) == sorted(source.dropped.values(), reverse=True)
        assert set(source.examples) <= set(source.dropped)
    assert report.num_kept == len(tweets)
    for text in (*report.dropped, *report.examples.values()):
        assert text == harmless(text, EXAMPLE_CHARS)


def test_a_corpus_of_near_duplicates_is_refused_with_keep_duplicates(tmp_path: Path) -> None:
    path = write_corpus(tmp_path, [f"@{name} the very same words every day" for name in "abcdefghijklmnopqrstuvwxyz"])
    with pytest.raises(TooFewTweetsError, match="too few distinct tweets") as caught:
        load_corpus(CorpusConfig(files=(str(path),), keep_duplicates=True))
    assert "--keep-duplicates" in caught.value.hint


# Duplicates -----------------------------------------------------------------------------------------------------------

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


def described(collection: Collection) -> str:
    lines = [f"texts of files {collection.source_of.tolist()}: {', '.join(collection.texts)}"]
    for report in (counts.report() for counts in collection.sources):
        lines.append(f"{report.num_rows} rows, {report.num_kept} kept; dropped: {report.dropped}")
        lines += [f"  {reason}: {example}" for reason, example in report.examples.items()]
        lines += [f"* {note}" for note in report.notes]
    return "\n".join(lines)


def test_the_first_of_each_group_is_kept_and_the_others_are_counted_for_their_file(
    tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    result = grouped(
        tmp_path, ["tea", *SAME, "two boats", *NEAR, "Tea!", "donâ€™t"], ["tea", f"{SENTENCE} again", "three boats"]
    )
    assert (result.num_duplicates, result.num_near_duplicates) == (4, 4)
    assert described(result.collection) == snapshot


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


def test_a_file_that_repeats_itself_is_stored_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    monkeypatch.setattr(collection_module, "CHUNK_TWEETS", 4)
    distinct = [f"number {number} is written out" for number in ("one", "two", "three", "four", "five", "six")]
    collection = collected(tmp_path, distinct * 100, [*distinct * 3, "another one"])
    assert collection.texts.utf8.nbytes == sum(map(len, [*distinct, "another one"]))
    assert described(collection) == snapshot


@given(hashes=st.lists(st.lists(st.integers(0, 60), max_size=12), max_size=12))
def test_a_growing_set_contains_what_was_added_and_nothing_else(hashes: list[list[int]]) -> None:
    growing, known = GrowingSet(), set[int]()
    for each in hashes:
        growing.add(np.array(sorted(set(each) - known), dtype=np.uint64))
        known |= set(each)
        queries = np.arange(61, dtype=np.uint64)
        assert growing.contains(queries).tolist() == [int(query) in known for query in queries]
