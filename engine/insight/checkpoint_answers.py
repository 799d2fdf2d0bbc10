"""`CheckpointAnswers`: answers questions about the weights of a checkpoint, without a run."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import torch

from engine.checkpoints.catalog import require_trusted_corpus
from engine.checkpoints.checkpoint import load_checkpoint
from engine.checkpoints.format import CheckpointInfo
from engine.corpus.arrays import EncodedTweets
from engine.corpus.corpus import load_corpus
from engine.insight.answers import Answers, snapshot
from engine.progress import run_to_end
from engine.protocol.events import Event
from engine.protocol.insight import Insight


class CheckpointAnswers:
    """The weights of one checkpoint, averaged if there are any averages. For any thread, one at a time."""

    def __init__(self, path: Path) -> None:
        """Load the checkpoint at `path`, and let torch compute on one thread. Raises `CheckpointError`.

        On busy cores, a second thread made scoring units 60 times slower. Draws no random number.
        """
        torch.set_num_threads(1)
        checkpoint = load_checkpoint(path)
        self.info: CheckpointInfo = checkpoint.info
        self._path = path
        self._vocab = checkpoint.vocab
        model = snapshot(checkpoint.to_model(torch.device("cpu")))
        self._answers = Answers(model, self._vocab, lambda: self._held_out, self.info.sampling, self.info.step)

    def answer(self, command: Insight) -> Event:
        """Return the answer; its step and time are the checkpoint's.

        Raises `ConfigError` if the question can't be asked about this model, `DivergedError` if the model's output is
        not finite. `ScoreUnits` needs the checkpoint's own validation tweets: it raises `CorpusError` if they can't be
        read, and `CheckpointError` if the checkpoint comes from elsewhere and names files.
        """
        event_type, fields = run_to_end(self._answers.job(command))
        return event_type(step=self.info.step, elapsed_seconds=self.info.elapsed_seconds, **fields)

    @cached_property
    def _held_out(self) -> EncodedTweets:
        """The validation tweets."""
        require_trusted_corpus(self._path, self.info)
        return EncodedTweets.from_flat(load_corpus(self.info.corpus).validation, self._vocab)
