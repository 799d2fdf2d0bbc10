"""The sample of a checkpoint is found in the journal of its run."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.checkpoints.catalog import CheckpointEntry, list_checkpoints
from engine.checkpoints.preview import sample_of
from engine.model.vocab import Vocab
from engine.protocol import events
from engine.storage.folders import create_run_folder, named_checkpoint_path
from tests.engine.checkpoints.saved import checkpoint_info, write_checkpoint
from tests.fakes import run_started, steps_finished, tweet_sampled

STARTED = run_started(run="a run", corpus="small.txt", vocab_size=len(Vocab(checkpoint_info().vocab)))


def write_run(*lines: events.Event | str, started: events.Event = STARTED) -> Path:
    """Create the run with a journal of these lines; return its folder."""
    folder = create_run_folder("a run")
    folder.config_path.write_text("{}")
    texts = (line if isinstance(line, str) else events.to_json(line) for line in (started, *lines))
    folder.journal_path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return folder.path


def entry(step: int = 2, elapsed_seconds: float = 1.5, run: str = "a run") -> CheckpointEntry:
    """Save a checkpoint at this step and time; return its entry."""
    write_checkpoint(named_checkpoint_path("mine"), step=step, elapsed_seconds=elapsed_seconds, run=run)
    return list_checkpoints()[0]


def text_of(found: events.TweetSampled | None) -> str | None:
    return found.text if found else None


def test_the_last_tweet_before_the_checkpoint_is_found(home: Path) -> None:
    write_run(
        tweet_sampled("first", 10), tweet_sampled("second", 20), steps_finished(21, [3.0]), tweet_sampled("third", 30)
    )

    assert text_of(sample_of(entry(25, 1.25))) == "second"
    assert text_of(sample_of(entry(20, 1.0))) == "second"
    assert text_of(sample_of(entry(99, 99.0))) == "third"
    assert sample_of(entry(5, 0.25)) is None


def test_a_tweet_is_found_anywhere_in_a_long_journal(home: Path) -> None:
    lines = [
        each
        for step in range(100, 60_100, 100)
        for each in (steps_finished(step - 99, [3.25] * 100), tweet_sampled(f"of step {step}", step))
    ]
    write_run(*lines)

    for step in (100, 150, 3_000, 30_050, 59_999, 60_000):
        assert text_of(sample_of(entry(step, step * 0.05))) == f"of step {step // 100 * 100}"


def test_after_a_load_the_preview_is_a_tweet_from_before_it(home: Path) -> None:
    again = tweet_sampled("second time", 20, elapsed_seconds=5.0)
    write_run(
        tweet_sampled("first time", 20),
        tweet_sampled("later", 40),
        again,
        tweet_sampled("later again", 40, elapsed_seconds=6.0),
    )

    assert text_of(sample_of(entry(25, 5.2))) == "second time"
    assert text_of(sample_of(entry(25, 1.3))) == "first time"


def test_torn_lines_are_skipped(home: Path) -> None:
    write_run(
        tweet_sampled("whole", 10), '{"event":"TweetSampled","step":', '{"event":"TweetSampled","step":"x"}', "", "\x00"
    )

    assert text_of(sample_of(entry(50, 50.0))) == "whole"


@pytest.mark.parametrize(
    "started",
    [
        run_started(run="a run", corpus="other.txt", vocab_size=STARTED.vocab_size),
        run_started(),
        tweet_sampled("no start"),
    ],
    ids=["other tweets", "other vocabulary", "no start"],
)
def test_the_journal_of_another_run_of_the_same_name_is_not_used(home: Path, started: events.Event) -> None:
    write_run(tweet_sampled("not its own", 1), started=started)

    assert sample_of(entry()) is None
