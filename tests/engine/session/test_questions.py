"""Questions about the weights: when they are worked on, what replaces or refuses them, and what they leave to training.

The work is scripted: pieces of a known duration on the run's clock, which the steps advance too.
"""

from __future__ import annotations

import queue
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from syrupy.assertion import SnapshotAssertion

from engine.checkpoints.checkpoint import load_checkpoint
from engine.compute import device
from engine.corpus.training_data import corpus_config_of, load_training_data
from engine.errors import ConfigError
from engine.insight.answers import Answer
from engine.insight.snapshot import Snapshot
from engine.insight.trace import sequence_loss
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol import insight
from engine.protocol.insight import Insight
from engine.protocol.progress import CooperativeTask
from engine.session import questions as questions_module
from engine.session.questions import BASELINES_SHARE, MAX_CREDIT_SECONDS, MAX_JOBS, MAX_SHARE, Questions
from engine.session.session import TrainingSession
from engine.session.state import Run
from engine.storage.folders import find_run, named_checkpoint_path
from engine.training.baselines import baseline_bits
from engine.training.out_of_memory import OutOfMemoryRetry
from tests.engine import helpers as h
from tests.engine.compute.gpu.device_steps import use_device_step
from tests.engine.session.recorded import Play, recorded_plays
from tests.fakes import FakeClock

PIECE_SECONDS = 0.004
STEP_SECONDS = 0.02
NUM_PIECES = 10
LONG_PIECES = 120
PIECES = {insight.ScoreUnits: LONG_PIECES, insight.MeasureReach: 1}
"""All others have `NUM_PIECES`."""
BAD_UNIT = insight.HoldUnit(text="the", layer=9, unit=0)


@dataclass
class Work:
    """The pieces of work done in a run, whose clock advances with each of them and with each step."""

    clock: FakeClock = field(default_factory=FakeClock)
    pieces: list[tuple[str, int]] = field(default_factory=list)
    """Name of the command, and step at which the weights were copied."""

    def do_piece(self, command: Insight, step: int) -> None:
        self.clock.advance(PIECE_SECONDS)
        self.pieces.append((type(command).__name__, step))

    def job(self, command: insight.MeasureBaselines, emit: Callable[[Answer], None]) -> CooperativeTask[None]:
        """Stand in for that of `engine.insight.baselines.Baselines`: take `LONG_PIECES`."""
        for _ in range(LONG_PIECES):
            self.do_piece(command, 0)
            yield
        emit((insight.BaselinesMeasured, {"request": command.request, "names": ("uniform",), "bits_per_char": (6.9,)}))

    def run(self, corpus: Path, script: h.Script, on_event: h.OnEvent = h.never, **settings: Any) -> list[e.Event]:
        """Run a session in which a step takes `STEP_SECONDS`."""
        options: dict[str, Any] = {"times_seconds": 0.0, "seconds": {e.StepsFinished: STEP_SECONDS}}
        with mock.patch.object(time, "sleep", self.clock.advance):
            return h.run_session(h.tiny_config(corpus, **settings), script, on_event, self.clock, **options)


def answer(work: Work, model: Snapshot, command: Insight) -> CooperativeTask[Answer]:
    """Stand in for `engine.insight.answers.answer`: answer with `EmbeddingsMapped`; refuse `BAD_UNIT`."""
    if command == BAD_UNIT:
        raise ConfigError("There is no layer 9.")
    for _ in range(PIECES.get(type(command), NUM_PIECES) - 1):
        work.do_piece(command, model.step)
        yield
    work.do_piece(command, model.step)
    fields = {"points": (), "variance_shares": (), "num_chars": 30}
    return insight.EmbeddingsMapped, {"request": command.request, "weights_step": model.step, **fields}


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    """Replace the answers by scripted work."""
    made = Work()
    monkeypatch.setattr(questions_module, "answer", partial(answer, made))
    monkeypatch.setattr(questions_module, "Baselines", lambda *_: made)
    return made


map_again = h.whenever(insight.EmbeddingsMapped, lambda _: [insight.MapEmbeddings()])
"""Asks the next question once the last is answered."""


@recorded_plays("questions")
def test_a_run_is_as_recorded(corpus: Path, work: Work, play: Play, snapshot: SnapshotAssertion) -> None:
    def done(_: list[e.Event]) -> str:
        """Return how many pieces were done for each question, at which weights, and the time at the end."""
        counts = (f"{count} of {name} at step {step}" for (name, step), count in Counter(work.pieces).items())
        return f"work: {', '.join(counts)}; {work.clock.now:.3f} s"

    with mock.patch.object(time, "sleep", work.clock.advance):
        assert play.lines(corpus, {}, done, clock=work.clock) == snapshot


# Time -----------------------------------------------------------------------------------------------------------------
BASELINES, MANY = [insight.MeasureBaselines()], [insight.ScoreUnits(), insight.MapEmbeddings()]


