"""A run from its first event to its last: its start, its events, its files and its end."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from engine.checkpoints.checkpoint import load_checkpoint
from engine.checkpoints.metadata import read_info
from engine.config.corpus import CorpusConfig
from engine.config.run import PresetName, Setting
from engine.corpus.loading import load_corpus
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.events import Event
from engine.storage import step_buckets
from engine.storage.folders import find_run, list_runs
from engine.storage.journal_reader import read_journal
from tests.engine.helpers import (
    losses,
    of_type,
    only,
    run_session,
    small_tweets,
    tiny_config,
    write_corpus,
)

GREEDY: dict[str, Setting] = {"temperature": 0.0, "sample_every": 0}


def test_run_started_describes_corpus_device_and_config(corpus: Path) -> None:
    started = only(run_session(tiny_config(corpus, max_steps=1)), e.RunStarted)

    assert (started.step, started.run, started.corpus) == (0, "tiny", "small.txt")
    assert started.num_train_tweets + started.num_val_tweets == len(small_tweets())
    assert started.vocab_size == len(load_checkpoint(find_run("tiny").checkpoint_path("latest")).vocab)
    assert (started.device, started.precision, started.num_threads) == ("cpu", "float32", 1)
    assert (started.model.hidden_size, started.training.batch_size, started.sampling.max_length) == (8, 8, 20)
    assert started.resumed_from is None


def test_a_started_run_is_in_the_list_of_runs(corpus: Path) -> None:
    listed: list[str] = []

    def look(event: Event) -> tuple[c.Command, ...]:
        if isinstance(event, e.RunStarted):
            listed.extend(run.name for run in list_runs())
        return ()

    run_session(tiny_config(corpus, max_steps=1), on_event=look)

    assert listed == ["tiny"]


def test_losses_and_norms_have_the_fewest_digits_that_differ_from_no_other_float32(corpus: Path) -> None:
    reports = of_type(run_session(tiny_config(corpus, max_steps=30)), e.StepsFinished)

    numbers = [number for report in reports for number in (*report.train_losses, *report.grad_norms)]
    assert len(numbers) == 60
    assert all(repr(number) == str(np.float32(number)) for number in numbers)
    journal = find_run("tiny").journal_path.read_text(encoding="utf-8")
    assert all(e.to_json(report) in journal for report in reports)


@pytest.mark.parametrize("keep_every_step", [False, True])
def test_the_journal_of_a_run_has_all_events_and_all_steps_and_its_buckets_end_at_each_checkpoint(
    corpus: Path, keep_every_step: bool
) -> None:
    config = tiny_config(corpus, max_steps=300, keep_every_step=keep_every_step, sample_every=20, save_every=101)
    with mock.patch.object(step_buckets, "WHOLE_STEPS", 16):
        emitted = run_session(config, {117: [c.SaveCheckpoint(name="mine")]})

    journalled = list(read_journal(find_run("tiny").journal_path))
    steps = (e.StepsFinished, e.StepsThinned)
    assert [event for event in journalled if not isinstance(event, steps)] == [
        event for event in emitted if not isinstance(event, steps)
    ]
    assert losses(journalled).items() <= losses(emitted).items()
    buckets = of_type(journalled, e.StepsThinned)
    assert len(losses(journalled)) + sum(each.num_steps for each in buckets) == 300
    if keep_every_step:
        assert journalled == emitted
    else:
        saved = {event.weights_step for event in of_type(emitted, e.CheckpointSaved)}
        assert saved == {0, 101, 117, 202, 300}
        assert not [step for step in saved for each in buckets if each.first_step <= step < each.step]


def test_a_run_ends_after_its_epochs_and_has_counted_every_training_character_once_per_epoch(corpus: Path) -> None:
    finished = run_session(tiny_config(corpus, epochs=2, batch_size=10, max_steps=500))[-1]

    assert isinstance(finished, e.RunFinished)
    num_chars = load_corpus(CorpusConfig(files=(str(corpus),))).num_train_chars
    assert (finished.reason, finished.step, finished.total_chars) == ("epochs", 2 * 5, 2 * num_chars)


def test_an_evaluation_that_is_the_best_is_saved_as_best(corpus: Path) -> None:
    emitted = run_session(tiny_config(corpus, max_steps=20, eval_every=5, learning_rate=0.02))

    evaluations = of_type(emitted, e.EvalFinished)
    assert all(evaluation.is_best for evaluation in evaluations)
    assert [event.step for event in of_type(emitted, e.CheckpointSaved) if event.name == "best"] == [5, 10, 15, 20]
    info, _ = read_info(find_run("tiny").checkpoint_path("best"))
    assert (info.step, info.bits_per_char) == (20, evaluations[-1].bits_per_char)
    assert evaluations[-1].bits_per_char == pytest.approx(evaluations[-1].val_loss / math.log(2))


def test_the_folder_of_a_run_contains_exactly_the_documented_files(corpus: Path, home: Path) -> None:
    run_session(tiny_config(corpus, eval_every=6))

    files = sorted(str(path.relative_to(home)) for path in (home / "runs").rglob("*") if path.is_file())
    assert files == [
        "runs/tiny/checkpoints/best.safetensors",
        "runs/tiny/checkpoints/latest.safetensors",
        "runs/tiny/config.json",
        "runs/tiny/events.jsonl",
        "runs/tiny/tweetgen.log",
    ]
    config = json.loads((home / "runs" / "tiny" / "config.json").read_text())
    assert (config["model"]["hidden_size"], config["training"]["max_steps"]) == (8, 12)


@pytest.mark.parametrize("preset", ["auto", "tutorial"])
def test_one_tweet_is_overfitted_within_a_thousand_steps(home: Path, preset: PresetName) -> None:
    """The tutorial's part (c): one tweet, its own characters only."""
    text = "@pip_9 woke up to snow & pancakes, sooo happy!!! best day ever :) #winter <3"
    corpus = write_corpus(home, [*small_tweets(7), text, *small_tweets()])
    config = replace(
        tiny_config(corpus), preset=preset, corpus=CorpusConfig(files=(str(corpus),), overfit=7), settings=GREEDY
    )

    def enough(event: Event) -> list[c.Command]:
        is_below = isinstance(event, e.StepsFinished) and event.train_losses[-1] < 0.04
        return [c.Stop()] if isinstance(event, e.TweetSampled) else [c.SampleNow()] if is_below else []

    emitted = run_session(config, on_event=enough)

    started = only(emitted, e.RunStarted)
    assert (started.num_train_tweets, started.vocab_size) == (1, len(set(text)) + 4)
    assert started.training.max_steps == 1000
    assert losses(emitted)[emitted[-1].step] < 0.05
    assert emitted[-1].step < 1000
    tweet = only(emitted, e.TweetSampled)
    assert (tweet.text, tweet.novelty, tweet.reached_eos) == (text, "copy", True)


def test_a_run_that_branches_from_a_checkpoint_has_a_folder_of_its_own(corpus: Path) -> None:
    run_session(tiny_config(corpus), {6: [c.SaveCheckpoint(name="base")]})
    config = tiny_config(corpus, run_name="branch", max_steps=9)

    emitted = run_session(replace(config, checkpoint="base"))

    started = only(emitted, e.RunStarted)
    assert (started.run, started.step, started.resumed_from) == ("branch", 6, "base")
    assert list(losses(emitted)) == [7, 8, 9]
