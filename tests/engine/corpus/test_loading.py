"""Rows become a corpus: each is counted once, the first of its duplicates kept; previews, statistics, the cache.

What exact resume and comparable figures depend on is recorded of small corpora in every format: the digest and the
order of batches decide what a resumed run trains on, the split what its losses mean.
"""

from __future__ import annotations

import gzip
import hashlib
import html
import json
import os
import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from engine.config.corpus import CorpusConfig
from engine.corpus import collect as collecting
from engine.corpus import corpus as corpora
from engine.corpus.arrays import EncodedTweets
from engine.corpus.batches import epoch_order
from engine.corpus.collect import Collection, collect
from engine.corpus.corpus import MIN_TWEETS, Corpus, check_corpus, load_corpus, read_tweets
from engine.corpus.inspection import inspect
from engine.corpus.report import CorpusReport, SourceReport, summary_lines
from engine.errors import CorpusError
from engine.model.vocab import Vocab
from engine.storage.folders import cache_folder
from engine.text import EXAMPLE_CHARS, sanitize_line
from tests.engine.corpus.files.open_contents import parquet_of
from tests.engine.corpus.reading import Container, Files, cases, packed, write
from tests.engine.helpers import small_tweets, write_corpus
from tests.strategies import HOSTILE_PIECES


def config_of(*files: Path, **options: Any) -> CorpusConfig:
    return CorpusConfig(files=tuple(map(str, files)), **options)


def test_no_tweet_of_several_files_is_lost_and_the_order_is_that_of_the_files(tmp_path: Path) -> None:
    tweets = small_tweets(60)
    text = write_corpus(tmp_path, tweets[:20], "a.txt")
    csv = write_corpus(tmp_path, ["text", *(f'"{tweet}"' for tweet in tweets[20:40])], "b.csv")
    jsonl = write_corpus(tmp_path, [f'{{"text": "{tweet}"}}' for tweet in tweets[40:]], "c.jsonl")
    corpus = load_corpus(config_of(text, csv, jsonl))
    assert [tweet for tweet in tweets if tweet not in corpus.validation] == list(corpus.train)
    assert sorted([*corpus.train, *corpus.validation]) == sorted(tweets)
    assert corpus.name == "a.txt + b.csv + c.jsonl"
    assert corpus.num_train_chars == len("\n".join(corpus.train)) + 1, "every end of a tweet counts"


def test_a_path_may_begin_with_the_users_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write_corpus(tmp_path, name="mine.txt")
    config = CorpusConfig(files=("~/mine.txt",))
    check_corpus(config)
    assert load_corpus(config).report.num_kept == 60


def test_overfit_selects_one_row_counted_from_0_without_the_header(tmp_path: Path) -> None:
    path = write_corpus(tmp_path, ["tweet", *small_tweets(5)], "a.csv")
    corpus = load_corpus(config_of(path, overfit=2))
    assert list(corpus.train) == list(corpus.validation) == [small_tweets(5)[2]]
    assert corpus.name == "row 2 of a.csv"


def test_no_rows_and_an_unusable_row_are_refused_with_the_reason(tmp_path: Path) -> None:
    write(tmp_path, {"none": "[]", "a.txt": "hello\nhttps://a.example/b\n" + "z" * 141})
    refused = {
        "none holds no posts.": config_of(tmp_path / "none"),
        "Row 9 of a.txt can't be used: the data has fewer rows": config_of(tmp_path / "a.txt", overfit=9),
        "Row 1 of a.txt can't be used: only a link": config_of(tmp_path / "a.txt", overfit=1),
    }
    for message, config in refused.items():
        for function in (load_corpus, check_corpus):
            with pytest.raises(CorpusError, match=f"^{message}"):
                function(config)