@pytest.mark.parametrize(("baselines", "questions"), [([], MANY), (BASELINES, []), (BASELINES, MANY)])
def test_however_many_questions_are_asked_their_work_and_that_of_the_baselines_keep_to_their_shares_of_the_time(
    corpus: Path, work: Work, baselines: list[c.Command], questions: list[c.Command]
) -> None:
    work.run(corpus, {0: [*baselines, *questions]}, map_again, max_steps=150)
    of_baselines = sum(name == "MeasureBaselines" for name, _ in work.pieces)
    shares = (BASELINES_SHARE if baselines else 0.0, MAX_SHARE if questions else 0.0)
    for num_pieces, share in zip((of_baselines, len(work.pieces) - of_baselines), shares, strict=True):
        spent = num_pieces * PIECE_SECONDS
        assert spent <= MAX_CREDIT_SECONDS + share * 150 * STEP_SECONDS + PIECE_SECONDS
        assert spent >= share * 150 * STEP_SECONDS


def test_a_first_answer_is_quick_and_delays_no_step_by_more_than_the_time_of_one(corpus: Path, work: Work) -> None:
    pieces_at: list[int] = []
    count = h.whenever(e.StepsFinished, lambda _: pieces_at.append(len(work.pieces)))
    emitted = work.run(corpus, {50: [insight.MapEmbeddings()]}, count, max_steps=60)
    assert h.only(emitted, insight.EmbeddingsMapped).step <= 53
    assert max(after - before for before, after in pairwise(pieces_at)) <= STEP_SECONDS / PIECE_SECONDS + 1
    seconds = sum(event.sampling_seconds for event in h.of_type(emitted, e.StepTimes))
    assert seconds == pytest.approx(NUM_PIECES * PIECE_SECONDS), "the work is time of sampling"


def test_more_than_a_few_waiting_questions_are_refused(corpus: Path, work: Work) -> None:
    questions = [insight.MapEmbeddings(request=number) for number in range(MAX_JOBS + 2)]
    stop = h.whenever(insight.EmbeddingsMapped, lambda event: [c.Stop()] if event.request == MAX_JOBS - 1 else [])
    emitted = work.run(corpus, {3: [c.Pause(), *questions]}, stop)
    assert [event.command for event in h.of_type(emitted, e.CommandRefused)] == ["MapEmbeddings"] * 2
    assert [event.request for event in h.of_type(emitted, insight.EmbeddingsMapped)] == list(range(MAX_JOBS))


def test_the_work_is_done_on_one_thread_and_the_steps_on_those_of_the_run(corpus: Path, work: Work) -> None:
    threads: dict[str, set[int]] = {"step": set(), "work": set()}
    do_piece = Work.do_piece

    def note(self: Work, command: Insight, step: int) -> None:
        threads["work"].add(torch.get_num_threads())
        do_piece(self, command, step)

    note_step = h.whenever(e.StepsFinished, lambda _: threads["step"].add(torch.get_num_threads()))
    with mock.patch.object(Work, "do_piece", note), mock.patch.object(device, "available_cores", return_value=2):
        config = h.tiny_config(corpus, max_steps=6)
        config = replace(config, runtime=replace(config.runtime, threads=2))
        h.run_session(config, {3: [insight.MapEmbeddings()]}, note_step, work.clock)
    assert threads == {"step": {2}, "work": {1}}


def test_waiting_for_the_steps_queued_on_a_device_is_no_work_on_an_answer(work: Work) -> None:
    """It may take longer than all answers; if it counted, the next ones would be late."""
    setup, state, reporter = mock.MagicMock(), mock.MagicMock(), mock.MagicMock()
    state.stopwatch.clock, state.step = work.clock, 3
    reporter.emit_steps.side_effect = lambda: work.clock.advance(2.0)
    run = Run(setup=setup, state=state, reporter=reporter, oom=OutOfMemoryRetry(state, mock.Mock()), leader=None)
    service = Questions(run)
    for number in range(4):
        service.ask(insight.MapEmbeddings(request=number))
        work.clock.advance(1.0)
        service.advance()
    assert service.num_pending == 0
    assert len(work.pieces) == 4 * NUM_PIECES


