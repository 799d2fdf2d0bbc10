"""Samples tweets from the model of a run and answers queries about it; `Overfit` follows a run on a single tweet.

That run is the tutorial's part (c). The tweet is sampled at steps 1, 2, 4 and every 4 steps, until `EXACT_SAMPLES` in a
row equal it at a loss below `LOW_LOSS`; later at the run's interval. Then the run finishes. All of it depends on the
steps and on what a checkpoint stores, so that a resume is exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from engine.compute.device import derived_seed
from engine.config.sampling import MAX_DRAFTS_IN_RUN, SamplingConfig
from engine.corpus.similarity.novelty import novelty_of
from engine.corpus.training_data import TrainingData
from engine.errors import ConfigError, TweetgenError
from engine.protocol import events
from engine.protocol.events import Warned
from engine.sampling.filter import TweetFilter, draft_tweets
from engine.sampling.queries import Completion, complete, nearest_tweet, score_chars, unknown_chars
from engine.sampling.sampler import SampledTweet, TweetSampler, sample_tweets
from engine.session.reporter import Reporter
from engine.session.state import RunState
from engine.text import defused, is_harmless
from engine.training.schedule import is_due_when_overfitting

if TYPE_CHECKING:
    from engine.session.run import Run

LATE_SECONDS = 2.0
"""A tweet that takes longer is reported."""
MIN_WAIT_SECONDS = 4.0
"""A tweet that waits longer for its share of time is reported; without a filter, it waits about two seconds."""
_INTERVAL_SECONDS = 0.5


class DraftProgress:
    """Emits `TweetDelayed` every half second while the drafts of one tweet take longer than two."""

    def __init__(self, reporter: Reporter, clock: Callable[[], float]) -> None:
        self.num_drafts = 0
        """Finished drafts."""
        self._reporter = reporter
        self._clock = clock
        self._due_at = clock() + LATE_SECONDS

    def report(self) -> None:
        """Emit the number of drafts, if it is due; called after each character."""
        now = self._clock()
        if now > self._due_at:
            self._due_at = now + _INTERVAL_SECONDS
            self._reporter.emit(events.TweetDelayed, num_drafts=self.num_drafts, max_drafts=MAX_DRAFTS_IN_RUN)


def report_wait(reporter: Reporter, state: RunState, seconds: float) -> None:
    """Emit within how many seconds the next tweet is due, where the drafts of the last took so long that it is late."""
    is_due_by_time = state.training.sample_pacing == "seconds"
    if state.sampling.has_filter and is_due_by_time and seconds > MIN_WAIT_SECONDS:
        fields = {"num_drafts": 0, "max_drafts": MAX_DRAFTS_IN_RUN, "due_in_seconds": seconds}
        reporter.emit(events.TweetDelayed, **fields)


MAX_READ_CHARS = 2000
MAX_RUNGS = 64
"""Temperatures of a ladder: a command may come from anyone, and blocks training while it is executed."""


class SamplingService:
    """Samples from the current model. Used by the session's thread only."""

    def __init__(self, training_data: TrainingData, state: RunState, reporter: Reporter) -> None:
        self._training_data = training_data
        self._state = state
        self._reporter = reporter

    def sample_tweet(self, sampling: Callable[[], SamplingConfig], seed: int, prime: str | None = None) -> str:
        """Sample and emit one tweet that passes the filter or comes nearest; return its text.

        `sampling` is called for the settings of each character; prime, maximum length and filter are those of the
        first. Raises `DivergedError` on a model with non-finite logits, `VocabError` where `prime` has an unknown
        character, `ConfigError` where it is too long or has an avoided word.
        """
        first = sampling() if prime is None else replace(sampling(), prime=prime)
        first.require_satisfiable()
        model, vocab = self._state.trainer.eval_model, self._training_data.vocab

        has_drafts = first.has_filter and first.temperature > 0
        progress = DraftProgress(self._reporter, self._state.stopwatch.clock) if has_drafts else None

        def sample(seeds: Sequence[int]) -> list[SampledTweet]:
            sampler = TweetSampler(model, vocab, first, seeds)
            while not sampler.is_done:
                sampler.set_sampling(sampling())
                sampler.advance()
                if progress is not None:
                    progress.report()
            if progress is not None:
                progress.num_drafts += len(seeds)
            return sampler.results()

        [chosen] = draft_tweets(sample, TweetFilter(first, self._copied_share), [seed], MAX_DRAFTS_IN_RUN)
        tweet = chosen.draft
        share = self._copied_share(tweet.text)
        self._reporter.emit(
            events.TweetSampled,
            **_common_fields(tweet, share),
            copied_share=round(share, 3),
            char_bits=tweet.char_bits if is_harmless(tweet.text) else (),
            prime=first.prime,
            num_drafts=chosen.num_drafts,
            refused=chosen.refused,
            unmet=chosen.unmet,
        )
        return tweet.text

    def sample_ladder(self, sampling: SamplingConfig, seed: int, temperatures: Sequence[float]) -> None:
        """Sample one tweet per temperature, all from one seed. Raises `ConfigError`, `VocabError`, `DivergedError`."""
        if not 1 <= len(temperatures) <= MAX_RUNGS or seed < 0:
            raise ConfigError(f"A ladder needs 1 to {MAX_RUNGS} temperatures and a seed of at least 0.")
        checked = [SamplingConfig(temperature=temperature).temperature for temperature in temperatures]
        model, vocab = self._state.trainer.eval_model, self._training_data.vocab
        tweets = sample_tweets(model, vocab, sampling, [seed] * len(checked), checked)
        shares = [self._copied_share(tweet.text) for tweet in tweets]
        rungs = tuple(events.LadderTweet(**fields) for fields in map(_common_fields, tweets, shares))
        self._reporter.emit(events.LadderSampled, prime=sampling.prime, seed=seed, rungs=rungs)

    def complete_text(self, text: str, request: int, sampling: SamplingConfig, seed: int) -> None:
        """Continue a text, as the answer to `request`. Raises `DivergedError`, `ConfigError`."""
        _check_length(text, 0)
        vocab = self._training_data.vocab
        unknown = unknown_chars(vocab, text)
        model = self._state.trainer.eval_model
        completion = Completion() if unknown else complete(model, vocab, sampling, text, seed)
        self._reporter.emit(
            events.TextCompleted,
            request=request,
            completion=tuple(completion.text),
            reached_eos=completion.reached_eos,
            next_chars=completion.next_chars,
            unknown_chars=unknown,
            bits_per_char=completion.bits_per_char,
        )

    def read_tweet(self, text: str) -> None:
        """Emit the model's predictions along a text, and the training tweet nearest to it.

        Raises `ConfigError` where it is too long, `DivergedError` on a model with non-finite logits.
        """
        _check_length(text, 1)
        data = self._training_data
        chars = score_chars(self._state.trainer.eval_model, data.vocab, text)
        nearest = nearest_tweet(data.corpus.train, text)
        self._reporter.emit(
            events.TweetRead,
            text=text,
            chars=chars,
            bits_per_char=sum(char.bits for char in chars) / len(chars),
            copied_share=round(self._copied_share(text), 3),
            nearest=nearest.text,
            nearest_share=nearest.share,
        )

    def _copied_share(self, text: str) -> float:
        return self._training_data.corpus.novelty.copied_share(text)


def _common_fields(tweet: SampledTweet, copied_share: float) -> dict[str, Any]:
    """Return the fields that `TweetSampled` and `LadderTweet` have in common."""
    return {
        "text": defused(tweet.text),
        "temperature": tweet.temperature,
        "reached_eos": tweet.reached_eos,
        "bits_per_char": tweet.bits_per_char,
        "novelty": novelty_of(copied_share),
    }


def _check_length(text: str, min_chars: int) -> None:
    """Raise `ConfigError` unless `text` has `min_chars` to `MAX_READ_CHARS` characters."""
    if not min_chars <= len(text) <= MAX_READ_CHARS:
        raise ConfigError(f"The text must have {min_chars} to {MAX_READ_CHARS:,} characters, not {len(text):,}.")


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
