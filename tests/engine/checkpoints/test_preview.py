"""The sample of a checkpoint is found in the journal of its run."""

from __future__ import annotations

import pytest

from engine.checkpoints.catalog import list_checkpoints
from engine.checkpoints.preview import sample_of
from engine.model.vocab import Vocab
from engine.protocol import events
from engine.storage.folders import create_run_folder, named_checkpoint_path
from tests.engine.checkpoints.saved import checkpoint_info, write_checkpoint
from tests.fakes import run_started, steps_finished, tweet_sampled

STARTED = run_started(run="a run", corpus="small.txt", vocab_size=len(Vocab(checkpoint_info().vocab)))


def write_run(*lines: events.Event | str) -> None:
    """Create the run with a journal of these lines."""
    folder = create_run_folder("a run")
    folder.config_path.write_text("{}")
    texts = (line if isinstance(line, str) else events.to_json(line) for line in lines)
    folder.journal_path.write_text("\n".join(texts) + "\n", encoding="utf-8")


def sample_at(step: int, elapsed_seconds: float) -> str | None:
    """Return the text of the sample of a checkpoint saved at this step and time."""
    write_checkpoint(named_checkpoint_path("mine"), step=step, elapsed_seconds=elapsed_seconds, run="a run")
    found = sample_of(list_checkpoints()[0])
    return found.text if found else None


def test_the_last_tweet_before_the_checkpoint_is_found_and_torn_lines_are_skipped() -> None:
    write_run(
        STARTED,
        *(tweet_sampled("first", 10), tweet_sampled("second", 20)),
        *('{"event":"TweetSampled","step":', '{"event":"TweetSampled","step":"x"}', "", "\x00"),
        *(steps_finished(21, [3.0]), tweet_sampled("third", 30)),
    )
    at = [(5, 0.25), (20, 1.0), (25, 1.25), (99, 99.0)]
    assert [sample_at(*each) for each in at] == [None, "second", "second", "third"]


def test_a_tweet_is_found_anywhere_in_a_long_journal() -> None:
    write_run(
        STARTED,
        *(
            each
            for step in range(100, 60_100, 100)
            for each in (steps_finished(step - 99, [3.25] * 100), tweet_sampled(f"of step {step}", step))
        ),
    )
    steps = [100, 150, 3_000, 30_050, 59_999, 60_000]
    assert [sample_at(step, step * 0.05) for step in steps] == [f"of step {step // 100 * 100}" for step in steps]


def test_after_a_load_the_sample_is_a_tweet_from_before_it() -> None:
    write_run(
        STARTED,
        *(tweet_sampled("first time", 20), tweet_sampled("later", 40)),
        tweet_sampled("second time", 20, elapsed_seconds=5.0),
        tweet_sampled("later again", 40, elapsed_seconds=6.0),
    )
    assert [sample_at(25, 5.2), sample_at(25, 1.3)] == ["second time", "first time"]


@pytest.mark.parametrize(
    "started",
    [
        run_started(run="a run", corpus="other.txt", vocab_size=STARTED.vocab_size),
        run_started(),
        tweet_sampled("no start"),
    ],
    ids=["other tweets", "other vocabulary", "no start"],
)
def test_the_journal_of_another_run_of_the_same_name_is_not_used(started: events.Event) -> None:
    write_run(started, tweet_sampled("not its own", 1))

    assert sample_at(2, 1.5) is None
