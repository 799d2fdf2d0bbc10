"""`Baselines`: the scores of simple models of the training tweets, measured once, in pieces."""

from __future__ import annotations

from engine.baselines.ngrams import NAMES, baseline_pieces
from engine.corpus.encoded_tweets import EncodedTweets
from engine.insight.answers import Answer
from engine.pieces import Pieces
from engine.protocol.commands import MeasureBaselines
from engine.protocol.events import BaselinesMeasured

SHOWN_NAMES = tuple(f"{name.rpartition('_')[2]}-gram" if "_" in name else name for name in NAMES)


class Baselines:
    """Answers `MeasureBaselines` for one set of tweets. Not thread-safe."""

    def __init__(self, train: EncodedTweets, held_out: EncodedTweets, vocab_size: int) -> None:
        self._train = train
        self._held_out = held_out
        self._vocab_size = vocab_size
        self._measurement: Pieces[None] | None = None
        """The measurement in progress; if its answer is abandoned, the next answer continues it."""
        self._bits: dict[str, float] = {}

    def job(self, command: MeasureBaselines) -> Pieces[Answer]:
        """Return the pieces of the answer; none once the baselines are measured."""
        if not self._bits:
            self._measurement = self._measurement or self._measure()
            for _ in self._measurement:
                yield
        bits = tuple(round(self._bits[name], 4) for name in NAMES)
        return BaselinesMeasured, {"request": command.request, "names": SHOWN_NAMES, "bits_per_char": bits}

    def _measure(self) -> Pieces[None]:
        """Measure the baselines; an error leaves them to be measured again."""
        try:
            self._bits = yield from baseline_pieces(self._train, self._held_out, self._vocab_size)
        finally:
            self._measurement = None
