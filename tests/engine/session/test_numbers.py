"""Losses, gradients and weights that are not finite are never reported or saved; the run recovers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import pytest

from engine.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from engine.checkpoints.metadata import CheckpointInfo
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.commands import Command
from engine.protocol.events import Event
from engine.storage.folders import named_checkpoint_path
from engine.training.evaluation import Evaluation
from tests.engine.helpers import of_type, run_session, tiny_config
from tests.engine.session.stream_rules import assert_valid_stream


def save_poisoned(corpus: Path) -> None:
    """Save a checkpoint called poison whose weights lead to non-finite logits."""
    run_session(tiny_config(corpus, run_name="source"), {2: [c.SaveCheckpoint(name="sound"), c.Stop()]})
    sound = load_checkpoint(named_checkpoint_path("sound"))
    poisoned = {name: tensor.clone() for name, tensor in sound.tensors.items()}
    poisoned["model.proj.weight"].fill_(3e38)  # near the largest float32: products with it overflow
    save_checkpoint(named_checkpoint_path("poison"), sound.info, poisoned)


def test_a_model_that_is_not_finite_reports_only_finite_numbers_and_reloads_its_best(corpus: Path) -> None:
    save_poisoned(corpus)
    sent: list[Command] = [c.LoadCheckpoint(name="poison"), c.SampleNow(), c.SampleLadder(seed=1)]

    emitted = run_session(tiny_config(corpus, max_steps=30, sample_every=3, eval_every=3), {5: sent})

    assert isinstance(emitted[-1], e.RunFinished)
    assert "tiny/best" in [event.name for event in of_type(emitted, e.CheckpointLoaded)]
    assert {event.command for event in of_type(emitted, e.CommandRefused)} == {"SampleNow", "SampleLadder"}
    assert max(event.step for event in of_type(emitted, e.EvalFinished)) == 30
    assert_valid_stream(emitted)


def test_a_checkpoint_has_the_step_of_its_evaluation_and_no_figure_if_that_was_not_finite(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    infos: list[CheckpointInfo] = []
    not_finite = Evaluation(total_nats=math.nan, num_tweets=1, num_chars=1, num_unknown_chars=0)

    def look(event: Event) -> Iterable[Command]:
        if isinstance(event, e.CheckpointSaved):
            infos.append(load_checkpoint(Path(event.path)).info)
        if isinstance(event, e.EvalFinished):
            monkeypatch.setattr("engine.session.memory_fallback.evaluate", lambda *_: not_finite)
        return ()

    save = c.SaveLatest()
    run_session(tiny_config(corpus, eval_every=4, max_steps=9), {5: [save], 8: [c.Pause(), save, c.Resume()]}, look)

    figures = [(info.step, info.bits_per_char is not None, info.is_evaluation_stale) for info in infos]
    assert figures == [(0, False, False), (4, True, False), (5, True, True), (8, True, True), (9, False, False)]
