"""Evaluations before the first regular one: at powers of two, on some of the validation tweets, and never the best."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.run import TrainingConfig
from engine.corpus.encoded_tweets import EncodedTweets
from engine.model.gru import TextGenerator
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.events import Event
from engine.session import memory_fallback
from engine.storage.folders import find_run
from engine.training import schedule
from engine.training.evaluation import Evaluation, evaluate
from engine.training.schedule import is_early_evaluation, next_evaluation
from tests.engine.helpers import (
    latest,
    losses,
    of_type,
    resume_config,
    run_session,
    stop_at,
    tiny_config,
)
from tests.engine.session.ranks.shared_runs import run_shared
from tests.engine.session.saved_runs import branch_config

EARLY: dict[str, Any] = {"eval_every": 20, "early_eval_tweets": 3, "max_steps": 26}


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the first early evaluation be that of step 4."""
    monkeypatch.setattr(schedule, "_FIRST_EARLY_EVALUATION", 4)


def evaluations(emitted: Iterable[Event]) -> list[tuple[int, bool]]:
    """Return the steps of the evaluations, and whether each is early."""
    return [(event.step, event.is_early) for event in of_type(emitted, e.EvalFinished)]


ALL = [(4, True), (8, True), (16, True), (20, False), (26, False)]


def test_steps_that_are_powers_of_two_below_the_interval_have_an_early_evaluation_that_changes_no_loss(
    corpus: Path,
) -> None:
    emitted = run_session(tiny_config(corpus, **EARLY))

    assert evaluations(emitted) == ALL
    assert losses(emitted) == losses(run_session(tiny_config(corpus, run_name="without", max_steps=26)))


def test_an_early_evaluation_is_never_the_best_and_the_first_regular_one_is(corpus: Path) -> None:
    emitted = run_session(tiny_config(corpus, **EARLY), stop_at(9))
    assert not any(event.is_best for event in of_type(emitted, e.EvalFinished))
    assert not find_run("tiny").checkpoint_path("best").exists()
    assert (latest().last_eval_step, latest().is_eval_early, latest().best_bits_per_char) == (8, True, None)

    regular = of_type(run_session(resume_config()), e.EvalFinished)[1]
    assert (regular.step, regular.is_best, regular.is_early) == (20, True, False)


@pytest.mark.parametrize("stops", [[4, 5], [8, 16], [15, 20]])
def test_a_resumed_run_neither_repeats_nor_skips_an_early_evaluation(corpus: Path, stops: list[int]) -> None:
    config, emitted = tiny_config(corpus, **EARLY), list[Event]()
    for stop in stops:
        emitted += run_session(config, stop_at(stop))
        config = resume_config()
    emitted += run_session(config)

    whole = of_type(run_session(tiny_config(corpus, run_name="whole", **EARLY)), e.EvalFinished)
    assert of_type(emitted, e.EvalFinished) == whole


def test_a_run_that_ends_at_an_early_evaluation_is_evaluated_on_all_tweets_once(corpus: Path) -> None:
    def on_event(event: Event) -> Iterable[c.Command]:
        return [c.SampleNow(), c.Stop()] if isinstance(event, e.Warned) and event.kind == "finished" else []

    run_session(tiny_config(corpus, save_every=8, **EARLY), stop_at(9))
    at_eight = branch_config(None, "new", "tiny/step-8", max_steps=8)
    assert evaluations(run_session(at_eight, on_event=on_event, pauses_at_end=True)) == [(8, False)]


def test_a_regular_evaluation_that_is_not_finite_is_not_repeated_at_the_end(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def infinite_on_all(model: TextGenerator, tweets: EncodedTweets, *options: Any) -> Evaluation:
        found = evaluate(model, tweets, *options)
        assert found is not None
        return found if len(tweets) <= EARLY["early_eval_tweets"] else replace(found, total_nats=math.inf)

    monkeypatch.setattr(memory_fallback, "evaluate", infinite_on_all)
    emitted = run_session(tiny_config(corpus, **EARLY | {"max_steps": 20}))

    assert evaluations(emitted) == ALL[:3]
    assert [event.step for event in of_type(emitted, e.Warned)] == [20]
    assert (latest().last_eval_step, latest().is_eval_early) == (20, False)


def test_an_interval_that_the_user_sets_has_no_early_evaluations(corpus: Path) -> None:
    emitted = run_session(tiny_config(corpus, **EARLY), {5: [c.SetIntervals(eval_every=10, sample_every=0)]})
    assert evaluations(emitted) == [(4, True), (10, False), (20, False), (26, False)]

    run_session(tiny_config(corpus, run_name="saved", **EARLY), stop_at(5))
    assert evaluations(run_session(resume_config("saved", eval_every=10))) == [(10, False), (20, False), (26, False)]


def test_ranks_have_the_same_early_evaluations(corpus: Path) -> None:
    alone, shared = (
        run_session(tiny_config(corpus, run_name="alone", **EARLY)),
        run_shared(tiny_config(corpus, **EARLY)),
    )
    assert evaluations(shared) == ALL
    bits = [[event.bits_per_char for event in of_type(each, e.EvalFinished)] for each in (alone, shared)]
    assert bits[1] == pytest.approx(bits[0], abs=1e-4)


@given(step=st.integers(0, 200), eval_every=st.integers(1, 150), early_eval_tweets=st.integers(0, 1))
def test_the_next_evaluation_is_the_first_step_that_has_one(step: int, eval_every: int, early_eval_tweets: int) -> None:
    training = TrainingConfig(eval_every=eval_every, early_eval_tweets=early_eval_tweets)

    def has_evaluation(step: int) -> bool:
        return is_early_evaluation(training, step) or (step > 0 and step % eval_every == 0)

    assert next_evaluation(training, step) == next(number for number in range(step, 400) if has_evaluation(number))
