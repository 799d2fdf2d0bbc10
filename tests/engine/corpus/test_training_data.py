"""The training data of a run: its files, its vocabulary, the weights and the progress."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.config.corpus import CorpusConfig
from engine.config.run import PresetName, RunConfig
from engine.corpus.training_data import (
    KnownVocab,
    TrainingData,
    corpus_config_of,
    load_training_data,
    min_char_count_for,
)
from engine.errors import CorpusError
from engine.protocol.stage import Stage
from tests.engine.checkpoints.saved import checkpoint_info
from tests.engine.helpers import small_tweets, write_corpus


def loaded(*files: Path, known: KnownVocab | None = None, **options: Any) -> TrainingData:
    config = CorpusConfig(files=tuple(map(str, files)), **{"min_char_count": 1, **options})
    return load_training_data(config, known, lambda _: None)


# Files ----------------------------------------------------------------------------------------------------------------


def test_a_run_uses_its_own_files_or_else_those_of_its_checkpoint(tmp_path: Path) -> None:
    assert corpus_config_of(RunConfig(), checkpoint_info().corpus) == checkpoint_info().corpus
    wanted = CorpusConfig(files=(str(tmp_path / "a.txt"),))
    assert corpus_config_of(RunConfig(corpus=wanted), checkpoint_info().corpus).files == wanted.files


def test_paths_are_absolute_so_that_a_run_can_be_resumed_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    config = corpus_config_of(RunConfig(corpus=CorpusConfig(files=("a.txt", "~/b.txt"))), None)
    assert config.files == (str(tmp_path / "a.txt"), str(tmp_path / "me" / "b.txt"))


def test_a_character_that_occurs_once_becomes_unk_unless_every_character_is_kept() -> None:
    cases: tuple[tuple[PresetName, CorpusConfig, int], ...] = (
        ("auto", CorpusConfig(), 2),
        ("auto", CorpusConfig(min_char_count=5), 5),
        ("tutorial", CorpusConfig(), 1),
        ("auto", CorpusConfig(overfit=3), 1),
    )
    for preset, corpus, expected in cases:
        assert corpus_config_of(RunConfig(corpus=corpus, preset=preset), None).min_char_count == expected


def test_the_larger_the_corpus_the_more_often_a_character_has_to_occur() -> None:
    for num_chars, least in ((10_000, 2), (2_000_000, 6), (3_400_000, 10), (10**9, 10)):
        assert min_char_count_for(CorpusConfig(min_char_count=2), num_chars) == least
    for least in (20, 1):
        assert min_char_count_for(CorpusConfig(min_char_count=least), 10**9) == least


# The vocabulary -------------------------------------------------------------------------------------------------------


def test_the_vocabulary_is_that_of_the_training_tweets_without_rare_characters(tmp_path: Path) -> None:
    training_data = loaded(write_corpus(tmp_path))
    assert set(training_data.vocab.chars) == set("".join(training_data.corpus.train))
    assert training_data.train_tweets.num_unknown_chars == 0
    assert len(training_data.train_tweets) == len(training_data.corpus.train)
    rare = "零一二三四五六七八九"
    tweets = [f"{tweet} {rare[number % 10] if number < 10 else ''}" for number, tweet in enumerate(small_tweets(60))]
    training_data = loaded(write_corpus(tmp_path, tweets), min_char_count=2)
    assert not set(rare) & set(training_data.vocab.chars)
    num_rare = sum(char in rare for char in "".join(training_data.corpus.train))
    assert training_data.train_tweets.num_unknown_chars == num_rare > 0


def test_a_known_vocabulary_is_used_unchanged_if_it_has_every_character(tmp_path: Path) -> None:
    known = KnownVocab(chars=loaded(write_corpus(tmp_path)).vocab.chars)
    again = loaded(write_corpus(tmp_path, small_tweets(40), "less.txt"), known=known)
    assert again.vocab.chars == known.chars
    assert again.uses_known_vocab


def test_characters_that_a_known_vocabulary_lacks_are_added_unless_they_are_rare(tmp_path: Path) -> None:
    tweets = [f"{tweet} ☃{'零' if number == 20 else ''}" for number, tweet in enumerate(small_tweets(60))]
    grown = loaded(write_corpus(tmp_path, tweets), known=KnownVocab(chars=("x", "y", "z")), min_char_count=2).vocab
    assert grown.chars[:3] == ("x", "y", "z")
    assert "☃" in grown.chars
    assert "零" not in grown.chars


def test_a_known_vocabulary_stays_as_it_is_on_the_tweets_that_its_model_was_trained_on(tmp_path: Path) -> None:
    file = write_corpus(tmp_path)
    known = KnownVocab(chars=("x", "y", "z"), trained_digest=loaded(file).corpus.digest)
    again = loaded(file, known=known)
    assert again.vocab.chars == known.chars
    assert again.train_tweets.num_unknown_chars > 0


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


# Weights --------------------------------------------------------------------------------------------------------------


def test_every_training_tweet_has_the_weight_of_its_file(tmp_path: Path) -> None:
    tweets = small_tweets(60)
    files = write_corpus(tmp_path, tweets[:40], "a.txt"), write_corpus(tmp_path, tweets[40:], "b.txt")
    training_data = loaded(*files, weight=(0.5, 3))
    assert training_data.weights is not None
    of_first = np.array([tweet in tweets[:40] for tweet in training_data.corpus.train])
    assert training_data.weights.tolist() == np.where(of_first, 0.5, 3.0).tolist()


def test_weights_that_leave_an_epoch_without_a_tweet_are_refused(tmp_path: Path) -> None:
    one, same = write_corpus(tmp_path, name="a.txt"), write_corpus(tmp_path, name="b.txt")
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