SAME_WORDS = "".join(f"@{name} the very same words every day\n" for name in "abcdefghijklmnopqrstuvwxyz")
TOO_FEW = {
    "likes.json": ('{"@context": "x", "type": "OrderedCollection", "orderedItems": ["a/1", "b/2"]}', "likes or"),
    "one.txt": ("no end " * 200_000, "one tweet per line"),
    "long.txt": ("a word that is too long for it, and is another one each time\n" * 30, "--max-length, now 40"),
    "alike.txt": (SAME_WORDS, "--keep-duplicates"),
    "labels.txt": ("0\n1\n" * 30, "--format text keeps such"),
}


@pytest.mark.parametrize("name", TOO_FEW)
def test_the_hint_of_too_few_tweets_is_the_remedy_for_the_main_reason(tmp_path: Path, name: str) -> None:
    content, hint = TOO_FEW[name]
    write(tmp_path, {name: content})
    with pytest.raises(CorpusError) as caught:
        load_corpus(config_of(tmp_path / name, max_length=40, keep_duplicates=True))
    assert hint in caught.value.hint


PIECES = st.one_of(st.sampled_from(HOSTILE_PIECES), st.text(max_size=8), st.sampled_from(["good ", "day ", "tea"]))
ROWS = st.lists(st.lists(PIECES, max_size=5).map("".join), min_size=1, max_size=25)
AS_LINE: dict[str, Callable[[str], str]] = {
    "txt": lambda row: row.replace("\n", " ").replace("\r", " "),
    "jsonl": lambda row: json.dumps({"text": row}),
    "csv": lambda row: '"' + row.replace('"', '""') + '"',
}


@given(
    files=st.lists(st.tuples(st.sampled_from(sorted(AS_LINE)), ROWS), min_size=1, max_size=3),
    keep_duplicates=st.booleans(),
)
def test_kept_and_dropped_add_up_to_the_rows_of_every_source(
    tmp_path_factory: pytest.TempPathFactory, files: list[tuple[str, list[str]]], *, keep_duplicates: bool
) -> None:
    contents = {
        f"{number}.{ending}": "\n".join(map(AS_LINE[ending], [*rows, "the last row"]))
        for number, (ending, rows) in enumerate(files)
    }
    folder = write(tmp_path_factory.mktemp("c"), contents)
    paths = [folder / name for name in contents]
    try:
        tweets, report = read_tweets(config_of(*paths, max_length=12, keep_duplicates=keep_duplicates))
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
        assert text == sanitize_line(text, EXAMPLE_CHARS)


SENTENCE = "the small brown dog slept under our kitchen table"
SAME = (SENTENCE, f"@mia {SENTENCE.upper()}!!", f"{SENTENCE} http://a.example/b")
NEAR = (f"{SENTENCE} today", SENTENCE.replace("dog", "cat"), SENTENCE.replace("under our", "near an"))
OTHERS = ("good morning", "Good Morning!", "tea :)", "two boats", "tea ☕", "tea")


def collected(folder: Path, *files: list[str], keep_duplicates: bool = False) -> Collection:
    paths = [write_corpus(folder, tweets, f"{number}.txt") for number, tweets in enumerate(files)]
    return collect(config_of(*paths, keep_duplicates=keep_duplicates))


def described(collection: Collection) -> str:
    lines = [f"texts of files {collection.file_of.tolist()}: {', '.join(collection.texts)}"]
    for report in collection.report.sources:
        lines.append(f"{report.num_rows} rows, {report.num_kept} kept; dropped: {report.dropped}")
        lines += [f"  {reason}: {example}" for reason, example in report.examples.items()]
        lines += [f"* {note}" for note in report.notes]
    return "\n".join(lines)