# The queue ------------------------------------------------------------------------------------------------------------
def test_an_unexpected_exception_refuses_only_the_question(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions_module, "frozen", lambda _: 1 // 0)
    emitted = h.run_tiny(corpus, {3: [insight.MapEmbeddings()]})
    refused = h.only(emitted, e.CommandRefused)
    assert (refused.step, refused.command) == (3, "MapEmbeddings")
    assert refused.detail.startswith("ZeroDivisionError")
    assert (h.names(emitted)[-1], emitted[-1].step) == ("RunFinished", 12)
    assert "1 // 0" in find_run("tiny").log_path.read_text()


def test_questions_count_as_waiting_commands_until_they_are_answered(corpus: Path, work: Work) -> None:
    inbox: queue.SimpleQueue[c.Command] = queue.SimpleQueue()
    session = TrainingSession(h.tiny_config(corpus), clock=work.clock)
    waiting: list[int] = []
    inbox.put(c.Pause())
    for number in range(3):
        inbox.put(insight.MapEmbeddings(request=number))

    def emit(event: e.Event) -> None:
        if isinstance(event, insight.EmbeddingsMapped):
            waiting.append(session.num_waiting)
            if event.request == 2:
                inbox.put(c.Stop())

    session.run(emit, inbox)
    assert waiting == [3, 2, 1]


@pytest.mark.parametrize("on_device", [False, True], ids=["CPU", "device"])
def test_baselines_are_on_the_evaluated_tweets(corpus: Path, monkeypatch: pytest.MonkeyPatch, on_device: bool) -> None:
    num_tweets = 7
    config = h.tiny_config(corpus, max_steps=4, eval_tweets=num_tweets)
    data = load_training_data(corpus_config_of(config, None), None, lambda _: None)
    assert len(data.corpus.validation) > num_tweets
    if on_device:
        use_device_step(monkeypatch, None)
    resume = h.whenever(insight.BaselinesMeasured, lambda event: [c.Resume()] if event.is_complete else [])
    emitted = h.run_session(config, {0: [c.Pause(), insight.MeasureBaselines()]}, resume)
    bits = baseline_bits(data.train_tweets, data.some_validation_tweets(num_tweets), len(data.vocab))
    assert h.of_type(emitted, insight.BaselinesMeasured)[-1].bits_per_char == pytest.approx(
        tuple(bits.values()), abs=1e-4
    )


# Real answers ---------------------------------------------------------------------------------------------------------
TEXT = "the cat hugs tea"
QUESTIONS: list[c.Command] = [  # all kinds
    insight.TraceText(text=TEXT, layer=1, own_from=3, seed=5),
    insight.MeasureReach(text=TEXT, position=9, request=1),
    insight.MeasureReach(text=TEXT, position=9, request=2, method="gradient"),
    insight.ScoreUnits(),
    insight.HoldUnit(text=TEXT, layer=1, unit=3, value=0.5, seed=5),
    insight.MapEmbeddings(),
]


def test_questions_after_every_step_change_no_bit_of_a_run_with_dropout(corpus: Path) -> None:
    others: list[c.Command] = [c.CompleteText(text="the "), c.ReadTweet(text=TEXT), c.SampleNow(prime="the ")]
    ask = h.whenever(e.StepsFinished, lambda _: [*QUESTIONS, *others])
    config = h.tiny_config(corpus, num_layers=2, dropout=0.3, average_lag=0.2, sample_every=4, eval_every=5)
    plain, asked = h.run_session(replace(config, run_name="plain")), h.run_session(config, on_event=ask)
    assert h.losses(asked) == h.losses(plain)
    assert [tweet for tweet in h.of_type(asked, e.TweetSampled) if not tweet.prime] == h.of_type(plain, e.TweetSampled)
    assert h.of_type(asked, e.EvalFinished) == h.of_type(plain, e.EvalFinished)
    h.assert_same_tensors(h.tensors_of("tiny"), h.tensors_of("plain"))
    answered = [(type(event), event.weights_step) for event in asked if isinstance(event, insight.InsightEvent)]
    for event_type in (
        insight.TextTraced,
        insight.ReachMeasured,
        insight.UnitsScored,
        insight.UnitHeld,
        insight.EmbeddingsMapped,
    ):
        assert {step for each, step in answered if each is event_type} >= set(range(1, 12))
    assert not h.of_type(asked, e.CommandRefused)


def test_the_averaged_weights_of_the_step_answer_and_answers_are_not_journalled(corpus: Path) -> None:
    asked: list[c.Command] = [*QUESTIONS, insight.TraceText(text=TEXT, request=3), c.SaveCheckpoint(name="nine")]
    emitted = h.run_tiny(corpus, {9: asked}, average_lag=0.3, learning_rate=0.1, num_layers=2)
    answers = [event for event in emitted if isinstance(event, insight.InsightEvent)]
    [traced] = [event for event in h.of_type(answers, insight.TextTraced) if event.request == 3]
    assert len(answers) == len(QUESTIONS) + 1
    checkpoint = load_checkpoint(named_checkpoint_path("nine"))
    loss = sequence_loss(checkpoint.to_model(torch.device("cpu")), checkpoint.vocab.encode(TEXT))
    assert traced.weights_step == 9
    assert traced.sequence_loss == pytest.approx(loss, abs=1e-6)
    assert h.journalled() == [event for event in emitted if not isinstance(event, insight.InsightEvent)]
