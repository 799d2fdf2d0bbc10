"""A run from its first event to its last: what it tells of itself, its files and its journal."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from engine.checkpoints.metadata import read_info
from engine.config.corpus import CorpusConfig
from engine.config.run import PresetName, Setting
from engine.corpus.loading import load_corpus
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.storage import step_buckets
from engine.storage.folders import find_run, list_runs
from engine.storage.journal_reader import read_journal
from tests.engine.helpers import latest, losses, of_type, only, run_session, small_tweets, tiny_config, write_corpus


def test_a_run_describes_itself_is_listed_and_has_the_documented_files(corpus: Path, home: Path) -> None:
    listed: list[str] = []

    def look(event: e.Event) -> tuple[c.Command, ...]:
        if isinstance(event, e.RunStarted):
            listed.extend(run.name for run in list_runs())
        return ()

    emitted = run_session(tiny_config(corpus, max_steps=20, eval_every=5), on_event=look)

    started = only(emitted, e.RunStarted)
    assert listed == ["tiny"]
    assert (started.step, started.run, started.corpus) == (0, "tiny", "small.txt")
    assert started.num_train_tweets + started.num_val_tweets == len(small_tweets())
    assert started.vocab_size == 4 + len(latest().vocab)
    assert (started.device, started.precision, started.num_threads) == ("cpu", "float32", 1)
    assert (started.model.hidden_size, started.training.batch_size, started.sampling.max_length) == (8, 8, 20)
    files = sorted(str(path.relative_to(home)) for path in (home / "runs").rglob("*") if path.is_file())
    assert files == [
        "runs/tiny/checkpoints/best.safetensors",
        "runs/tiny/checkpoints/latest.safetensors",
        "runs/tiny/config.json",
        "runs/tiny/events.jsonl",
        "runs/tiny/tweetgen.log",
    ]
    config = json.loads((home / "runs" / "tiny" / "config.json").read_text())
    assert (config["model"]["hidden_size"], config["training"]["max_steps"]) == (8, 20)
    evaluation = of_type(emitted, e.EvalFinished)[-1]
    best, _ = read_info(find_run("tiny").checkpoint_path("best"))
    assert (best.step, best.bits_per_char) == (20, evaluation.bits_per_char)
    assert evaluation.bits_per_char == pytest.approx(evaluation.val_loss / math.log(2))


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


@pytest.mark.parametrize("preset", ["auto", "tutorial"])
def test_one_tweet_is_overfitted_within_a_thousand_steps(home: Path, preset: PresetName) -> None:
    """The tutorial's part (c): one tweet, its own characters only."""
    text = "@pip_9 woke up to snow & pancakes, sooo happy!!! best day ever :) #winter <3"
    corpus = CorpusConfig(files=(str(write_corpus(home, [*small_tweets(7), text, *small_tweets()])),), overfit=7)
    settings: dict[str, Setting] = {"temperature": 0.0, "sample_every": 0}
    config = replace(tiny_config(None), preset=preset, corpus=corpus, settings=settings)

    def enough(event: e.Event) -> list[c.Command]:
        is_below = isinstance(event, e.StepsFinished) and event.train_losses[-1] < 0.04
        return [c.Stop()] if isinstance(event, e.TweetSampled) else [c.SampleNow()] if is_below else []

    emitted = run_session(config, on_event=enough)

    started, tweet = only(emitted, e.RunStarted), only(emitted, e.TweetSampled)
    assert (started.num_train_tweets, started.vocab_size) == (1, len(set(text)) + 4)
    assert started.training.max_steps == 1000
    assert losses(emitted)[emitted[-1].step] < 0.05
    assert emitted[-1].step < 1000
    assert (tweet.text, tweet.novelty, tweet.reached_eos) == (text, "copy", True)