def test_the_first_of_each_group_is_kept_and_the_others_counted(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    first = ["tea", *SAME, "two boats", *NEAR, "Tea!", "donâ€™t"]
    result = collected(tmp_path, first, ["tea", f"{SENTENCE} again", "three boats"])
    assert (result.report.num_duplicates, result.report.num_near_duplicates) == (4, 4)
    assert described(result) == snapshot


@given(tweets=st.lists(st.sampled_from([*SAME, *NEAR, *OTHERS]), max_size=30), keep_duplicates=st.booleans())
def test_the_kept_tweets_are_a_subsequence_and_all_others_are_counted(
    tmp_path_factory: pytest.TempPathFactory, tweets: list[str], *, keep_duplicates: bool
) -> None:
    tweets = [*tweets, "the last one"]
    result = collected(tmp_path_factory.mktemp("c"), tweets, keep_duplicates=keep_duplicates)
    kept, rest = list(result.texts), iter(tweets)
    assert all(tweet in rest for tweet in kept), "in the order of the file"
    report = result.report.sources[0]
    num_repeated = 0 if keep_duplicates else result.report.num_duplicates + result.report.num_near_duplicates
    assert sum(report.dropped.values()) == num_repeated
    assert len(tweets) == report.num_rows == len(kept) + num_repeated
    assert report.num_kept == len(kept)


def test_no_example_of_a_dropped_row_is_another_persons_words(tmp_path: Path) -> None:
    retweets = [
        'RT @Oprah "a secret',
        "so true RT @tom: a secret",
        f"RT @mia: {'a secret ' * 20}",
        "RT : @bo a secret \ufffd",
    ]
    tweets = [*retweets, *(f"{tweet}!" for tweet in retweets), "tea", "Tea!"]
    path = write_corpus(tmp_path, [json.dumps({"text": tweet}) for tweet in tweets], "a.jsonl")
    marked = write_corpus(tmp_path, ['{"text": "a secret", "is_retweet": true}', '{"text": "Tea"}'], "b.jsonl")
    for options in ({}, {"no_retweets": True}):
        report = read_tweets(config_of(path, marked, **options))[1]
        assert report.dropped["retweet" if options else "duplicate"]
        assert "secret" not in str(report.examples)
        assert report.examples["duplicate"] == "Tea!"


def test_a_file_that_repeats_itself_is_stored_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    monkeypatch.setattr(collecting, "CHUNK_TWEETS", 4)
    distinct = [f"number {number} is written out" for number in ("one", "two", "three", "four", "five", "six")]
    collection = collected(tmp_path, distinct * 100, [*distinct * 3, "another one"])
    assert collection.texts.utf8.nbytes == sum(map(len, [*distinct, "another one"]))
    assert described(collection) == snapshot


@given(num_tweets=st.integers(0, 45), num_repeats=st.integers(1, 4))
def test_the_check_and_the_loading_of_a_small_file_agree(
    tmp_path_factory: pytest.TempPathFactory, num_tweets: int, num_repeats: int
) -> None:
    path = write_corpus(tmp_path_factory.mktemp("corpus"), ["", *small_tweets(num_tweets) * num_repeats])
    verdicts = []
    for function in (check_corpus, load_corpus):
        try:
            function(config_of(path))
            verdicts.append("")
        except CorpusError as error:
            verdicts.append(error.message)
    assert verdicts[0] == verdicts[1]


def test_the_time_is_that_of_all_files_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "MAX_SECONDS", 0.0)
    noise = random.Random(1)  # noqa: S311 - no secrets
    lines = [*small_tweets(60), *(noise.randbytes(40).hex() for _ in range(20_000))]
    truncated = gzip.compress("\n".join(lines).encode())[:-2000]
    write(tmp_path, {**{f"a{n:03}.txt": "the same again\n" * 200 for n in range(3)}, "z.txt.gz": truncated})
    check_corpus(config_of(tmp_path))
    with pytest.raises(CorpusError):
        load_corpus(config_of(tmp_path))


