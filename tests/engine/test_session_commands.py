"""What each command does in the middle of a run, and that a refused one changes nothing."""

from __future__ import annotations

import queue
from collections.abc import Iterable
from pathlib import Path

import pytest

from engine import commands as c
from engine import events as e
from engine.checkpoint import load_checkpoint
from engine.checkpoint_info import read_info
from engine.commands import Command
from engine.config import SamplingConfig
from engine.events import Event
from engine.folders import find_run, named_checkpoint_path
from tests.engine.helpers import (
    AnsweringInbox,
    Script,
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


def test_an_asked_for_tweet_comes_at_once_and_each_is_another(corpus: Path) -> None:
    told = run_session(tiny_config(corpus), {4: [c.SampleNow(), c.SampleNow(), c.SampleNow()]})

    tweets = of_type(told, e.TweetSampled)
    assert [tweet.step for tweet in tweets] == [4, 4, 4]
    assert len({tweet.text for tweet in tweets}) == 3


def test_sampling_that_was_set_is_used_by_the_next_tweet_and_saved(corpus: Path) -> None:
    cold = SamplingConfig(temperature=0.0, prime="the ", max_length=15)

    told = run_session(tiny_config(corpus, sample_every=1, max_steps=5), {2: [c.SetSampling(sampling=cold)]})

    assert only(told, e.SamplingChanged).sampling == cold
    assert [tweet.temperature for tweet in of_type(told, e.TweetSampled)] == [0.8, 0.8, 0.0, 0.0, 0.0]
    assert all(tweet.text.startswith("the") for tweet in of_type(told, e.TweetSampled)[2:])
    assert latest().sampling == cold


def tweet_of_the_start(corpus: Path, run_name: str, inbox: queue.SimpleQueue[Command]) -> e.TweetSampled:
    """Return the tweet that a model without training writes, very wild at first."""
    config = tiny_config(corpus, run_name=run_name, max_steps=1, sample_every=5, temperature=5.0, max_length=30, seed=3)
    return only(run_session(config, inbox=inbox), e.TweetSampled)


def test_sampling_that_was_set_in_the_middle_of_a_tweet_holds_from_its_next_character_on(corpus: Path) -> None:
    greedy = c.SetSampling(sampling=SamplingConfig(temperature=0.0, max_length=30))

    plain = tweet_of_the_start(corpus, "plain", queue.SimpleQueue())
    steered = tweet_of_the_start(corpus, "steered", AnsweringInbox([None] * 7 + [greedy]))

    assert plain.temperature == 5.0
    assert steered.temperature == 0.0
    assert len(plain.text) > 10
    assert steered.text[:6] == plain.text[:6]
    assert steered.text != plain.text


def test_a_prime_that_the_vocabulary_lacks_is_refused_and_the_sampling_stays(corpus: Path) -> None:
    told = run_session(tiny_config(corpus), {2: [c.SetSampling(sampling=SamplingConfig(prime="☃")), c.SampleNow()]})

    refused = only(told, e.CommandRefused)
    assert (refused.command, refused.title) == ("SetSampling", "An unknown character")
    assert "U+2603" in refused.detail
    assert only(told, e.TweetSampled).temperature == 0.8
    assert told[-1].step == 12


def test_a_learning_rate_that_was_set_is_used_by_the_next_step_and_saved(corpus: Path) -> None:
    told = run_session(tiny_config(corpus, max_steps=6), {3: [c.SetLearningRate(learning_rate=0.02)]})

    assert only(told, e.LearningRateChanged).learning_rate == 0.02
    assert [event.learning_rate for event in of_type(told, e.StepsFinished)] == [0.004] * 3 + [0.02] * 3
    assert latest().training.learning_rate == 0.02


def test_a_ladder_has_a_rung_for_each_temperature_and_is_the_same_each_time(corpus: Path) -> None:
    ladder = c.SampleLadder(seed=7, prime="the", temperatures=(0.0, 1.0, 5.0))

    first, second = of_type(run_session(tiny_config(corpus), {3: [ladder, ladder]}), e.LadderSampled)

    assert (first.seed, first.prime) == (7, "the")
    assert [rung.temperature for rung in first.rungs] == [0.0, 1.0, 5.0]
    assert all(rung.text.startswith("the") for rung in first.rungs)
    assert first.rungs == second.rungs


BAD_LADDERS = [
    pytest.param(c.SampleLadder(seed=1, prime="☃"), id="unknown prime"),
    pytest.param(c.SampleLadder(seed=1, temperatures=()), id="no rung"),
    pytest.param(c.SampleLadder(seed=1, temperatures=(0.5,) * 100_000), id="a hundred thousand rungs"),
]


@pytest.mark.parametrize("ladder", BAD_LADDERS)
def test_a_ladder_that_cannot_be_climbed_is_refused(corpus: Path, ladder: c.SampleLadder) -> None:
    told = run_session(tiny_config(corpus), {3: [ladder]})

    assert only(told, e.CommandRefused).command == "SampleLadder"
    assert isinstance(told[-1], e.RunFinished)


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


@pytest.mark.parametrize("name", ["", "../up", "latest"])
def test_an_impossible_name_is_refused_and_nothing_is_written(corpus: Path, home: Path, name: str) -> None:
    told = run_session(tiny_config(corpus), {4: [c.SaveCheckpoint(name=name)]})

    assert only(told, e.CommandRefused).command == "SaveCheckpoint"
    assert not list((home / "checkpoints").glob("**/*"))
    assert told[-1].step == 12


def test_a_tweet_without_an_end_does_not_keep_a_run_from_stopping(corpus: Path) -> None:
    endless = SamplingConfig(max_length=100_000, top_k=1)

    told = run_session(
        tiny_config(corpus, max_length=20), {3: [c.SetSampling(sampling=endless), c.SampleNow(), c.Stop()]}
    )

    assert "TweetSampled" not in names(told)
    assert only(told, e.RunFinished).reason == "stopped"


def test_a_tweet_of_the_feed_that_a_stop_broke_off_is_written_after_the_resume(corpus: Path) -> None:
    endless = SamplingConfig(max_length=100_000, top_k=1)

    def stop_meanwhile(event: Event) -> Iterable[Command]:
        return [c.Stop()] if isinstance(event, e.StepsFinished) and event.step == 4 else ()

    config = tiny_config(corpus, sample_every=4)
    told = run_session(config, {3: [c.SetSampling(sampling=endless)]}, stop_meanwhile)
    info, _ = read_info(find_run("tiny").checkpoint_path("latest"))
    assert (info.step, info.last_sample_step) == (4, 0)
    assert [event.step for event in of_type(told, e.TweetSampled)] == [0]
