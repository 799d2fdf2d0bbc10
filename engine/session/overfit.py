"""`Overfit`: a run on a single tweet, the tutorial's part (c): when to sample, when to end, and what it has learned.

The tweet is sampled at steps 1, 2, 4 and every 4 steps, until `EXACT_SAMPLES` in a row equal it at a loss below
`LOW_LOSS`; later at the run's interval. Then the run finishes. All of it depends on the steps and on what a checkpoint
stores, so that a resume is exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import takewhile

from engine.compute.device import derived_seed
from engine.config.sampling import SamplingConfig
from engine.errors import TweetgenError
from engine.protocol.events import Warned
from engine.session.run import Run
from engine.text import defused
from engine.training.schedule import is_due_when_overfitting

LOW_LOSS = 0.05
"""Nats per character; the tutorial's own limit."""
EXACT_SAMPLES = 3
MAX_PROMPT_CHARS = 16
MAX_SHOWN_CHARS = 60
_LAST_SAMPLE = 4  # purpose of a derived seed


class Overfit:
    """Follows one run on a single tweet. Used by the session's thread only."""

    def __init__(self, run: Run, sampling: Callable[[], SamplingConfig]) -> None:
        """`sampling` returns the settings for the next character; it may raise a `TweetgenError`."""
        self._run = run
        self._sampling = sampling
        self._tweet = run.setup.training_data.corpus.train[0]

    @property
    def is_sample_due(self) -> bool:
        """Whether the tweet is to be sampled at this step, at another interval than the run's."""
        state = self._run.state
        is_learned = state.progress.num_exact_samples >= EXACT_SAMPLES
        is_sampled = state.training.sample_every > 0 and not is_learned
        return is_sampled and is_due_when_overfitting(state.step, state.progress.last_sample_step)

    def record_sample(self, text: str) -> None:
        """Record the sample of this step; the run finishes once enough in a row equal the tweet."""
        state = self._run.state
        progress = state.progress
        is_low = progress.train_loss is not None and progress.train_loss < LOW_LOSS
        progress.num_exact_samples = progress.num_exact_samples + 1 if is_low and text == self._tweet else 0
        is_ending = progress.finish is not None or state.end_reason is not None
        if progress.num_exact_samples == EXACT_SAMPLES and not is_ending:
            self._run.settings.finish()

    def emit_outcome(self) -> None:
        """Sample a continuation of the start of another tweet, and emit what was learned and what was not."""
        evaluation = self._run.oom.evaluate(self._run.setup.val_tweets, lambda: False)
        if evaluation is None or not math.isfinite(evaluation.nats_per_char):
            return
        data = self._run.setup.training_data
        prompt = start_of_another(self._tweet, data.corpus.others, data.vocab.chars)
        proof = self._continuation(prompt) if prompt else ""
        message = outcome_text(evaluation.nats_per_char, proof)
        self._run.reporter.emit(Warned, message=message, kind="outcome")

    def _continuation(self, prompt: str) -> str:
        """Sample a tweet that starts with `prompt`; return the clause about it, "" if that is impossible."""
        state = self._run.state
        seed = derived_seed(state.training.seed, _LAST_SAMPLE, state.step)
        try:
            with self._run.oom.memory_errors("sampling a tweet"):
                text = self._run.sampling_service.sample_tweet(self._unfiltered_sampling, seed, prompt)
        except TweetgenError:
            return ""
        return f"given “{prompt}” it continues with “{defused(text.removeprefix(prompt), MAX_SHOWN_CHARS)}”"

    def _unfiltered_sampling(self) -> SamplingConfig:
        """Return the settings for the next character, without a filter: the outcome is what the model writes first."""
        return self._sampling().without_filter()


def outcome_text(loss: float, proof: str) -> str:
    """Return the sentence about the loss of the tweet, nats per character; `proof` is a clause or empty."""
    bits, low_bits = (f"{nats / math.log(2):.2g}" for nats in (loss, LOW_LOSS))
    if loss < LOW_LOSS:
        verdict = f"Loss {bits} bits/char: the model knows this tweet by heart; it knows nothing else"
    else:
        verdict = (
            f"Loss {bits} bits/char: the model does not know this tweet by heart, which takes less than {low_bits}"
        )
    return f"{verdict}: {proof}." if proof else f"{verdict}."


def start_of_another(tweet: str, others: Iterable[str], chars: Iterable[str]) -> str:
    """Return the longest start of one of `others` that consists of `chars` and is no start of `tweet`; "" if none."""
    known = frozenset(chars)
    starts = (_known_start(other, known) for other in others)
    return max((start for start in starts if not tweet.startswith(start)), key=len, default="")


def _known_start(text: str, known: frozenset[str]) -> str:
    """Return the first characters of `text` while they are `known`, whole words if there is one."""
    start = "".join(takewhile(known.__contains__, text[:MAX_PROMPT_CHARS]))
    is_cut = not text.startswith(f"{start} ") and start != text
    words = start.rpartition(" ")[0] if is_cut else start
    return (words or start).strip()
