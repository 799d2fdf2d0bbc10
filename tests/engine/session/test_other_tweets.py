"""A run from a checkpoint that was trained on other tweets: its steps count on, figures and clock start empty."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.checkpoints.metadata import CheckpointInfo
from engine.protocol import commands as c
from engine.protocol import events as e
from tests.engine.helpers import (
    TickingClock,
    of_type,
    only,
    resume_config,
    run_session,
    small_tweets,
    stop_at,
    tiny_config,
    write_corpus,
)
from tests.engine.session.saved_runs import branch_config, info_of
from tests.engine.session.stream_rules import assert_valid_stream

EVALUATED: dict[str, Any] = {"eval_every": 6, "sample_every": 6}


@pytest.fixture
def old(corpus: Path) -> CheckpointInfo:
    """Train `tiny` for 13 steps; its last evaluation and tweet are those of step 12."""
    run_session(tiny_config(corpus, max_steps=10**6, **EVALUATED), stop_at(13), clock=TickingClock(0.01))
    info = info_of("tiny")
    assert (info.last_eval_step, info.last_sample_step) == (12, 12)
    assert info.elapsed_seconds > 0
    return info


@pytest.fixture
def others(home: Path, old: CheckpointInfo) -> Path:
    """Write tweets that the model of `old` predicts far worse than its own."""
    return write_corpus(home, [tweet[::-1].upper() for tweet in small_tweets()], "others.txt")


def test_the_first_evaluation_of_a_new_run_on_other_tweets_is_its_best_and_saved(
    old: CheckpointInfo, others: Path
) -> None:
    assert old.best_bits_per_char is not None
    emitted = run_session(branch_config(others, "new"), stop_at(19))

    first, *_ = of_type(emitted, e.EvalFinished)
    assert first.bits_per_char > old.best_bits_per_char
    assert first.is_best
    assert info_of("new", "best").best_bits_per_char is not None
    assert_valid_stream(emitted)


def test_a_new_run_on_other_tweets_has_no_figures_clock_and_characters_of_the_old_ones_but_its_steps(
    old: CheckpointInfo, others: Path
) -> None:
    emitted = run_session(branch_config(others, "new"), stop_at(13))

    started = only(emitted, e.RunStarted)
    assert (started.step, started.elapsed_seconds) == (13, 0)
    info = info_of("new")
    assert (info.step, info.total_chars, info.train_loss, info.bits_per_char) == (13, 0, None, None)


def test_a_new_run_on_other_tweets_has_all_of_its_seconds(old: CheckpointInfo, others: Path) -> None:
    config = branch_config(others, "new", max_seconds=old.elapsed_seconds, eval_every=0, sample_every=0)

    emitted = run_session(config, clock=TickingClock(0.01))

    assert only(emitted, e.RunFinished).reason == "max_seconds"
    assert emitted[-1].step > 14


def test_the_steps_of_the_old_tweets_count_towards_a_budget_in_steps(old: CheckpointInfo, others: Path) -> None:
    failed = only(run_session(branch_config(others, "new", max_steps=13)), e.RunFailed)
    assert failed.detail == "The run has taken 13 steps already; it would end at once, by --max-steps 13."


def test_a_new_run_on_the_same_tweets_continues_figures_and_clock(old: CheckpointInfo) -> None:
    emitted = run_session(branch_config(None, "new"), stop_at(13))

    assert only(emitted, e.RunStarted).elapsed_seconds == old.elapsed_seconds
    assert not of_type(emitted, e.EvalFinished)
    info = info_of("new")
    assert (info.total_chars, info.bits_per_char) == (old.total_chars, old.bits_per_char)
    assert info.best_bits_per_char == old.best_bits_per_char


def test_a_resume_on_changed_tweets_keeps_its_clock_and_compares_evaluations_of_these_tweets_only(
    old: CheckpointInfo, corpus: Path
) -> None:
    write_corpus(corpus.parent, [tweet[::-1].upper() for tweet in small_tweets()])

    emitted = run_session(resume_config("tiny"), stop_at(19))

    assert only(emitted, e.RunStarted).elapsed_seconds == old.elapsed_seconds
    assert of_type(emitted, e.EvalFinished)[0].is_best
    assert info_of("tiny").total_chars > old.total_chars


def test_a_load_of_a_checkpoint_of_other_tweets_brings_none_of_its_figures(old: CheckpointInfo, corpus: Path) -> None:
    fewer = write_corpus(corpus.parent, small_tweets()[:40], "fewer.txt")
    script: dict[int, list[c.Command]] = {15: [c.LoadCheckpoint(name="tiny/latest"), c.Stop()]}

    emitted = run_session(branch_config(fewer, "new"), script)

    loaded = only(emitted, e.CheckpointLoaded)
    assert (loaded.step, loaded.bits_per_char) == (13, None)
    assert (info_of("new").step, info_of("new").bits_per_char) == (13, None)
