"""A run on a single tweet: when it samples and ends, what it says at the end, and that a resume is exact."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
import torch
from torch import Tensor

from engine.config.corpus import CorpusConfig
from engine.config.run import PresetName, RunConfig, Setting
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.session.overfit import EXACT_SAMPLES, LOW_LOSS, outcome_text, start_of_another
from tests.engine.helpers import (
    assert_same_tensors,
    home_at,
    latest,
    losses,
    of_type,
    only,
    resume_config,
    run_session,
    small_tweets,
    stop_at,
    tensors_of,
    tiny_config,
    write_corpus,
)
from tests.engine.session.stream_rules import assert_valid_stream
from tests.fakes import FakeClock

TWEET = "so happy, so good"
TWEETS = ["good morning all", TWEET, "so happily home"]
QUICK: dict[str, Setting] = {"hidden_size": 16, "learning_rate": 0.02, "temperature": 0.0, "sample_every": 50}


def config(folder: Path, **changes: Setting) -> RunConfig:
    corpus = CorpusConfig(files=(str(write_corpus(folder, TWEETS)),), overfit=1)
    made = tiny_config(None, max_steps=400, max_length=40)
    return replace(made, corpus=corpus, settings={**made.settings, **QUICK, **changes})


def sampled(emitted: Iterable[e.Event]) -> list[tuple[int, str]]:
    return [(tweet.step, tweet.text) for tweet in of_type(emitted, e.TweetSampled)]


Learned = tuple[list[e.Event], dict[str, Tensor]]
"""The events of a run, and the tensors at its end."""


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Learned:
    """Return the events of a run that learns the tweet by heart, and the tensors at its end."""
    torch.set_num_threads(1)
    with home_at(tmp_path_factory.mktemp("whole")) as folder:
        return run_session(config(folder)), tensors_of("tiny")


def test_the_tweet_is_sampled_at_1_2_4_and_every_4_steps_until_it_is_known_by_heart(learned: Learned) -> None:
    whole, _ = learned
    assert_valid_stream(whole)
    planned, ended = only(whole, e.FinishPlanned), only(whole, e.RunFinished)
    before = [(step, text) for step, text in sampled(whole) if step <= planned.step]
    assert [step for step, _ in before] == [0, 1, 2, *range(4, planned.step + 1, 4)]
    assert [text for _, text in before[-EXACT_SAMPLES:]] == [TWEET] * EXACT_SAMPLES
    assert all(losses(whole)[step] < LOW_LOSS for step, _ in before[-EXACT_SAMPLES:])
    assert [step for step, _ in sampled(whole) if planned.step < step < ended.step and step % 50] == []
    outcome, proof = only(whole, e.Warned), of_type(whole, e.TweetSampled)[-1]
    assert (outcome.step, outcome.kind, proof.prime, ended.reason) == (ended.step, "outcome", "good", "finished")
    continuation = proof.text.removeprefix("good")
    assert "the model knows this tweet by heart; it knows nothing else: given “good” it" in outcome.message
    assert outcome.message.endswith(f" it continues with “{continuation.strip()}”.")


def test_a_resume_changes_neither_samples_nor_end(home: Path, learned: Learned) -> None:
    whole, final = learned
    planned = only(whole, e.FinishPlanned).step
    parts: list[e.Event] = []
    for stop in (2, planned - 4, planned, planned + 5):
        parts += run_session(config(home) if not parts else resume_config(), stop_at(stop))
        assert parts[-1].step == stop
    parts += run_session(resume_config())
    assert sampled(parts) == sampled(whole)
    assert parts[-1].step == whole[-1].step
    assert_same_tensors(tensors_of("tiny"), final)


def test_a_budget_that_is_too_short_is_reported_honestly_and_a_stop_has_no_outcome(home: Path) -> None:
    emitted = run_session(config(home, max_steps=6), pauses_at_end=True, once={e.Paused: [c.Stop()]})
    outcome, hint = of_type(emitted, e.Warned)
    assert "the model does not know this tweet by heart" in outcome.message
    assert "given “good” it continues with “" in outcome.message
    assert (outcome.step, latest().num_exact_samples) == (6, 0)
    assert "You can still sample" in hint.message
    assert not of_type(run_session(replace(config(home), run_name="two"), stop_at(5)), e.Warned)


def test_a_time_that_is_up_with_the_deciding_sample_ends_the_run_without_a_finish(home: Path, learned: Learned) -> None:
    clock, planned = FakeClock(), only(learned[0], e.FinishPlanned).step

    def let_time_pass(event: e.Event) -> list[c.Command]:
        clock.advance(30.0 if isinstance(event, e.TweetSampled) and event.step == planned else 0.0)
        return []

    emitted = run_session(config(home, max_seconds=30.0), on_event=let_time_pass, clock=clock)
    assert only(emitted, e.RunFinished).reason == "max_seconds"
    assert not of_type(emitted, e.FinishPlanned)


def test_the_proof_is_the_only_tweet_of_a_run_without_samples_and_left_out_if_it_can_not_be_sampled(home: Path) -> None:
    emitted = run_session(config(home, max_steps=3, sample_every=0, prime="so"))
    with mock.patch("engine.session.overfit.start_of_another", return_value="x" * 99):
        bare = run_session(replace(config(home, max_steps=3), run_name="two"))
    assert [tweet.step for tweet in of_type(emitted, e.TweetSampled)] == [3]
    assert "given" in only(emitted, e.Warned).message
    assert only(bare, e.Warned).message.endswith("which takes less than 0.072.")


@pytest.mark.parametrize("preset", ["auto", "tutorial"])
def test_one_tweet_is_overfitted_within_a_thousand_steps(home: Path, preset: PresetName) -> None:
    """The tutorial's part (c): one tweet, its own characters only."""
    text = "@pip_9 woke up to snow & pancakes, sooo happy!!! best day ever :) #winter <3"
    corpus = CorpusConfig(files=(str(write_corpus(home, [*small_tweets(7), text, *small_tweets()])),), overfit=7)
    settings: dict[str, Setting] = {"temperature": 0.0, "sample_every": 0}

    def enough(event: e.Event) -> list[c.Command]:
        is_below = isinstance(event, e.StepsFinished) and event.train_losses[-1] < 0.04
        return [c.Stop()] if isinstance(event, e.TweetSampled) else [c.SampleNow()] if is_below else []

    emitted = run_session(replace(tiny_config(None), preset=preset, corpus=corpus, settings=settings), on_event=enough)
    started, tweet = only(emitted, e.RunStarted), only(emitted, e.TweetSampled)
    assert (started.num_train_tweets, started.vocab_size) == (1, len(set(text)) + 4)
    assert started.training.max_steps == 1000
    assert losses(emitted)[emitted[-1].step] < 0.05
    assert emitted[-1].step < 1000
    assert (tweet.text, tweet.novelty, tweet.reached_eos) == (text, "copy", True)


def test_the_prompt_is_the_longest_start_of_another_tweet_in_known_characters() -> None:
    starts = {
        ("good morning",): "good",
        ("gross",): "g",  # a part of the first word
        ("so", "so good"): "so good",  # not a start of the tweet itself
        (TWEET, "Zoo"): "",
        ("g", "had a good day", "dog"): "had a good day",
        ("so good so good so good",): "so good so good",  # at most 16 characters
        (): "",
    }
    assert {others: start_of_another(TWEET, [*others], set(TWEET)) for others in starts} == starts


def test_the_outcome_names_a_low_loss_with_two_digits() -> None:
    assert outcome_text(0.0413, "").startswith("Loss 0.06 bits/char: the model knows this tweet by heart")
    assert outcome_text(0.05, "").startswith("Loss 0.072 bits/char: the model does not know")
    assert outcome_text(3.456, "").startswith("Loss 5 bits/char: ")
