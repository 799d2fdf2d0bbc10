"""What each command does in the middle of a run, and that a refused one changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from engine import commands as c
from engine import events as e
from engine.checkpoint import load_checkpoint
from engine.checkpoint_info import read_info
from engine.commands import Command
from engine.config import SamplingConfig
from engine.events import Event
from engine.folders import named_checkpoint_path
from tests.engine.helpers import (
    AnsweringInbox,
    Script,
    TickingClock,
    latest,
    losses,
    names,
    of_type,
    only,
    run_session,
    tiny_config,
)
from tests.fakes import FakeClock


def test_a_pause_takes_no_step_and_stops_the_clock_until_the_run_goes_on(corpus: Path) -> None:
    clock = FakeClock(50.0)

    def time_passes(event: Event) -> Iterable[Command]:
        clock.advance(3600.0 if isinstance(event, e.TweetSampled) else 0.125)
        return ()

    told = run_session(
        tiny_config(corpus, max_steps=6), {3: [c.Pause(), c.SampleNow(), c.Resume()]}, time_passes, clock
    )

    first = names(told).index("Paused")
    assert names(told)[first : first + 3] == ["Paused", "TweetSampled", "Resumed"]
    assert [event.step for event in told[first : first + 3]] == [3, 3, 3]
    assert told[first].elapsed_seconds == told[first + 2].elapsed_seconds
    assert told[-1].elapsed_seconds < 60
    assert list(losses(told)) == list(range(1, 7))


def test_sampling_that_was_set_is_used_by_the_next_tweet_and_saved(corpus: Path) -> None:
    cold = SamplingConfig(temperature=0.0, prime="the ", max_length=15)

    told = run_session(tiny_config(corpus, sample_every=1, max_steps=5), {2: [c.SetSampling(sampling=cold)]})

    assert only(told, e.SamplingChanged).sampling == cold
    assert [tweet.temperature for tweet in of_type(told, e.TweetSampled)] == [0.8, 0.8, 0.0, 0.0, 0.0]
    assert all(tweet.text.startswith("the") for tweet in of_type(told, e.TweetSampled)[2:])
    assert latest().sampling == cold


def test_a_checkpoint_is_in_place_when_it_is_told(corpus: Path) -> None:
    found: list[bool] = []

    def look(event: Event) -> Iterable[Command]:
        if isinstance(event, e.CheckpointSaved):
            found.append(load_checkpoint(Path(event.path)).info.step == event.step)
        return ()

    run_session(tiny_config(corpus, eval_every=6), {4: [c.SaveCheckpoint(name="mine")]}, look)

    assert found
    assert all(found)


def test_a_name_that_is_taken_is_refused_unless_it_is_to_be_replaced(corpus: Path) -> None:
    script: Script = {
        2: [c.SaveCheckpoint(name="mine")],
        4: [c.SaveCheckpoint(name="mine")],
        6: [c.SaveCheckpoint(name="mine", replace=True)],
    }

    told = run_session(tiny_config(corpus), script)

    refused = only(told, e.CommandRefused)
    assert (refused.step, refused.command) == (4, "SaveCheckpoint")
    assert "already a checkpoint called mine" in refused.detail
    assert [event.step for event in of_type(told, e.CheckpointSaved) if event.name == "mine"] == [2, 6]
    assert read_info(named_checkpoint_path("mine"))[0].step == 6


@pytest.mark.parametrize("is_asked", [True, False], ids=["asked for", "of the feed"])
def test_a_tweet_without_an_end_does_not_keep_a_run_from_stopping(corpus: Path, is_asked: bool) -> None:
    """A tweet of the feed that is broken off is written after the resume."""
    endless = SamplingConfig(max_length=100_000, top_k=1)
    step = 0

    def note(event: Event) -> Iterable[Command]:
        nonlocal step
        step = event.step
        return ()

    def answers() -> Iterator[Command | None]:
        while step < 4:
            yield None
        yield c.SetSampling(sampling=endless)
        if is_asked:
            yield c.SampleNow()
        yield from [None] * 50  # by now it is being written
        yield c.Stop()

    config = tiny_config(corpus, sample_every=0 if is_asked else 4)
    told = run_session(config, on_event=note, clock=TickingClock(), inbox=AnsweringInbox(answers()))

    assert only(told, e.RunFinished).step == 4
    assert [event.step for event in of_type(told, e.TweetSampled)] == ([] if is_asked else [0])
    assert [event.command for event in of_type(told, e.CommandRefused)] == (["SampleNow"] if is_asked else [])
    assert latest().last_sample_step == (-1 if is_asked else 0)
