"""A config is loaded from several files, or a single row, and previewed before the screen opens."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config.corpus import CorpusConfig
from engine.corpus.ingest import quick_check as checking
from engine.corpus.ingest.quick_check import check_corpus
from engine.corpus.loading import load_corpus
from engine.errors import CorpusError
from tests.engine.helpers import small_tweets, write_corpus


def config_of(
    *files: Path, max_length: int = 140, column: str | None = None, overfit: int | None = None
) -> CorpusConfig:
    return CorpusConfig(files=tuple(map(str, files)), max_length=max_length, column=column, overfit=overfit)


def test_no_tweet_is_lost_and_the_order_is_that_of_the_file(tmp_path: Path) -> None:
    tweets = small_tweets(60)
    corpus = load_corpus(config_of(write_corpus(tmp_path, tweets)))
    assert [tweet for tweet in tweets if tweet not in corpus.validation] == list(corpus.train)
    assert sorted([*corpus.train, *corpus.validation]) == sorted(tweets)


def test_several_files_of_several_formats_make_one_corpus(tmp_path: Path) -> None:
    tweets = small_tweets(60)
    text = write_corpus(tmp_path, tweets[:20], "a.txt")
    csv = write_corpus(tmp_path, ["text", *(f'"{tweet}"' for tweet in tweets[20:40])], "b.csv")
    jsonl = write_corpus(tmp_path, [f'{{"text": "{tweet}"}}' for tweet in tweets[40:]], "c.jsonl")
    corpus = load_corpus(config_of(text, csv, jsonl))
    assert {*corpus.train, *corpus.validation} == set(tweets)
    assert corpus.name == "a.txt + b.csv + c.jsonl"


def test_an_epoch_counts_every_training_character_and_every_end_of_tweet(tmp_path: Path) -> None:
    corpus = load_corpus(config_of(write_corpus(tmp_path)))
    assert corpus.num_train_chars == len("\n".join(corpus.train)) + 1


def test_a_source_without_a_row_holds_no_posts(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("[]", encoding="utf-8")
    for function in (load_corpus, check_corpus):
        with pytest.raises(CorpusError, match=r"^mine holds no posts\.$"):
            function(config_of(tmp_path / "mine"))


def test_a_path_may_begin_with_the_users_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write_corpus(tmp_path, name="mine.txt")
    config = CorpusConfig(files=("~/mine.txt",))
    check_corpus(config)
    assert load_corpus(config).report.num_kept == 60


# One row --------------------------------------------------------------------------------------------------------------


def test_overfit_selects_one_row_counted_from_0_without_the_header(tmp_path: Path) -> None:
    path = write_corpus(tmp_path, ["tweet", *small_tweets(5)], "a.csv")
    corpus = load_corpus(config_of(path, overfit=2))
    assert list(corpus.train) == list(corpus.validation) == [small_tweets(5)[2]]
    assert corpus.name == "row 2 of a.csv"


@pytest.mark.parametrize(("row", "reason"), [(9, "the data has fewer rows"), (1, "only a link")])
def test_an_unusable_row_is_refused_with_its_reason(tmp_path: Path, row: int, reason: str) -> None:
    path = write_corpus(tmp_path, ["hello", "https://a.example/b", "z" * 141])
    for function in (load_corpus, check_corpus):
        with pytest.raises(CorpusError, match=f"Row {row} of small.txt can't be used: {reason}"):
            function(config_of(path, overfit=row))


# The check before the screen opens ------------------------------------------------------------------------------------


@settings(max_examples=20)
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


def cut_archive() -> bytes:
    """Return a truncated compressed file."""
    noise = random.Random(1)  # noqa: S311 - no secrets
    lines = [*small_tweets(60), *(noise.randbytes(40).hex() for _ in range(20_000))]
    return gzip.compress("\n".join(lines).encode())[:-2000]


def test_the_time_is_that_of_all_files_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "MAX_SECONDS", 0.0)
    for number in range(3):
        (tmp_path / f"a{number:03}.txt").write_text("the same again\n" * 200, encoding="utf-8")
    (tmp_path / "z.txt.gz").write_bytes(cut_archive())
    config = CorpusConfig(files=(str(tmp_path),))
    check_corpus(config)
    with pytest.raises(CorpusError):
        load_corpus(config)


def test_a_preview_has_the_counts_and_notes_of_the_first_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    tweets = [f"this is number {number}" for number in range(1000)]
    rows = [f"{0 if number % 2 else 4},{tweet}" for number, tweet in enumerate(tweets)]
    path.write_text("\n".join(["target,text", *rows]), encoding="utf-8")
    preview = check_corpus(CorpusConfig(files=(str(path),)))
    (source,) = preview.sources
    assert (source.name, source.format) == ("a.csv", "csv")
    assert "text in column 2 (text): by its name" in source.notes
    assert any(note.startswith("labels in column 1 (target): kept happy (4)") for note in source.notes)
    assert (source.num_rows, source.num_kept, source.dropped) == (399, 200, {"labelled sad (0)": 199})
    assert preview.first_tweet == tweets[0]
    assert not preview.is_whole


def test_a_preview_of_a_small_corpus_is_whole(tmp_path: Path) -> None:
    for name in ("a", "b"):
        lines = "\n".join([*small_tweets(30), "", "last"])
        (tmp_path / f"{name}.txt").write_text(lines, encoding="utf-8")
    preview = check_corpus(CorpusConfig(files=(str(tmp_path),)))
    assert preview.is_whole
    assert [(source.num_rows, source.num_kept) for source in preview.sources] == [(32, 31)] * 2


@pytest.mark.parametrize(
    ("name", "content", "hint"),
    [
        ("likes.json", '{"@context": "x", "type": "OrderedCollection", "orderedItems": ["a/1", "b/2"]}', "likes or"),
        ("one.txt", "no end " * 200_000, "one tweet per line"),
        ("long.txt", "a word too long\n" * 30, "--max-length, now 9"),
    ],
)
def test_the_hint_of_too_few_tweets_is_the_remedy_for_the_main_reason(
    tmp_path: Path, name: str, content: str, hint: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(CorpusError) as caught:
        load_corpus(config_of(tmp_path / name, max_length=9))
    assert hint in caught.value.hint
