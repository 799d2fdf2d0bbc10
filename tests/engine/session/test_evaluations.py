"""Evaluations: before the first regular one at powers of two, on some of the tweets; and those that are not finite."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from engine.checkpoints.metadata import CheckpointInfo
from engine.config.run import TrainingConfig
from engine.corpus.encoded_tweets import EncodedTweets
from engine.model.gru import TextGenerator
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.session import memory_fallback
from engine.storage.folders import find_run, named_checkpoint_path
from engine.training import schedule
from engine.training.evaluation import Evaluation, evaluate
from engine.training.schedule import is_early_evaluation, next_evaluation
from tests.engine.helpers import latest, losses, of_type, resume_config, run_session, stop_at, tiny_config
from tests.engine.session.ranks.shared_runs import run_shared
from tests.engine.session.stream_rules import assert_valid_stream

EARLY: dict[str, Any] = {"eval_every": 20, "early_eval_tweets": 3, "max_steps": 26}
ALL = [(4, True), (8, True), (16, True), (20, False), (26, False)]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the first early evaluation be that of step 4."""
    monkeypatch.setattr(schedule, "_FIRST_EARLY_EVALUATION", 4)


def evaluations(emitted: Iterable[e.Event]) -> list[tuple[int, bool]]:
    """Return the steps of the evaluations, and whether each is early."""
    return [(event.step, event.is_early) for event in of_type(emitted, e.EvalFinished)]


def test_powers_of_two_below_the_interval_have_an_early_evaluation_that_changes_no_loss_and_is_the_same_on_ranks(
    corpus: Path,
) -> None:
    emitted = run_session(tiny_config(corpus, **EARLY))
    shared = run_shared(tiny_config(corpus, run_name="shared", **EARLY))

    assert evaluations(emitted) == evaluations(shared) == ALL
    assert losses(emitted) == losses(run_session(tiny_config(corpus, run_name="without", max_steps=26)))
    bits = [[event.bits_per_char for event in of_type(each, e.EvalFinished)] for each in (emitted, shared)]
    assert bits[1] == pytest.approx(bits[0], abs=1e-4)


def test_a_run_that_is_resumed_anywhere_neither_repeats_nor_skips_one_and_none_is_the_best(corpus: Path) -> None:
    config, emitted = tiny_config(corpus, **EARLY), list[e.Event]()
    for stop in (4, 5, 8, 15, 16, 20):
        emitted += run_session(config, stop_at(stop))
        config = resume_config()
        if stop == 15:
            assert not find_run("tiny").checkpoint_path("best").exists()
            assert (latest().last_eval_step, latest().is_eval_early, latest().best_bits_per_char) == (8, True, None)
    emitted += run_session(config)

    whole = of_type(run_session(tiny_config(corpus, run_name="whole", **EARLY)), e.EvalFinished)
    assert of_type(emitted, e.EvalFinished) == whole
    assert [event.is_best for event in whole[:4]] == [False, False, False, True]


@given(step=st.integers(0, 200), eval_every=st.integers(1, 150), early_eval_tweets=st.integers(0, 1))
def test_the_next_evaluation_is_the_first_step_that_has_one(step: int, eval_every: int, early_eval_tweets: int) -> None:
    training = TrainingConfig(eval_every=eval_every, early_eval_tweets=early_eval_tweets)

    def has_evaluation(step: int) -> bool:
        return is_early_evaluation(training, step) or (step > 0 and step % eval_every == 0)

    assert next_evaluation(training, step) == next(number for number in range(step, 400) if has_evaluation(number))


# Figures that are not finite ------------------------------------------------------------------------------------------


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


def test_a_model_that_is_not_finite_reports_only_finite_numbers_and_reloads_its_best(corpus: Path) -> None:
    run_session(tiny_config(corpus, run_name="source"), {2: [c.SaveCheckpoint(name="sound"), c.Stop()]})
    sound = load_checkpoint(named_checkpoint_path("sound"))
    poisoned = {name: tensor.clone() for name, tensor in sound.tensors.items()}
    poisoned["model.proj.weight"].fill_(3e38)  # near the largest float32: products with it overflow
    save_checkpoint(named_checkpoint_path("poison"), sound.info, poisoned)
    sent: list[c.Command] = [c.LoadCheckpoint(name="poison"), c.SampleNow(), c.SampleLadder(seed=1)]

    emitted = run_session(tiny_config(corpus, max_steps=30, sample_every=3, eval_every=3), {5: sent})

    assert isinstance(emitted[-1], e.RunFinished)
    assert "tiny/best" in [event.name for event in of_type(emitted, e.CheckpointLoaded)]
    assert {event.command for event in of_type(emitted, e.CommandRefused)} == {"SampleNow", "SampleLadder"}
    assert max(event.step for event in of_type(emitted, e.EvalFinished)) == 30
    assert_valid_stream(emitted)


def test_a_checkpoint_has_the_step_of_its_evaluation_and_no_figure_if_that_was_not_finite(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    infos: list[CheckpointInfo] = []
    not_finite = Evaluation(total_nats=math.nan, num_tweets=1, num_chars=1, num_unknown_chars=0)

    def look(event: e.Event) -> Iterable[c.Command]:
        if isinstance(event, e.CheckpointSaved):
            infos.append(load_checkpoint(Path(event.path)).info)
        if isinstance(event, e.EvalFinished):
            monkeypatch.setattr(memory_fallback, "evaluate", lambda *_: not_finite)
        return ()

    save = c.SaveLatest()
    run_session(tiny_config(corpus, eval_every=4, max_steps=9), {5: [save], 8: [c.Pause(), save, c.Resume()]}, look)

    figures = [(info.step, info.bits_per_char is not None, info.is_evaluation_stale) for info in infos]
    assert figures == [(0, False, False), (4, True, False), (5, True, True), (8, True, True), (9, False, False)]
