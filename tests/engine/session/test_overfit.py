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
from engine.config.run import RunConfig, Setting
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
    stop_at,
    tiny_config,
    write_corpus,
)
from tests.engine.session.saved_runs import tensors_of
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


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[e.Event], dict[str, Tensor]]:
    """Return the events of a run that learns the tweet by heart, and the tensors at its end."""
    torch.set_num_threads(1)
    with home_at(tmp_path_factory.mktemp("whole")) as folder:
        emitted = run_session(config(folder))
        return emitted, tensors_of("tiny")


@pytest.fixture
def whole(learned: tuple[list[e.Event], dict[str, Tensor]]) -> list[e.Event]:
    """Return the events of that run."""
    return learned[0]


def test_the_tweet_is_sampled_at_1_2_4_and_every_4_steps_until_it_is_known_by_heart_which_ends_the_run(
    whole: list[e.Event],
) -> None:
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


def test_a_stop_and_a_resume_anywhere_change_neither_samples_nor_end(
    home: Path, learned: tuple[list[e.Event], dict[str, Tensor]]
) -> None:
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
    def stop_once_paused(event: e.Event) -> list[c.Command]:
        return [c.Stop()] if isinstance(event, e.Paused) else []

    emitted = run_session(config(home, max_steps=6), pauses_at_end=True, on_event=stop_once_paused)

    outcome, hint = of_type(emitted, e.Warned)
    assert "the model does not know this tweet by heart" in outcome.message
    assert "given “good” it continues with “" in outcome.message
    assert (outcome.step, latest().num_exact_samples) == (6, 0)
    assert "You can still sample" in hint.message
    assert not of_type(run_session(replace(config(home), run_name="two"), stop_at(5)), e.Warned)


def test_a_time_that_is_up_with_the_deciding_sample_ends_the_run_without_a_finish(
    home: Path, whole: list[e.Event]
) -> None:
    clock = FakeClock()

    def let_time_pass(event: e.Event) -> list[c.Command]:
        if isinstance(event, e.TweetSampled) and event.step == only(whole, e.FinishPlanned).step:
            clock.advance(30.0)
        return []

    emitted = run_session(config(home, max_seconds=30.0), on_event=let_time_pass, clock=clock)

    assert only(emitted, e.RunFinished).reason == "max_seconds"
    assert not of_type(emitted, e.FinishPlanned)


def test_the_proof_is_the_only_tweet_of_a_run_without_samples_and_left_out_where_it_can_not_be_sampled(
    home: Path,
) -> None:
    emitted = run_session(config(home, max_steps=3, sample_every=0, prime="so"))
    with mock.patch("engine.session.overfit.start_of_another", return_value="x" * 99):
        bare = run_session(replace(config(home, max_steps=3), run_name="two"))

    assert [tweet.step for tweet in of_type(emitted, e.TweetSampled)] == [3]
    assert "given" in only(emitted, e.Warned).message
    assert only(bare, e.Warned).message.endswith("which takes less than 0.072.")


STARTS = {
    "whole words": (["good morning"], "good"),
    "a part of the first word": (["gross"], "g"),
    "not a start of the tweet itself": (["so", "so good"], "so good"),
    "none": ([TWEET, "Zoo"], ""),
    "the longest": (["g", "had a good day", "dog"], "had a good day"),
    "at most 16 characters": (["so good so good so good"], "so good so good"),
    "no other tweet": ([], ""),
}


@pytest.mark.parametrize("case", STARTS)
def test_the_prompt_is_the_longest_start_of_another_tweet_in_known_characters(case: str) -> None:
    others, start = STARTS[case]
    assert start_of_another(TWEET, others, set(TWEET)) == start


def test_the_outcome_names_a_low_loss_with_two_digits() -> None:
    assert outcome_text(0.0413, "").startswith("Loss 0.06 bits/char: the model knows this tweet by heart")
    assert outcome_text(0.05, "").startswith("Loss 0.072 bits/char: the model does not know")
    assert outcome_text(3.456, "").startswith("Loss 5 bits/char: ")
