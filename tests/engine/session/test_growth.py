"""A checkpoint whose vocabulary lacks characters of the tweets continues with rows of their own for them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.config.run import RunConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from tests.engine.helpers import (
    assert_same_tensors,
    latest,
    losses,
    of_type,
    only,
    resume_config,
    run_session,
    small_tweets,
    stop_at,
    tiny_config,
    write_corpus,
)
from tests.engine.session.ranks.shared_runs import run_shared
from tests.engine.session.saved_runs import branch_config, info_of, tensors_of

LAST_STEP = 9


@pytest.fixture
def old(corpus: Path) -> tuple[str, ...]:
    """Train `tiny` on tweets for three steps; return its vocabulary."""
    run_session(tiny_config(corpus, average_lag=0.2, dropout=0.2, ngram_order=4), stop_at(3))
    return latest().vocab


@pytest.fixture
def loud(home: Path, old: tuple[str, ...]) -> Path:
    """Write other tweets, with characters that `old` lacks in each of them."""
    assert not set("ЖÉ零") & set(old)
    return write_corpus(home, [f"{tweet.upper()} ЖÉ零" for tweet in small_tweets()], "loud.txt")


def onto(corpus: Path, run_name: str = "grown") -> RunConfig:
    """Return the config that continues from `tiny` on other tweets."""
    return branch_config(corpus, run_name, max_steps=LAST_STEP)


def test_characters_that_the_vocabulary_lacks_follow_its_own_and_are_reported(old: tuple[str, ...], loud: Path) -> None:
    emitted = run_session(onto(loud))

    vocab = info_of("grown").vocab
    added = vocab[len(old) :]
    assert vocab[: len(old)] == old
    assert set(added) == set(loud.read_text(encoding="utf-8")) - {"\n"} - set(old)
    assert only(emitted, e.RunStarted).vocab_size == 4 + len(vocab)
    [message] = [event.message for event in of_type(emitted, e.Warned) if "vocabulary" in event.message]
    assert message.startswith(f"The vocabulary grew by {len(added)} characters: ")
    assert emitted[-1].step == LAST_STEP


def test_what_is_reported_is_harmless_and_bounded(home: Path, old: tuple[str, ...]) -> None:
    letters = [chr(0x4E00 + number) for number in range(30)]
    joined = "e\N{COMBINING TILDE}\N{ZERO WIDTH JOINER}e "
    tweets = [f"{joined}{letters[number % 30]} {tweet}" for number, tweet in enumerate(small_tweets())]
    emitted = run_session(onto(write_corpus(home, tweets, "loud.txt")))

    [message] = [event.message for event in of_type(emitted, e.Warned) if "vocabulary" in event.message]
    num_added = len(info_of("grown").vocab) - len(old)
    assert num_added > 20
    assert message.endswith(f" and {num_added - 20} more.")
    assert "U+200D" in message
    assert message.isprintable()


def test_rows_of_the_old_characters_are_those_of_the_checkpoint(old: tuple[str, ...], loud: Path) -> None:
    run_session(replace(onto(loud), settings={"max_steps": LAST_STEP, "learning_rate": 1e-8}))

    before, after = tensors_of("tiny"), tensors_of("grown")
    for name in ("embed.weight", "proj.weight", "proj.bias"):
        known = after[f"model.{name}"][: 4 + len(old)]
        torch.testing.assert_close(known, before[f"model.{name}"], atol=1e-6, rtol=0)


def test_a_run_whose_vocabulary_grew_repeats_and_resumes_bit_for_bit(old: tuple[str, ...], loud: Path) -> None:
    whole = run_session(onto(loud))
    again = run_session(onto(loud, "again"))
    run_session(onto(loud, "parts"), stop_at(6))
    rest = run_session(resume_config("parts"))

    assert losses(again) == losses(whole)
    assert losses(rest) == {step: loss for step, loss in losses(whole).items() if step > 6}
    assert of_type(rest, e.Warned) == []
    assert_same_tensors(tensors_of("parts"), tensors_of("grown"))


def test_resuming_a_run_whose_tweets_have_new_characters_grows_its_vocabulary(
    corpus: Path, old: tuple[str, ...]
) -> None:
    write_corpus(corpus.parent, [*small_tweets(), *(f"{tweet} Ж" for tweet in small_tweets()[:20])])
    emitted = run_session(resume_config(max_steps=LAST_STEP))

    messages = [event.message for event in of_type(emitted, e.Warned)]
    assert "The vocabulary grew by 1 character: Ж." in messages
    assert latest().vocab == (*old, "Ж")


def test_an_earlier_checkpoint_of_a_run_whose_vocabulary_grew_can_be_loaded(
    corpus: Path, old: tuple[str, ...], loud: Path
) -> None:
    emitted = run_session(onto(loud), {5: [c.LoadCheckpoint(name="tiny/latest")]})

    place = emitted.index(only(emitted, e.CheckpointLoaded))
    assert losses(emitted[place:]) == losses(emitted[:place]) | losses(emitted[place:])


def test_without_new_characters_nothing_is_said_and_the_vocabulary_is_the_same(
    home: Path, old: tuple[str, ...]
) -> None:
    emitted = run_session(onto(write_corpus(home, small_tweets()[:40], "fewer.txt")))

    assert of_type(emitted, e.Warned) == []
    assert info_of("grown").vocab == old


def test_ranks_grow_the_vocabulary_alike(corpus: Path, home: Path) -> None:
    run_session(tiny_config(corpus), stop_at(3))
    loud = write_corpus(home, [tweet.upper() for tweet in small_tweets()], "loud.txt")
    alone = run_session(onto(loud, "alone"))
    shared = run_shared(onto(loud))

    assert only(shared, e.RunStarted).vocab_size == only(alone, e.RunStarted).vocab_size > 4 + len(latest().vocab)
    assert losses(shared) == pytest.approx(losses(alone), abs=1e-5)
