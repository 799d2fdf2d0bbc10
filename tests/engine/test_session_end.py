"""The end of a run: where the budget is used up, and who may have a run open."""

from __future__ import annotations

import queue
from pathlib import Path

import pytest

from engine import commands as c
from engine import events as e
from engine.commands import Command
from engine.config import RunConfig
from engine.events import Event
from engine.session import TrainingSession
from engine.stage import Stage
from tests.engine.helpers import of_type, resume_config, run_session, tiny_config, write_corpus
from tests.engine.stream_rules import assert_keeps_the_rules


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_corpus(tmp_path)


def run_resting(config: RunConfig, wishes: list[Command]) -> list[Event]:
    """Run a session that rests at its end, and send it these commands once it does."""
    told: list[Event] = []
    inbox: queue.SimpleQueue[Command] = queue.SimpleQueue()

    def emit(event: Event) -> None:
        told.append(event)
        if isinstance(event, e.Warned) and event.message.startswith("The run is over"):
            for wish in wishes:
                inbox.put(wish)

    TrainingSession(config, rests_at_end=True).run(emit, inbox)
    return told


def test_a_run_that_rests_at_its_end_still_writes_saves_and_draws_otherwise(corpus: Path) -> None:
    wishes: list[Command] = [c.SampleNow(), c.SampleLadder(seed=1), c.SaveCheckpoint(name="end"), c.Stop()]

    told = run_resting(tiny_config(corpus, max_steps=6, sample_every=0), wishes)

    names = [type(event).__name__ for event in told]
    over = names.index("Warned")
    assert names[over - 1] == "Paused"
    assert names[over + 1 :] == ["TweetSampled", "LadderSampled", "CheckpointSaved", "CheckpointSaved", "RunFinished"]
    assert max(event.step for event in told) == 6
    assert_keeps_the_rules(told)


def test_a_resting_run_is_not_resumed_beyond_its_budget(corpus: Path) -> None:
    told = run_resting(tiny_config(corpus, max_steps=6), [c.Resume(), c.Stop()])

    [refused] = [event for event in told if isinstance(event, e.CommandRefused)]
    assert (refused.command, refused.hint) == ("Resume", "Resume it with a larger --max-steps.")
    assert max(event.step for event in told) == 6


def test_a_run_that_is_over_can_be_opened_again_where_it_may_rest(corpus: Path) -> None:
    run_session(tiny_config(corpus, max_steps=6))

    told = run_resting(resume_config(), [c.SampleNow(), c.Stop()])

    assert [event.step for event in told if isinstance(event, e.TweetSampled)][-1] == 6
    assert isinstance(told[-1], e.RunFinished)


@pytest.mark.parametrize("reason", ["interrupted", "stopped by the user"])
def test_a_stop_while_the_tweets_are_read_ends_the_run_before_it_began(tmp_path: Path, reason: str) -> None:
    inbox: queue.SimpleQueue[c.Command] = queue.SimpleQueue()
    stages: list[str] = []

    def on_stage(stage: Stage) -> None:
        stages.append(stage.text)
        inbox.put(c.Stop(reason=reason))

    told: list[e.Event] = []
    TrainingSession(tiny_config(write_corpus(tmp_path)), on_stage).run(told.append, inbox)
    [ended] = told
    assert isinstance(ended, e.RunFinished)
    assert ended.reason == reason
    assert len(stages) == 1
    assert not (tmp_path / "runs").exists()


def test_commands_that_come_while_the_tweets_are_read_are_followed_in_their_order(tmp_path: Path) -> None:
    inbox: queue.SimpleQueue[c.Command] = queue.SimpleQueue()
    wishes = iter([c.SetLearningRate(learning_rate=0.1), c.SetLearningRate(learning_rate=0.2)])

    def on_stage(_: Stage) -> None:
        for wish in wishes:
            inbox.put(wish)
            break

    told: list[e.Event] = []
    TrainingSession(tiny_config(write_corpus(tmp_path)), on_stage).run(told.append, inbox)
    assert [event.learning_rate for event in of_type(told, e.LearningRateChanged)] == [0.1, 0.2]
