"""The end of a run: the last evaluation, the pause at the end, and the commands before a stop."""

from __future__ import annotations

import queue
from collections.abc import Iterable
from pathlib import Path

import pytest

from engine.checkpoints.host_copy import HostCopy
from engine.checkpoints.metadata import read_info
from engine.config.run import RunConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.stage import Stage
from engine.session.session import TrainingSession
from engine.storage.folders import find_run
from tests.engine.helpers import (
    TickingClock,
    names,
    of_type,
    only,
    resume_config,
    run_session,
    tiny_config,
    write_corpus,
)
from tests.engine.session.stream_rules import assert_valid_stream
from tests.fakes import FakeClock


def run_paused_at_end(config: RunConfig, sent: list[c.Command]) -> list[e.Event]:
    """Run a session that pauses at its end, send these commands then, and stop it once they are answered."""
    left = len(sent)

    def on_event(event: e.Event) -> Iterable[c.Command]:
        nonlocal left
        match event:
            case e.Warned(kind="finished"):
                return sent
            case e.TweetSampled() | e.LadderSampled() | e.CommandRefused() | e.CheckpointSaved(name="end"):
                left -= 1
                return [c.Stop()] if left == 0 else []
        return []

    return run_session(config, on_event=on_event, pauses_at_end=True)


# The budget is used up ------------------------------------------------------------------------------------------------


def test_a_run_paused_at_its_end_still_samples_and_saves_and_a_stop_ends_it_for_the_reason_of_its_end(
    corpus: Path,
) -> None:
    sent: list[c.Command] = [c.SampleNow(), c.SampleLadder(seed=1), c.SaveCheckpoint(name="end")]

    emitted = run_paused_at_end(tiny_config(corpus, max_steps=6), sent)

    over = names(emitted).index("Warned")
    assert names(emitted)[over - 1] == "Paused"
    expected = ["TweetSampled", "LadderSampled", "CheckpointSaved", "CheckpointSaved", "RunFinished"]
    assert names(emitted)[over + 1 :] == expected
    assert max(event.step for event in emitted) == 6
    assert only(emitted, e.RunFinished).reason == "max_steps"
    assert_valid_stream(emitted)


def test_a_run_that_is_paused_before_its_end_is_stopped_for_the_reason_of_the_stop(corpus: Path) -> None:
    stop = c.Stop(reason="stopped by the user")
    emitted = run_session(tiny_config(corpus, max_steps=6), {3: [c.Pause(), stop]}, pauses_at_end=True)
    assert only(emitted, e.RunFinished).reason == "stopped by the user"


def test_a_run_paused_at_its_end_can_not_be_resumed_beyond_its_budget(corpus: Path) -> None:
    emitted = run_paused_at_end(tiny_config(corpus, max_steps=6), [c.Resume()])

    refused = only(emitted, e.CommandRefused)
    assert (refused.command, refused.hint) == ("Resume", "Resume it with a larger --max-steps.")
    assert max(event.step for event in emitted) == 6