def test_a_preview_is_of_the_first_rows_and_of_a_small_corpus_all(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    rows = [f"{0 if number % 2 else 4},this is number {number}" for number in range(1000)]
    table = config_of(write_corpus(tmp_path, ["target,text", *rows], "a.csv"))
    small = "\n".join([*small_tweets(30), "", "last"])
    lines = []
    for preview in map(check_corpus, (table, config_of(write(tmp_path / "small", {"a.txt": small, "b.txt": small})))):
        lines.append(f"the first is {preview.first_tweet!r}, {'all' if preview.is_whole else 'some'} are read")
        for source in preview.sources:
            counts = f"{source.num_rows} rows, {source.num_kept} kept; dropped: {source.dropped}"
            lines += [f"{source.name}, {source.format}: {counts}", *(f"* {note}" for note in source.notes)]
    assert "\n".join(lines) == snapshot


NUMBERED = st.lists(st.text("ab é寿🐱1#@ ", min_size=0, max_size=60), min_size=MIN_TWEETS, max_size=60).map(
    lambda texts: [f"n{number} {text}".strip() for number, text in enumerate(texts)]
)


@given(tweets=NUMBERED)
def test_every_statistic_agrees_with_a_plain_count(tmp_path_factory: pytest.TempPathFactory, tweets: list[str]) -> None:
    config = config_of(write_corpus(tmp_path_factory.mktemp("c"), tweets), keep_duplicates=True)
    corpus, found = load_corpus(config), inspect(config, lambda: 0)
    kept = [*corpus.train, *corpus.validation]
    assert found.corpus.report.num_kept == len(kept)
    assert found.num_chars == sum(map(len, kept))
    assert found.char_counts == {char: "".join(kept).count(char) for char in set("".join(kept))}
    assert list(found.char_counts.values()) == sorted(found.char_counts.values(), reverse=True)
    assert found.rare_chars == [char for char, count in found.char_counts.items() if count == 1]
    assert found.mean_length == pytest.approx(found.num_chars / len(kept))
    for bar in found.lengths:
        assert bar.num_tweets == sum(bar.first <= len(tweet) <= bar.last for tweet in kept)
    assert set(found.samples) <= set(kept)


def test_the_share_of_shared_runs_is_1_for_variants_of_a_frame_and_0_without_any(tmp_path: Path) -> None:
    frame = "it is a truth universally acknowledged, that {} must be in want of a good breakfast before {}"
    alike = [frame.format(f"{n} x{n * n}", f"day {n} z{n * 7}") for n in range(100)]
    for tweets, share in ((alike, 1.0), (small_tweets(60), 0.0)):
        assert inspect(config_of(write_corpus(tmp_path, tweets)), lambda: 0).shared_run_share == share


def source_of(name: str, num_rows: int, num_kept: int, *notes: str, **dropped: int) -> SourceReport:
    return SourceReport(
        name=name, format="csv", notes=notes, num_rows=num_rows, num_kept=num_kept, dropped=dropped, examples={}
    )


def test_the_report_is_one_line_or_has_every_source_and_the_total(snapshot: SnapshotAssertion) -> None:
    first = source_of("a.csv", 10, 7, "header row found", "text in column 2", empty=2, duplicate=1)
    reports = {
        "two sources": CorpusReport(sources=(first, source_of("b.csv", 1005, 1000, duplicate=5))),
        "one row without drops": CorpusReport(sources=(source_of("c.csv", 1, 1),)),
        "200 sources": CorpusReport(sources=(first,) * 200),
    }
    lines = [line for name, report in reports.items() for line in (f"({name})", str(report), *summary_lines(report))]
    assert "\n".join(lines) == snapshot


def entries() -> list[Path]:
    return sorted((cache_folder() / "corpora").glob("*"))


def same(one: Corpus, other: Corpus) -> bool:
    return (
        list(one.train) == list(other.train)
        and list(one.validation) == list(other.validation)
        and np.array_equal(one.novelty.whole, other.novelty.whole)
        and np.array_equal(one.novelty.windows, other.novelty.windows)
        and replace(one, train=other.train, validation=other.validation, novelty=other.novelty, was_cached=True)
        == replace(other, was_cached=True)
    )


def test_a_cached_corpus_equals_the_one_that_was_read_and_a_damaged_entry_is_a_miss(tmp_path: Path) -> None:
    config = config_of(write_corpus(tmp_path, [*small_tweets(), "", "late night ☕ at café Noir", small_tweets()[0]]))
    read = load_corpus(config)
    [entry] = entries()
    data = entry.read_bytes()
    flipped = data[:-5] + bytes([data[-5] ^ 1]) + data[-4:]
    for content, is_whole in ((data, True), (flipped, False), (data[: len(data) // 2], False)):
        entry.write_bytes(content)
        opened = load_corpus(config)
        assert opened.was_cached == is_whole
        assert same(read, opened)
    assert load_corpus(config).was_cached, "stored again"


def test_changed_content_or_settings_are_a_miss_unless_they_change_no_tweet(tmp_path: Path) -> None:
    config = config_of(write_corpus(tmp_path, small_tweets(40)))
    load_corpus(config)
    write_corpus(tmp_path, small_tweets(50))
    assert len(load_corpus(config).train) == 40
    assert not load_corpus(config_of(write_corpus(tmp_path, small_tweets(45)))).was_cached
    write_corpus(tmp_path, small_tweets(50))
    assert load_corpus(config).was_cached, "the content of before"
    changes: list[dict[str, Any]] = [{"max_length": 20}, {"lowercase": True}, {"keep_duplicates": True}]
    for change in (*changes, {"format": "text"}):
        assert not load_corpus(replace(config, **change)).was_cached
    assert load_corpus(replace(config, min_char_count=2, weight=(2.0,))).was_cached


def test_a_read_only_cache_fails_no_run(tmp_path: Path) -> None:
    cache_folder().write_text("a file where the folder should be")
    assert len(load_corpus(config_of(write_corpus(tmp_path))).train) == 48


def test_a_file_that_changes_while_it_is_read_is_not_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = iter(["before", "after"])
    monkeypatch.setattr(corpora, "cache_key", lambda _: next(keys))
    load_corpus(config_of(write_corpus(tmp_path)))
    assert entries() == []


def test_the_least_recently_used_entries_are_deleted_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpora, "MAX_ENTRIES", 2)
    one, two, three = (config_of(write_corpus(tmp_path, small_tweets(n), f"{n}.txt")) for n in (30, 40, 50))
    load_corpus(one)
    load_corpus(two)
    for number, entry in enumerate(entries()):
        os.utime(entry, (number, number))
    load_corpus(one)
    load_corpus(three)
    assert load_corpus(one).was_cached
    assert not load_corpus(two).was_cached


# Recorded, and never to change ----------------------------------------------------------------------------------------

SONGS, ALIKE = (case.rows for case in cases("tweets"))
REPEATED = [*SONGS, *ALIKE, "THE CAT hugs a red kite", *SONGS[:3], "", "http://a.example/b", "x" * 150]
LABELLED = [f'{4 if number % 4 else number % 8 // 2},{number},"{tweet}"' for number, tweet in enumerate(SONGS)]


def lines(texts: Iterable[str], end: str = "\n") -> str:
    return "".join(f"{text}{end}" for text in texts)


def x_archive(tweets: list[str]) -> dict[str, str]:
    entries = [{"tweet": {"id_str": str(number), "full_text": tweet}} for number, tweet in enumerate(tweets)]
    return {"data/tweets.js": f"window.YTD.tweets.part0 = {json.dumps(entries)}"}


def bluesky(tweets: list[str]) -> str:
    posts = [{"$type": "app.bsky.feed.post", "text": tweet, "createdAt": "2024"} for tweet in tweets]
    return lines(map(json.dumps, posts))


def mastodon(tweets: list[str]) -> str:
    notes = [{"type": "Note", "content": f"<p>{html.escape(tweet)}</p>", "to": [PUBLIC]} for tweet in tweets]
    items = [{"type": "Create", "object": note} for note in notes]
    return json.dumps({"@context": PUBLIC, "type": "OrderedCollection", "orderedItems": items})


PUBLIC = "https://www.w3.org/ns/activitystreams#Public"
OPTIONS: dict[str, object] = dict.fromkeys(("lowercase", "ascii", "mask_mentions", "strip_links"), True)
FOLDER = {
    "b/z.csv": lines(["text", *(f'"{tweet}"' for tweet in ALIKE)]),
    "a.txt": lines(SONGS),
    "c.json": json.dumps(SONGS[:9] + ALIKE[:2]),
}
CORPORA: dict[str, tuple[Files, Container, dict[str, object]]] = {
    "text": ({"a.txt": lines(SONGS)}, "", {}),
    "text with duplicates and unusable lines": ({"a.txt": lines(REPEATED)}, "", {}),
    "text with duplicates, kept": ({"a.txt": lines(REPEATED)}, "", {"keep_duplicates": True}),
    "text changed by options": ({"a.txt": lines(REPEATED)}, "", {**OPTIONS, "max_length": 60}),
    "text in Windows-1252 with old line ends": ({"a.txt": lines(SONGS, "\r\n").encode("cp1252", "ignore")}, "", {}),
    "csv with labels": ({"a.csv": lines(["target,id,text", *LABELLED])}, "", {}),
    "csv with labels, all kept": ({"a.csv": lines(["target,id,text", *LABELLED])}, "", {"label": "all"}),
    "an archive of X": (x_archive(SONGS), "zip", {}),
    "an archive of Mastodon": ({"outbox.json": mastodon(SONGS)}, "tar.gz", {}),
    "Parquet": ({"a.parquet": parquet_of({"id": list(range(len(SONGS))), "text": SONGS})}, "", {}),
    "Bluesky": ({"a.jsonl": bluesky(SONGS)}, "", {}),
    "a folder of several formats": (FOLDER, "folder", {}),
}


def hash_of(texts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def recorded(config: CorpusConfig) -> str:
    """Return the recorded text of a corpus."""
    corpus = load_corpus(config)
    vocab = Vocab.from_counts(corpus.char_counts, 1)
    tweets = EncodedTweets.from_flat(corpus.train, vocab)
    orders = [
        hash_of(" ".join(map(str, batch)) for batch in epoch_order(tweets.lengths, 8, seed, epoch, weights))
        for seed, epoch, weights in ((0, 0, None), (0, 1, None), (7, 0, np.full(len(tweets), 1.5)))
    ]
    longest = max(corpus.train, key=len)
    copied = [
        corpus.novelty.copied_share(each) for each in (longest, f"{longest} by the sea", longest[30:], "a new one")
    ]
    return "\n".join(
        [
            f"digest       {corpus.digest}",
            f"split        {len(corpus.train)} and {len(corpus.validation)}: {hash_of(corpus.validation)}",
            f"by file      {corpus.num_train_by_file}",
            f"duplicates   {corpus.report.num_duplicates}, near {corpus.report.num_near_duplicates}",
            f"report       {corpus.report}",
            f"vocabulary   {len(vocab)}: {hash_of(vocab.chars)}",
            f"targets      {tweets.num_targets}",
            f"orders       {', '.join(orders)}",
            f"novelty      {len(corpus.novelty.windows)} windows; copied {', '.join(f'{each:.3f}' for each in copied)}",
        ]
    )


@pytest.mark.parametrize("name", CORPORA)
def test_a_corpus_is_read_split_and_ordered_as_recorded(tmp_path: Path, name: str, snapshot: SnapshotAssertion) -> None:
    files, container, options = CORPORA[name]
    config = CorpusConfig(files=(str(packed(tmp_path, files, container)),), **options)  # type: ignore[arg-type]
    assert recorded(config) == snapshot
