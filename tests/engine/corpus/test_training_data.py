"""The training data of a run: files, vocabulary and weights, and batches, whose stream resumes at any position."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import compress, islice, product
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.corpus import CorpusConfig
from engine.config.run import PresetName, RunConfig
from engine.corpus import arrays, training_data
from engine.corpus import batches as batches_module
from engine.corpus.arrays import Batch, CorpusBatch, EncodedTweets, FlatTweets
from engine.corpus.batches import BatchStream, epoch_order, padding_shares
from engine.corpus.training_data import KnownVocab, TrainingData, corpus_config_of, load_training_data
from engine.errors import CorpusError
from engine.model.vocab import BOS, EOS, PAD, UNK, Vocab
from engine.protocol.progress import BatchCursor, Stage
from tests.engine.checkpoints.saved import checkpoint_info
from tests.engine.helpers import encoded, encoded_with, small_tweets, write_corpus
from tests.strategies import tweet_lists


def loaded(*files: Path, known: KnownVocab | None = None, **options: Any) -> TrainingData:
    config = CorpusConfig(files=tuple(map(str, files)), **{"min_char_count": 1, **options})
    return load_training_data(config, known, lambda _: None)


def test_paths_are_absolute_and_a_checkpoints_are_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert corpus_config_of(RunConfig(), checkpoint_info().corpus) == checkpoint_info().corpus
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    wanted = RunConfig(corpus=CorpusConfig(files=("a.txt", "~/b.txt")))
    for known in (None, checkpoint_info().corpus):
        files = corpus_config_of(wanted, known).files
        assert files == (str(tmp_path / "a.txt"), str(tmp_path / "me" / "b.txt"))


def test_rare_characters_become_unk_the_larger_the_corpus_unless_every_one_is_kept() -> None:
    cases: tuple[tuple[PresetName, CorpusConfig, int], ...] = (
        ("auto", CorpusConfig(), 2),
        ("auto", CorpusConfig(min_char_count=5), 5),
        ("tutorial", CorpusConfig(), 1),
        ("auto", CorpusConfig(overfit=3), 1),
    )
    for preset, corpus, expected in cases:
        assert corpus_config_of(RunConfig(corpus=corpus, preset=preset), None).min_char_count == expected
    for least, num_chars, expected in (
        *((2, 10_000, 2), (2, 2_000_000, 6), (2, 3_400_000, 10), (2, 10**9, 10)),
        *((20, 10**9, 20), (1, 10**9, 1)),
    ):
        assert training_data.min_char_count_for(CorpusConfig(min_char_count=least), num_chars) == expected


def test_the_vocabulary_is_that_of_the_training_tweets_without_rare_characters(tmp_path: Path) -> None:
    whole = loaded(write_corpus(tmp_path))
    assert set(whole.vocab.chars) == set("".join(whole.corpus.train))
    assert whole.train_tweets.num_unknown_chars == 0
    assert len(whole.train_tweets) == len(whole.corpus.train)
    rare = "零一二三四五六七八九"
    tweets = [f"{tweet} {rare[number % 10] if number < 10 else ''}" for number, tweet in enumerate(small_tweets(60))]
    found = loaded(write_corpus(tmp_path, tweets), min_char_count=2)
    assert not set(rare) & set(found.vocab.chars)
    num_rare = sum(char in rare for char in "".join(found.corpus.train))
    assert found.train_tweets.num_unknown_chars == num_rare > 0


def test_a_known_vocabulary_grows_by_frequent_characters_of_other_tweets(tmp_path: Path) -> None:
    file, chars = write_corpus(tmp_path), ("x", "y", "z")
    new = loaded(file)
    fewer = loaded(write_corpus(tmp_path, small_tweets(40), "less.txt"), known=KnownVocab(chars=new.vocab.chars))
    assert (fewer.vocab.chars, fewer.uses_known_vocab) == (new.vocab.chars, True)
    same = loaded(file, known=KnownVocab(chars=chars, trained_digest=new.corpus.digest))
    assert same.vocab.chars == chars
    assert same.train_tweets.num_unknown_chars > 0
    tweets = [f"{tweet} ☃{'零' if number == 20 else ''}" for number, tweet in enumerate(small_tweets(60))]
    grown = loaded(write_corpus(tmp_path, tweets), known=KnownVocab(chars=chars), min_char_count=2).vocab
    assert (grown.chars[:3], "☃" in grown.chars, "零" in grown.chars) == (chars, True, False)


def test_a_known_vocabulary_for_small_corpora_is_not_used_for_larger_ones_or_another_script(tmp_path: Path) -> None:
    file = write_corpus(tmp_path)
    new = loaded(file)
    num_tweets, chars = len(new.corpus.train), (*new.vocab.chars, "☃")
    many, few, foreign, both = (
        loaded(file, known=KnownVocab(chars=own, max_tweets=most))
        for own, most in product((chars, ("x", "y")), (num_tweets + 1, num_tweets))
    )
    assert [each.uses_known_vocab for each in (many, few, foreign, both)] == [True, False, False, False]
    assert [each.foreign_share for each in (many, few, both)] == [0, 0, 0]
    assert 0.9 < foreign.foreign_share <= 1


def test_a_training_tweet_has_the_weight_of_its_file_and_no_epoch_is_left_without_one(tmp_path: Path) -> None:
    tweets = small_tweets(60)
    one, other = write_corpus(tmp_path, tweets[:40], "a.txt"), write_corpus(tmp_path, tweets[40:], "b.txt")
    found = loaded(one, other, weight=(0.5, 3))
    assert found.weights is not None
    assert found.weights.tolist() == [0.5 if tweet in tweets[:40] else 3.0 for tweet in found.corpus.train]
    same = write_corpus(tmp_path, tweets[:40], "c.txt")
    with pytest.raises(CorpusError, match=r"--weight") as caught:
        loaded(one, same, weight=(0.01, 1))
    assert caught.value.hint
    assert loaded(one, same, weight=(1, 0.01)).weights is not None


def test_stages_report_the_progress(tmp_path: Path) -> None:
    stages: list[Stage] = []
    load_training_data(CorpusConfig(files=(str(write_corpus(tmp_path)),)), None, stages.append)
    assert {stage.text for stage in stages} == {"reading the tweets"}
    shares = [stage.share for stage in stages if stage.share is not None]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)


@given(texts=st.lists(st.text(max_size=12), max_size=30), data=st.data())
def test_flat_texts_round_trip_chunked_selected_or_compacted(texts: list[str], data: st.DataObject) -> None:
    with mock.patch.multiple(arrays, CHUNK_BYTES=9, CHUNK_TWEETS=4, COPIED_TWEETS=3):
        tweets = FlatTweets.from_texts(texts)
        assert list(tweets) == texts
        assert [tweets[index] for index in range(len(tweets))] == texts
        assert [text for _, chunk in tweets.chunks() for text in chunk] == texts
        assert tweets.char_lengths().tolist() == [len(text) for text in texts]
        counts = tweets.char_counts()
        assert counts == Counter("".join(texts))
        assert list(counts.values()) == sorted(counts.values(), reverse=True)
        indices = data.draw(st.lists(st.integers(0, max(0, len(texts) - 1)), max_size=20 if texts else 0))
        chosen = tweets.select(np.array(indices, dtype=np.int64))
        assert list(chosen) == [texts[index] for index in indices]
        is_kept = data.draw(st.lists(st.booleans(), min_size=len(texts), max_size=len(texts)))
        kept = tweets.compact(np.array(is_kept, dtype=np.bool_))
        assert list(kept) == list(compress(texts, is_kept))
        assert np.shares_memory(kept.utf8, tweets.utf8) or not kept.utf8.size


def epoch(tweets: EncodedTweets, batch_size: int, seed: int, number: int = 0) -> list[CorpusBatch]:
    """Return the batches of one epoch."""
    stream = BatchStream(tweets, batch_size, seed, BatchCursor(epoch=number))
    batches = [next(stream)]
    while stream.epochs < number + 1:
        batches.append(next(stream))
    return batches


def texts_of(batch: Batch, vocab: Vocab) -> list[str]:
    """Decode the tweets of a batch from its targets, up to EOS."""
    return [vocab.decode(row[: list(row).index(EOS)]) for row in batch.targets]


def as_lists(batches: Iterable[Batch]) -> list[list[list[int]]]:
    return [batch.inputs.tolist() for batch in batches]


any_batches = given(tweets=tweet_lists(), batch_size=st.integers(1, 9), seed=st.integers(0, 2**63 - 1), data=st.data())


@any_batches
def test_an_epoch_contains_every_tweet_once_with_targets_shifted_by_one_and_the_padding_that_is_said(
    tweets: list[str], batch_size: int, seed: int, data: st.DataObject
) -> None:
    numbers, vocab = encoded(tweets)
    number = data.draw(st.integers(0, 3))
    batches = epoch(numbers, batch_size, seed, number)
    assert sorted(text for batch in batches for text in texts_of(batch, vocab)) == sorted(tweets)
    assert sum(batch.num_targets for batch in batches) == sum(map(len, tweets)) + len(tweets) == numbers.num_targets
    in_order, shuffled = padding_shares(numbers.lengths, batch_size, seed)  # of the first epoch
    padding = 1 - numbers.num_targets / sum(batch.targets.size for batch in batches)
    assert number or in_order == pytest.approx(padding)
    assert in_order >= 0
    assert 0 <= shuffled < 1
    for batch in batches:
        assert 1 <= len(batch.inputs) <= batch_size
        longest = max(map(len, texts_of(batch, vocab)))
        assert batch.inputs.shape == batch.targets.shape == (len(batch.inputs), 1 + longest)
        assert batch.num_targets == (batch.targets != PAD).sum()
        assert (batch.inputs[:, 0] == BOS).all()
        for inputs, targets in zip(batch.inputs, batch.targets, strict=True):
            end = list(targets).index(EOS)
            assert (inputs[1 : end + 1] == targets[:end]).all()
            assert (inputs[end + 1 :] == PAD).all()
            assert (targets[end + 1 :] == PAD).all()


@any_batches
def test_a_stream_from_a_saved_position_continues_identically(
    tweets: list[str], batch_size: int, seed: int, data: st.DataObject
) -> None:
    numbers, _ = encoded(tweets)
    first = data.draw(st.integers(0, batch_size))
    stream = BatchStream(numbers, batch_size, seed, BatchCursor(), first_batch_size=first)
    for _ in islice(stream, data.draw(st.integers(0, 40))):
        pass
    again = BatchStream(numbers, batch_size, seed, stream.position, first_batch_size=first)
    assert again.epochs == stream.epochs
    assert as_lists(list(islice(again, 12))) == as_lists(list(islice(stream, 12)))
    assert again.position == stream.position


LETTERS = [chr(ord("a") + index) * (1 + index % 7) for index in range(26)]


def test_the_same_seed_gives_the_same_order_and_another_seed_or_epoch_another() -> None:
    numbers, _ = encoded(LETTERS)
    orders = [as_lists(epoch(numbers, 4, seed, number)) for seed, number in [(0, 0), (1, 0), (0, 1), (0, 2)]]
    assert as_lists(epoch(numbers, 4, 0, 0)) == orders[0]
    assert all(one != other for index, one in enumerate(orders) for other in orders[:index])


def test_a_position_after_the_last_batch_is_the_start_of_the_next_epoch() -> None:
    numbers, _ = encoded(LETTERS)
    stream = BatchStream(numbers, 4, 0, BatchCursor(epoch=2, batch=999))
    assert (stream.position, stream.epochs) == (BatchCursor(epoch=3), 3.0)
    assert as_lists([next(stream)]) == as_lists(epoch(numbers, 4, 0, 3))[:1]
    assert stream.position == BatchCursor(epoch=3, batch=1)


def test_less_than_seven_percent_of_tweets_of_usual_lengths_is_padding() -> None:
    lengths = np.clip(np.random.default_rng(0).normal(72, 34, size=20_000), 6, 140).astype(int)
    numbers, _ = encoded(["x" * int(length) for length in lengths])
    batches = epoch(numbers, 128, 0)
    num_cells = sum(batch.targets.size for batch in batches)
    assert 1 - sum(batch.num_targets for batch in batches) / num_cells < 0.07


@given(tweets=tweet_lists())
def test_a_character_that_the_vocabulary_lacks_becomes_unk_and_is_counted(tweets: list[str]) -> None:
    chars = sorted(set("".join(tweets)))
    vocab = Vocab(chars[1:])
    numbers = encoded_with(vocab, tweets)
    assert numbers.num_unknown_chars == "".join(tweets).count(chars[0])
    assert int((numbers.batch(np.arange(len(tweets))).inputs == UNK).sum()) == numbers.num_unknown_chars


def test_a_weight_is_the_mean_number_of_repetitions_per_epoch() -> None:
    lengths = np.full(60, 5)
    weights = np.repeat([3.0, 0.5], 30)
    epochs = [np.concatenate(epoch_order(lengths, 7, seed=1, epoch=epoch, weights=weights)) for epoch in range(40)]
    counts = np.bincount(np.concatenate(epochs), minlength=60)
    assert set(counts[:30].tolist()) == {120}
    assert 0.4 < counts[30:].mean() / 40 < 0.6
    again = epoch_order(lengths, 7, seed=1, epoch=39, weights=weights)
    assert np.concatenate(again).tolist() == epochs[-1].tolist()


def small_first(tweets: EncodedTweets, position: BatchCursor) -> BatchStream:
    """Return batches of 8, the first ones of 3."""
    return BatchStream(tweets, 8, 1, position, first_batch_size=3)


@given(num_tweets=st.integers(0, 70))
def test_the_first_batches_are_the_same_tweets_in_smaller_batches(num_tweets: int) -> None:
    numbers, _ = encoded()
    whole = epoch_order(numbers.lengths, 8, 1, 0)
    with mock.patch.object(batches_module, "FIRST_TWEETS", num_tweets):
        stream = small_first(numbers, BatchCursor())
        rows = []
        while stream.epochs < 1:
            next(stream)
            rows.append(stream.whole_batch().rows.tolist())
    num_cut = -(-num_tweets // 8)
    expected = [
        part
        for number, batch in enumerate(whole)
        for part in ([batch[:3], batch[3:6], batch[6:]] if number < num_cut else [batch])
        if len(part)
    ]
    assert rows == [part.tolist() for part in expected]
    assert [next(stream).num_tweets for _ in range(3)] == [
        len(batch) for batch in epoch_order(numbers.lengths, 8, 1, 1)[:3]
    ]


def test_epochs_count_tweets_while_batches_are_small_and_a_share_is_rounded_to_whole_ones() -> None:
    numbers, _ = encoded(LETTERS[:24])
    stream = small_first(numbers, BatchCursor())
    found = []
    for _ in range(9):
        found.append(stream.epochs)
        next(stream)
    assert found == pytest.approx([(8 * whole + seen) / 24 for whole in range(3) for seen in (0, 3, 6)])
    assert (stream.epochs, stream.position) == (1.0, BatchCursor(epoch=1))
    assert small_first(numbers, BatchCursor()).upcoming_epochs(4) == found[:4]
    for share, batch in ((0.0, 0), (0.3, 3), (0.6, 6), (0.9, 9)):
        stream = small_first(numbers, BatchCursor())
        stream.seek(share)
        assert stream.position == (BatchCursor(batch=batch) if batch < 9 else BatchCursor(epoch=1))
