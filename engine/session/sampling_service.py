"""`SamplingService`: has the model of a run write and answer, and tells what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from engine.config.run import SamplingConfig
from engine.corpus.similarity.novelty import novelty_of
from engine.errors import ConfigError
from engine.protocol import events
from engine.sampling.nearest import nearest_tweet
from engine.sampling.probes import Completion, complete, score_chars, unknown_chars
from engine.sampling.sampler import SampledTweet, TweetSampler, sample_tweets
from engine.session.reporter import Reporter
from engine.session.setup import Preparation
from engine.text import harmless

MAX_READ_CHARS = 2000
MAX_RUNGS = 64
"""Temperatures of a ladder; a command may come from anywhere, and nothing else is done meanwhile."""


class SamplingService:
    """Writes with whichever trainer `preparation` holds at the time. Used by the session's thread only."""

    def __init__(self, preparation: Preparation, reporter: Reporter) -> None:
        """Write as told, and tell it to `reporter`."""
        self._prepared = preparation
        self._reporter = reporter

    def sample_tweet(self, sampling: Callable[[], SamplingConfig], seed: int, prime: str | None = None) -> None:
        """Write one tweet. `sampling`, asked before each character, says how that one is drawn.

        Raises `DivergedError` on a model that has gone wrong, `VocabError` where `prime` holds an unknown character,
        `ConfigError` where it is too long.
        """
        first = sampling() if prime is None else replace(sampling(), prime=prime)
        writer = TweetSampler(self._prepared.trainer.eval_model, self._prepared.training_data.vocab, first, [seed])
        writer.advance()
        while not writer.is_done:
            writer.set_sampling(sampling())
            writer.advance()
        [tweet] = writer.results()
        share = self._copied_share(tweet.text)
        is_shown_whole = harmless(tweet.text) == tweet.text
        self._reporter.emit(
            events.TweetSampled,
            **_facts(tweet, share),
            copied_share=round(share, 3),
            char_bits=tweet.char_bits if is_shown_whole else (),
            prime=first.prime,
        )

    def sample_ladder(self, sampling: SamplingConfig, seed: int, temperatures: Sequence[float]) -> None:
        """Write one tweet per temperature, all from one seed. Raises `ConfigError`, `VocabError`, `DivergedError`."""
        if not 1 <= len(temperatures) <= MAX_RUNGS or seed < 0:
            raise ConfigError(f"A ladder takes 1 to {MAX_RUNGS} temperatures, and a seed of at least 0.")
        checked = [SamplingConfig(temperature=temperature).temperature for temperature in temperatures]
        model, vocab = self._prepared.trainer.eval_model, self._prepared.training_data.vocab
        tweets = sample_tweets(model, vocab, sampling, [seed] * len(checked), checked)
        shares = [self._copied_share(tweet.text) for tweet in tweets]
        rungs = tuple(events.LadderTweet(**facts) for facts in map(_facts, tweets, shares))
        self._reporter.emit(events.LadderSampled, prime=sampling.prime, seed=seed, rungs=rungs)

    def complete_text(self, text: str, request: int, sampling: SamplingConfig, seed: int) -> None:
        """Say how a text would go on, as an answer to `request`. Raises `DivergedError`, `ConfigError`."""
        _check_length(text, 0)
        vocab = self._prepared.training_data.vocab
        unknown = unknown_chars(vocab, text)
        if unknown:
            completion = Completion()
        else:
            completion = complete(self._prepared.trainer.eval_model, vocab, sampling, text, seed)
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
        """Say what the model thinks of a text, and which training tweet is most like it.

        Raises `ConfigError` where it is too long, `DivergedError` on a model that has gone wrong.
        """
        _check_length(text, 1)
        training_data = self._prepared.training_data
        chars = score_chars(self._prepared.trainer.eval_model, training_data.vocab, text)
        nearest = nearest_tweet(training_data.corpus.train, text)
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
        return self._prepared.training_data.corpus.novelty.copied_share(text)


def _facts(tweet: SampledTweet, copied_share: float) -> dict[str, Any]:
    """Return what events say of a tweet."""
    return {
        "text": harmless(tweet.text),
        "temperature": tweet.temperature,
        "reached_eos": tweet.reached_eos,
        "bits_per_char": tweet.bits_per_char,
        "novelty": novelty_of(copied_share),
    }


def _check_length(text: str, at_least: int) -> None:
    """Raise `ConfigError` where a text is not one that a question may be about."""
    if not at_least <= len(text) <= MAX_READ_CHARS:
        raise ConfigError(
            f"The model is asked about texts of {at_least} to {MAX_READ_CHARS:,} characters, not of {len(text):,}."
        )
