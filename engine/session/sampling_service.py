"""`SamplingService`: samples tweets from the model of a run, answers queries about it, and emits the results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from engine.config.sampling import MAX_DRAFTS_IN_RUN, SamplingConfig
from engine.corpus.similarity.novelty import novelty_of
from engine.corpus.training_data import TrainingData
from engine.errors import ConfigError
from engine.protocol import events
from engine.sampling.filter import TweetFilter, draft_tweets
from engine.sampling.queries import Completion, complete, nearest_tweet, score_chars, unknown_chars
from engine.sampling.sampler import SampledTweet, TweetSampler, sample_tweets
from engine.session.draft_progress import DraftProgress
from engine.session.reporter import Reporter
from engine.session.state import RunState
from engine.text import defused, is_harmless

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
