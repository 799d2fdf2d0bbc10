"""A run that is stopped anywhere and resumed equals an uninterrupted one bit for bit."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from msgspec import structs
from torch import Tensor

from engine.compute import device
from engine.config.run import RunConfig, Setting
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.storage.folders import find_run
from engine.storage.journal import read_journal
from engine.training import schedule
from tests.engine import helpers as h
from tests.fakes import budget, change

LAST_STEP = 26
EPOCH_STEPS = 5  # 48 tweets to train on, 10 in a batch
BOTH_DUE = 12  # a tweet and an evaluation
DEMANDING: dict[str, Setting] = {
    "num_layers": 2,
    "dropout": 0.3,
    "ngram_order": 4,
    "weight_decay": 0.1,
    "ngram_decay": 0.5,
    "max_grad_norm": 0.5,
    "average_lag": 0.2,
    "schedule": "cosine",
    "warmup_steps": 3,
    "batch_size": 10,
    "max_steps": LAST_STEP,
    "sample_every": 4,
    "eval_every": 6,
    "avoid": ("e", "the"),
    "best_of": 2,
    "min_p": 0.02,
    "temperature_last": True,
}


@pytest.fixture(autouse=True)
def _early_evaluations_begin_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "_FIRST_EARLY_EVALUATION", 4)


Facts = tuple[list[e.Event], dict[str, Tensor]]
"""The outcome of a run: steps, one per event, tweets and evaluations, without times; and all tensors at the end."""


def facts(emitted: Iterable[e.Event]) -> Facts:
    """Return the outcome of a run, possibly of several parts."""
    found: list[e.Event] = []
    for event in emitted:
        match event:
            case e.StepsFinished():
                found.append(structs.replace(event, elapsed_seconds=0.0, chars_per_second=0.0))
            case e.TweetSampled() | e.EvalFinished():
                found.append(structs.replace(event, elapsed_seconds=0.0))
    found.sort(key=lambda event: (event.step, type(event).__name__))  # an evaluation at the end comes earlier
    return found, h.tensors_of("tiny")


def assert_same(found: Facts, expected: Facts, after_step: int = -1) -> None:
    """Assert that all after a step, and the final tensors, are equal bit for bit."""
    assert found[0] == [event for event in expected[0] if event.step > after_step]
    h.assert_same_tensors(found[1], expected[1])


def demanding(folder: Path, *, precision: Any = "float32", **changes: Setting) -> RunConfig:
    config = h.tiny_config(h.write_corpus(folder), **{**DEMANDING, **changes})
    return replace(config, runtime=replace(config.runtime, precision=precision))


STEERED: h.Script = {
    3: [change(batch_size=7)],
    7: [change(learning_rate=0.02), change(temperature=1.5, max_length=20)],
    8: [change(eval_every=5, sample_every=2)],
    11: [change(batch_size=20), change(eval_every=4, sample_every=3)],
    14: [budget(max_steps=60, epochs=4.9)],
    17: [change(learning_rate=0.01), change(batch_size=10)],
}
RUNS: dict[str, tuple[dict[str, Setting], h.Script]] = {
    "demanding": ({}, {}),
    "early tweets, evaluations and small batches": (
        {
            "sample_every": 12,
            "sample_pacing": "doubling",
            "eval_every": 20,
            "early_eval_tweets": 3,
            "first_batch_size": 4,
        },
        {},
    ),
    "steered": ({}, STEERED),
    "finishing": ({"max_steps": 10**6, "schedule": "constant"}, {10: [c.Finish()]}),
    "bfloat16": ({"precision": "bfloat16", "max_steps": 14}, {}),
}
"""Settings and script of each run."""


@functools.cache
def uninterrupted(run: str) -> Facts:
    """Return the outcome of a run that never stopped."""
    settings, script = RUNS[run]
    with h.own_home() as folder:
        return facts(h.run_session(demanding(folder, **settings), script))


def run_in_parts(folder: Path, run: str, stops: Iterable[int]) -> list[e.Event]:
    """Run to the end, stopped and resumed after each of these steps, behind the commands of that step."""
    settings, script = RUNS[run]
    config, emitted, left = demanding(folder, **settings), list[e.Event](), dict(script)
    for stop in stops:
        torch.manual_seed(9999)  # the resumed process has another generator state
        own: dict[int, h.Sent] = {step: left.pop(step) for step in sorted(left) if step <= stop}
        own[stop] = [*own.get(stop, []), c.Stop()]
        part = h.run_session(config, own)
        assert part[-1].step == stop
        emitted += part
        config = h.resume_config("last")
    return emitted + h.run_session(config, left)


@pytest.mark.parametrize(
    ("run", "stops"),
    [
        ("demanding", [0, EPOCH_STEPS, BOTH_DUE, LAST_STEP - 1]),
        ("early tweets, evaluations and small batches", [0, 1, 3, 4, 8, 15, 20]),
        ("steered", [3, 8, 17]),
        ("finishing", [10, 17]),
    ],
)
def test_a_stopped_and_resumed_run_equals_an_uninterrupted_one(home: Path, run: str, stops: list[int]) -> None:
    assert_same(facts(run_in_parts(home, run, stops)), uninterrupted(run))


def test_the_runs_above_have_tweets_evaluations_and_ends_to_repeat_or_to_skip() -> None:
    early, _ = uninterrupted("early tweets, evaluations and small batches")
    assert [event.step for event in h.of_type(early, e.TweetSampled)] == [0, 1, 2, 4, 8, 12, 24]
    assert [event.step for event in h.of_type(early, e.EvalFinished)] == [4, 8, 16, 20, 26]
    assert [uninterrupted(run)[0][-1].step for run in ("steered", "finishing")] == [24, 30]


def test_a_stop_between_a_sample_and_an_evaluation_of_one_step_repeats_neither(home: Path) -> None:
    after_the_tweet = h.whenever(e.TweetSampled, lambda tweet: [c.Stop()] if tweet.step == BOTH_DUE else [])
    first = h.run_session(demanding(home), on_event=after_the_tweet)
    assert not [event for event in h.of_type(first, e.EvalFinished) if event.step == BOTH_DUE]
    assert_same(facts(first + h.run_session(h.resume_config())), uninterrupted("demanding"))


def test_the_best_evaluation_before_a_stop_is_still_the_best_after_a_resume(home: Path) -> None:
    h.run_session(demanding(home, schedule="constant"), {14: [change(learning_rate=9), c.Stop()]})
    first = h.of_type(h.run_session(h.resume_config()), e.EvalFinished)[0]
    assert (first.step, first.is_best) == (18, False)
    assert h.info_of("tiny", "best").step == 12


def test_a_run_in_bfloat16_resumes_bit_for_bit(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "cpu_has_bfloat16", lambda: True)  # whatever this CPU has
    first = h.run_session(demanding(home, precision="bfloat16", max_steps=14), h.stop_at(7))
    second = h.run_session(replace(h.resume_config(), runtime=replace(h.resume_config().runtime, precision="auto")))
    assert h.only(second, e.RunStarted).precision == "bfloat16"
    assert_same(facts(first + second), uninterrupted("bfloat16"))


def test_a_killed_run_resumes_from_its_last_checkpoint_bit_for_bit(home: Path, tmp_path: Path) -> None:
    """The files at that moment are what a kill leaves."""
    kill: h.Script = {17: [lambda: shutil.copytree(home / "runs", tmp_path / "killed" / "runs")]}
    h.run_session(demanding(home, autosave_seconds=35.0), kill, seconds={e.StepsFinished: 5.0})
    with h.home_at(tmp_path / "killed"):
        journal_path = find_run("last").journal_path
        with journal_path.open("ab") as journal:
            journal.write(b'{"event":"StepsFinished","step":18,"ela')  # torn by the kill
        assert h.latest().step == 14
        emitted = h.run_session(h.resume_config("last"))
        assert h.only(emitted, e.RunStarted).step == 14
        assert_same(facts(emitted), uninterrupted("demanding"), after_step=14)
        journalled = list(read_journal(journal_path))
        assert journalled[-len(emitted) :] == emitted
        steps = [event.step for event in h.of_type(journalled, e.StepsFinished)]
        assert steps == [*range(1, 18), *range(15, LAST_STEP + 1)]