def test_a_finished_run_can_be_resumed_by_a_session_that_pauses_at_the_end(corpus: Path) -> None:
    run_session(tiny_config(corpus, max_steps=6))

    emitted = run_paused_at_end(resume_config(), [c.SampleNow()])

    assert [event.step for event in of_type(emitted, e.TweetSampled)] == [6]
    assert isinstance(emitted[-1], e.RunFinished)


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (c.SetLearningRate(learning_rate=0.1), "LearningRateChanged"),
        (c.SaveCheckpoint(name="mine"), "CheckpointSaved"),
        (c.CancelFinish(), "FinishCancelled"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_command_during_the_last_evaluation_is_executed_and_the_evaluation_completed(
    corpus: Path, command: c.Command, answer: str
) -> None:
    """The steps are emitted right before that evaluation, so the command arrives during it."""
    emitted = run_session(tiny_config(corpus, max_steps=6, eval_every=9), {6: [command]}, report_seconds=1e9)

    after = names(emitted)[names(emitted).index("StepsFinished") + 1 :]
    assert after == [answer, "EvalFinished", "CheckpointSaved", "CheckpointSaved", "RunFinished"]
    assert read_info(find_run("tiny").checkpoint_path("best"))[0].step == 6


# Stop -----------------------------------------------------------------------------------------------------------------


def test_a_stop_overtakes_queued_questions_and_these_are_refused(corpus: Path) -> None:
    ladders = [c.SampleLadder(seed=1)] * 40
    sent: list[c.Command] = [*ladders, c.SaveCheckpoint(name="mine"), c.SampleNow(), c.Stop()]

    emitted = run_session(tiny_config(corpus), {3: sent})

    assert names(emitted).count("CommandRefused") == 41
    assert {event.title for event in of_type(emitted, e.CommandRefused)} == {"The run ends"}
    assert [event.name for event in of_type(emitted, e.CheckpointSaved)] == ["latest", "mine", "latest"]
    assert of_type(emitted, e.LadderSampled) == []
    assert emitted[-1].step == 3
    assert_valid_stream(emitted)


def test_a_stop_is_executed_between_two_questions_during_an_evaluation(corpus: Path) -> None:
    def on_event(event: e.Event) -> Iterable[c.Command]:
        match event:
            case e.TweetSampled(step=5):
                return [c.SampleLadder(seed=1)] * 30
            case e.LadderSampled():
                return [c.Stop()]
        return []

    emitted = run_session(tiny_config(corpus, sample_every=5, eval_every=5), on_event=on_event)

    assert (names(emitted).count("LadderSampled"), names(emitted).count("CommandRefused")) == (1, 29)
    assert emitted[-1].step == 5


def test_of_many_changes_before_a_stop_fewer_than_fifty_are_executed(corpus: Path) -> None:
    sent: list[c.Command] = [*[c.SaveCheckpoint(name="mine", replace=True)] * 500, c.Stop()]

    emitted = run_session(tiny_config(corpus), {3: sent})

    num_saved = len([event for event in of_type(emitted, e.CheckpointSaved) if event.name == "mine"])
    assert 1 <= num_saved < 50
    assert num_saved + names(emitted).count("CommandRefused") == 500


def test_a_stop_unless_unsaved_writes_latest_once(corpus: Path) -> None:
    emitted = run_session(tiny_config(corpus), {3: [c.Stop(unless_unsaved=True)]})

    assert [event.step for event in of_type(emitted, e.CheckpointSaved)] == [0, 3]
    assert emitted[-1].step == 3


def test_a_stop_with_weights_that_are_not_finite_is_refused_without_a_hint_on_disk_space(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HostCopy, "is_finite", property(lambda self: self.tensors.get("optimizer.step.proj.bias") != 3))

    emitted = run_session(tiny_config(corpus), {3: [c.Stop(unless_unsaved=True)]})

    refused = only(emitted, e.CommandRefused)
    assert "no longer finite" in refused.detail
    assert "space" not in refused.hint
    assert emitted[-1].step == 12


@pytest.mark.parametrize("reason", ["interrupted", "stopped by the user"])
def test_a_stop_in_the_first_stage_ends_the_run_before_it_starts(home: Path, reason: str) -> None:
    inbox: queue.SimpleQueue[c.Command] = queue.SimpleQueue()
    stages: list[str] = []

    def on_stage(stage: Stage) -> None:
        stages.append(stage.text)
        inbox.put(c.Stop(reason=reason))

    emitted: list[e.Event] = []
    TrainingSession(tiny_config(write_corpus(home)), on_stage).run(emitted.append, inbox)
    assert only(emitted, e.RunFinished).reason == reason
    assert len(emitted) == len(stages) == 1
    assert not (home / "runs").exists()


# Commands and time ----------------------------------------------------------------------------------------------------


class BusyInbox(queue.SimpleQueue[c.Command]):
    """An inbox that receives a command right after each poll that finds it empty, until the run has started."""

    def __init__(self) -> None:
        super().__init__()
        self.num_sent = 0
        self.is_closed = False

    def get_nowait(self) -> c.Command:
        try:
            return super().get_nowait()
        except queue.Empty:
            if not self.is_closed:
                self.num_sent += 1
                self.put(c.SetLearningRate(learning_rate=self.num_sent / 1000))
            raise


def test_commands_sent_during_the_setup_are_executed_in_order(corpus: Path) -> None:
    inbox = BusyInbox()
    emitted: list[e.Event] = []

    def emit(event: e.Event) -> None:
        inbox.is_closed = True
        emitted.append(event)

    TrainingSession(tiny_config(corpus)).run(emit, inbox)

    rates = [event.learning_rate for event in of_type(emitted, e.LearningRateChanged)]
    assert rates == [number / 1000 for number in range(1, inbox.num_sent + 1)]
    assert len(rates) > 1


def test_steps_are_reported_by_the_clock_of_the_session(corpus: Path) -> None:
    stopped, quick = FakeClock(), TickingClock()

    emitted = [
        run_session(tiny_config(corpus, run_name=f"run{number}"), clock=clock, report_seconds=0.5)
        for number, clock in enumerate((stopped, quick))
    ]

    assert [names(each).count("StepsFinished") for each in emitted] == [1, 12]
