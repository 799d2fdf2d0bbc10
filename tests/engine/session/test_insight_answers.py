"""Questions about the weights in a real run: answered with the weights of their step, without an effect on training."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.checkpoints.checkpoint import load_checkpoint
from engine.config.run import Setting
from engine.insight.trace import sequence_loss
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.commands import Command
from engine.protocol.events import Event, InsightEvent
from engine.storage.folders import find_run, named_checkpoint_path
from engine.storage.journal_reader import read_journal
from tests.engine.helpers import (
    assert_same_tensors,
    home_at,
    losses,
    of_type,
    run_session,
    tiny_config,
    write_corpus,
)
from tests.engine.session.saved_runs import tensors_of
from tests.fakes import FakeClock

DEMANDING: dict[str, Setting] = {
    "num_layers": 2,
    "dropout": 0.3,
    "average_lag": 0.2,
    "sample_every": 4,
    "eval_every": 5,
}
TEXT = "the cat hugs tea"
QUESTIONS: list[Command] = [  # all kinds
    c.TraceText(text=TEXT, layer=1, own_from=3, seed=5),
    c.MeasureReach(text=TEXT, position=9, request=1),
    c.MeasureReach(text=TEXT, position=9, request=2, method="gradient"),
    c.ScoreUnits(),
    c.HoldUnit(text=TEXT, layer=1, unit=3, value=0.5, seed=5),
    c.MapEmbeddings(),
]


def run_with(folder: Path, questions: Iterable[Command]) -> tuple[list[Event], dict[str, torch.Tensor]]:
    """Ask these questions after every step; return the events and the tensors of the last checkpoint."""
    asked = list(questions)

    def ask(event: Event) -> Iterable[Command]:
        return asked if isinstance(event, e.StepsFinished) else ()

    folder.mkdir()
    with home_at(folder):
        config = tiny_config(write_corpus(folder))
        config = replace(config, settings={**config.settings, **DEMANDING})
        emitted = run_session(config, on_event=ask, clock=FakeClock())
        return emitted, tensors_of("tiny")


def test_questions_after_every_step_change_no_bit_of_a_run_with_dropout(home: Path) -> None:
    plain, expected = run_with(home / "plain", ())
    asked, found = run_with(home / "asked", QUESTIONS)
    assert losses(asked) == losses(plain)
    assert of_type(asked, e.TweetSampled) == of_type(plain, e.TweetSampled)
    assert of_type(asked, e.EvalFinished) == of_type(plain, e.EvalFinished)
    assert_same_tensors(found, expected)
    answered = [(type(event), event.weights_step) for event in asked if isinstance(event, InsightEvent)]
    for event_type in (e.TextTraced, e.ReachMeasured, e.UnitsScored, e.UnitHeld, e.EmbeddingsMapped):
        assert {step for each, step in answered if each is event_type} >= set(range(1, 12))
    assert not of_type(asked, e.CommandRefused)


def test_the_averaged_weights_of_the_step_answer_and_answers_are_not_journalled(corpus: Path) -> None:
    config = tiny_config(corpus, average_lag=0.3, learning_rate=0.1, num_layers=2)
    asked = [*QUESTIONS, c.TraceText(text=TEXT, request=3), c.SaveCheckpoint(name="nine")]
    emitted = run_session(config, {9: asked}, clock=FakeClock())
    answers = [event for event in emitted if isinstance(event, InsightEvent)]
    [traced] = [event for event in of_type(answers, e.TextTraced) if event.request == 3]
    assert len(answers) == len(QUESTIONS) + 1
    checkpoint = load_checkpoint(named_checkpoint_path("nine"))
    loss = sequence_loss(checkpoint.to_model(torch.device("cpu")), checkpoint.vocab.encode(TEXT))
    assert traced.weights_step == 9
    assert traced.sequence_loss == pytest.approx(loss, abs=1e-6)
    journalled = list(read_journal(find_run("tiny").journal_path))
    assert journalled == [event for event in emitted if not isinstance(event, InsightEvent)]
