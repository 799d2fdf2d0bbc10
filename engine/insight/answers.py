"""`answer`: the answer to a question about the weights, in pieces between which training goes on.

`CheckpointAnswers` answers from a checkpoint, without a run.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import torch

from engine.checkpoints.catalog import require_trusted_corpus
from engine.checkpoints.checkpoint import load_checkpoint
from engine.checkpoints.format import CheckpointInfo
from engine.corpus.arrays import EncodedTweets
from engine.corpus.corpus import load_corpus
from engine.insight.learned import hold_unit, map_chars, score_units
from engine.insight.reach import measure_reach
from engine.insight.snapshot import Snapshot, frozen
from engine.insight.trace import trace_text
from engine.protocol.events import Event
from engine.protocol.insight import (
    EmbeddingsMapped,
    HoldUnit,
    Insight,
    InsightEvent,
    MapEmbeddings,
    MeasureReach,
    ReachMeasured,
    ScoreUnits,
    TextTraced,
    TraceText,
    UnitHeld,
    UnitsScored,
)
from engine.protocol.progress import CooperativeTask, run_to_end

Answer: TypeAlias = tuple[type[Event], dict[str, Any]]
"""The type of the event, and its fields except `step` and `elapsed_seconds`."""
_ANSWERS: dict[type[Insight], tuple[type[InsightEvent], Callable[[Snapshot, Any], CooperativeTask[dict[str, Any]]]]] = {
    TraceText: (TextTraced, trace_text),
    MeasureReach: (ReachMeasured, measure_reach),
    ScoreUnits: (UnitsScored, score_units),
    HoldUnit: (UnitHeld, hold_unit),
    MapEmbeddings: (EmbeddingsMapped, map_chars),
}


def answer(model: Snapshot, command: Insight) -> CooperativeTask[tuple[type[InsightEvent], dict[str, Any]]]:
    """Return the answer to a question.

    The first piece raises `ConfigError` if it can't be asked about this model, before any work; each piece raises
    `DivergedError` if the model's output is not finite.
    """
    event_type, work = _ANSWERS[type(command)]
    fields = yield from work(model, command)
    return event_type, {"request": command.request, "weights_step": model.step, **fields}


class CheckpointAnswers:
    """The weights of one checkpoint, averaged if there are any averages. For any thread, one at a time."""

    def __init__(self, path: Path) -> None:
        """Load the checkpoint at `path`, and let torch compute on one thread. Raises `CheckpointError`.

        On busy cores, a second thread made scoring units 60 times slower. Draws no random number.
        """
        torch.set_num_threads(1)
        checkpoint = load_checkpoint(path)
        info: CheckpointInfo = checkpoint.info
        self.info = info
        self._path = path
        model = frozen(checkpoint.to_model(torch.device("cpu")))
        self._model = Snapshot(model, checkpoint.vocab, lambda: self._held_out, info.sampling, info.step)

    def answer(self, command: Insight) -> InsightEvent:
        """Return the answer; its step and time are the checkpoint's.

        Raises `ConfigError` if the question can't be asked about this model, `DivergedError` if the model's output is
        not finite. `ScoreUnits` needs the checkpoint's own validation tweets: it raises `CorpusError` if they can't be
        read, and `CheckpointError` if the checkpoint comes from elsewhere and names files.
        """
        event_type, fields = run_to_end(answer(self._model, command))
        return event_type(step=self.info.step, elapsed_seconds=self.info.elapsed_seconds, **fields)

    @cached_property
    def _held_out(self) -> EncodedTweets:
        """The validation tweets."""
        require_trusted_corpus(self._path, self.info)
        return EncodedTweets.from_flat(load_corpus(self.info.corpus).validation, self._model.vocab)
