"""`Baselines`: the scores of simple models of the training tweets, measured once per corpus, in pieces."""

from __future__ import annotations

from collections.abc import Callable

from engine.corpus.arrays import EncodedTweets
from engine.insight.answers import Answer
from engine.model.vocab import Vocab
from engine.protocol.insight import BaselinesMeasured, MeasureBaselines
from engine.protocol.progress import CooperativeTask
from engine.training.baselines import (
    HIGHEST_ORDER,
    NAMES,
    baseline_pieces,
    baselines_key,
    load_baselines,
    store_baselines,
)

FIRST_ORDER = 2
"""The highest order of the first answer: it takes a tenth of the time of all."""


def shown_name(name: str) -> str:
    """Return the name of a baseline in events: "2-gram" for "witten_bell_2"."""
    return f"{name.rpartition('_')[2]}-gram" if "_" in name else name


class Baselines:
    """Answers `MeasureBaselines` for one set of tweets. Not thread-safe."""

    def __init__(self, train: EncodedTweets, train_digest: str, held_out: EncodedTweets, vocab: Vocab) -> None:
        """`train_digest` is that of the corpus."""
        self._train = train
        self._train_digest = train_digest
        self._held_out = held_out
        self._vocab = vocab
        self._measurement: CooperativeTask[None] | None = None
        """The measurement in progress; if its answer is abandoned, the next answer continues it."""
        self._bits: dict[str, float] = {}
        """Baselines measured so far: none, those up to `FIRST_ORDER`, or all."""

    def job(self, command: MeasureBaselines, emit: Callable[[Answer], None]) -> CooperativeTask[None]:
        """Do the work of the answer in pieces, and emit it; before, one without the higher orders, if that is quicker.

        There are no pieces once all baselines are measured.
        """
        has_emitted_first = False
        while not self._has_all:
            self._measurement = self._measurement or self._measure()
            for _ in self._measurement:
                if self._bits and not has_emitted_first:
                    has_emitted_first = True
                    emit(self._answer(command))
                yield
        emit(self._answer(command))

    @property
    def _has_all(self) -> bool:
        return len(self._bits) == len(NAMES)

    def _answer(self, command: MeasureBaselines) -> Answer:
        names, bits = zip(*self._bits.items(), strict=True)
        return BaselinesMeasured, {
            "request": command.request,
            "names": tuple(map(shown_name, names)),
            "bits_per_char": tuple(round(each, 4) for each in bits),
            "is_complete": self._has_all,
        }

    def _measure(self) -> CooperativeTask[None]:
        """Load the baselines from the cache, or measure and store them; an error leaves them to be measured again."""
        try:
            key = baselines_key(self._train_digest, self._held_out, self._vocab)
            stored = load_baselines(key, NAMES)
            if stored is not None:
                self._bits = stored
                return
            for order in (FIRST_ORDER, HIGHEST_ORDER):
                self._bits = yield from baseline_pieces(
                    self._train, self._held_out, len(self._vocab), highest_order=order
                )
            store_baselines(key, self._bits)
        finally:
            self._measurement = None
