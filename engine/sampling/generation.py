"""`Generator`, sampling from a checkpoint without a run, and the statistics of a set of tweets.

No single figure means "good": a model that repeats one training tweet uses only known words, and random characters are
diverse. So known words, diversity, copies and length are computed for real tweets, too, for comparison.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.checkpoints.catalog import may_read_files
from engine.checkpoints.checkpoint import load_checkpoint
from engine.checkpoints.format import CheckpointInfo
from engine.compute.device import Runtime
from engine.config.fields import with_settings
from engine.config.run import RuntimeConfig, Setting
from engine.config.sampling import MAX_DRAFTS, SamplingConfig
from engine.corpus.arrays import FlatTweets
from engine.corpus.cleaning import duplicate_key
from engine.corpus.corpus import Corpus, load_corpus
from engine.corpus.hashing import NoveltyIndex
from engine.errors import CheckpointError, CorpusError
from engine.protocol.events import Novelty, RefusalReason
from engine.protocol.progress import OnProgress, no_progress
from engine.sampling.filter import TweetFilter, draft_tweets, require_samplable
from engine.sampling.sampler import SampledTweet, TweetSampler
from engine.text import sanitize


@dataclass(frozen=True, kw_only=True)
class Quality:
    """Statistics of a set of tweets; shares are 0 to 1."""

    num_tweets: int
    known_word_share: float
    """Share of words that occur in the training tweets, without case, @names, links and punctuation."""
    distinct_3: float
    """Distinct character trigrams as a share of all (Li et al. 2016, arXiv:1510.03055, with words); decreases with
    `num_tweets`, so only sets of equal size are comparable."""
    copy_share: float
    """Share of tweets that equal a training tweet."""
    near_copy_share: float
    """Share of tweets of which at least half consists of long substrings of training tweets."""
    mean_chars: float
    ended_share: float
    """Share of tweets that reached `<EOS>` before the maximum length."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Statistics of a model's tweets, and of as many real ones."""

    temperature: float
    """Temperature of the model's tweets."""
    seed: int
    """Seed of the model's first tweet."""
    written: Quality
    held_out: Quality
    train_mean_chars: float
    """Mean length of the training tweets."""


def compare(written: Sequence[GeneratedTweet], held_out: FlatTweets, corpus: Corpus) -> Comparison:
    """Compare a model's tweets (at least one) with as many of `held_out`, or all if there are fewer.

    `corpus` is the model's training corpus.
    """
    num_real = min(len(written), len(held_out))
    evenly_spaced = np.linspace(0, len(held_out), num_real, endpoint=False).astype(np.int64)
    texts, real = [tweet.text for tweet in written], list(held_out.select(evenly_spaced))
    unknown_words = unknown_words_in(corpus.train, [*texts, *real])
    num_ended = sum(tweet.reached_eos for tweet in written)
    return Comparison(
        temperature=written[0].temperature,
        seed=written[0].seed,
        written=_quality_of(texts, num_ended, unknown_words, corpus.novelty),
        held_out=_quality_of(real, num_real, unknown_words, corpus.novelty),  # a real tweet always ended
        train_mean_chars=sum(corpus.char_counts.values()) / len(corpus.train),
    )


def _quality_of(
    tweets: Sequence[str], num_ended: int, unknown_words: Collection[str], novelty: NoveltyIndex
) -> Quality:
    """Return the statistics of at least one tweet; `unknown_words` are those of `unknown_words_in`."""
    words = [word for tweet in tweets for word in words_of(tweet)]
    trigrams = Counter(tweet[at : at + 3] for tweet in tweets for at in range(len(tweet) - 2))
    judged = Counter(map(novelty.classify, tweets))
    return Quality(
        num_tweets=len(tweets),
        known_word_share=sum(word not in unknown_words for word in words) / max(1, len(words)),
        distinct_3=len(trigrams) / max(1, trigrams.total()),
        copy_share=judged["copy"] / len(tweets),
        near_copy_share=judged["near-copy"] / len(tweets),
        mean_chars=sum(map(len, tweets)) / len(tweets),
        ended_share=num_ended / len(tweets),
    )


def words_of(tweet: str) -> list[str]:
    """Return the words of a tweet, normalized like a duplicate key: without case and punctuation."""
    return duplicate_key(tweet).split()


def unknown_words_in(train: Iterable[str], tweets: Iterable[str]) -> frozenset[str]:
    """Return the words of `tweets` that occur in no training tweet; memory depends on `tweets` alone."""
    words = {word for tweet in tweets for word in words_of(tweet)}
    for tweet in train:
        words.difference_update(words_of(tweet))
    return frozenset(words)


@dataclass(frozen=True, kw_only=True)
class GeneratedTweet:
    """One sampled tweet; its fields are those of `generate --json`."""

    text: str
    """Every sampled character, blanks at the ends included."""
    temperature: float
    seed: int
    reached_eos: bool
    bits_per_char: float
    novelty: Novelty | None
    """None if the training tweets have not been loaded."""
    num_drafts: int = 1
    """Tweets sampled until this one was chosen, itself included."""
    refused: tuple[tuple[RefusalReason, int], ...] = ()
    """The number of drafts that the filter refused, by the first reason of each."""
    unmet: tuple[RefusalReason, ...] = ()
    """The reasons against this tweet, where no draft passed the filter and it came nearest."""


def load_training_corpus(path: Path, info: CheckpointInfo, on_progress: OnProgress = no_progress) -> Corpus:
    """Return the tweets that the checkpoint at `path` was trained on.

    Raises `CorpusError` if they are missing or changed, `CheckpointError` if the checkpoint is not a local one.
    """
    if not may_read_files(path, info):
        raise CheckpointError(f"{path.name} is from elsewhere, so the files that it names are not read.")
    corpus = load_corpus(info.corpus, on_progress)
    if corpus.digest != info.corpus_digest:
        raise CorpusError(f"{corpus.name} is no longer what the checkpoint was trained on.")
    return corpus


class Generator:
    """A model loaded from a checkpoint, for sampling only."""

    def __init__(self, path: Path, runtime_config: RuntimeConfig) -> None:
        """Load the checkpoint at `path`. Raises `CheckpointError` and `DeviceError`."""
        checkpoint = load_checkpoint(path)
        self._path = path
        self.info: CheckpointInfo = checkpoint.info
        self._vocab = checkpoint.vocab
        runtime = Runtime.resolve(runtime_config)
        runtime.apply()
        self._model = checkpoint.to_model(runtime.device)
        self._novelty: NoveltyIndex | None = None

    def load_training_tweets(self) -> None:
        """Load the training tweets, so that `generate` can detect copies of them. Raises as `load_training_corpus`."""
        self._novelty = load_training_corpus(self._path, self.info).novelty

    def sampling_config(self, settings: dict[str, Setting]) -> SamplingConfig:
        """Return the checkpoint's own distribution, prime and length, overridden by `settings`.

        The filter is that of `settings` alone: the run's own would refuse drafts that the user did not exclude.
        Raises `ConfigError` on invalid settings, and `VocabError` as `require_samplable`.
        """
        sampling = with_settings(self.info.sampling.without_filter(), settings)
        sampling.require_satisfiable()
        require_samplable(sampling, self._vocab)
        return sampling

    def generate(self, count: int, sampling: SamplingConfig, seed: int) -> Iterator[GeneratedTweet]:
        """Sample `count` tweets that pass the filter or come nearest, the i-th with the seed `seed` + i.

        `sampling` is from `sampling_config`; with `only_new` the training tweets must have been loaded.
        """

        def sample(seeds: Sequence[int]) -> list[SampledTweet]:
            return TweetSampler(self._model, self._vocab, sampling, seeds, may_compile=False).results()

        tweet_filter = TweetFilter(sampling, self._novelty.copied_share if self._novelty else None)
        for chosen in draft_tweets(sample, tweet_filter, range(seed, seed + count), MAX_DRAFTS):
            tweet = chosen.draft
            yield GeneratedTweet(
                text=sanitize(tweet.text),
                temperature=tweet.temperature,
                seed=chosen.seed,
                reached_eos=tweet.reached_eos,
                bits_per_char=tweet.bits_per_char,
                novelty=self._novelty.classify(tweet.text) if self._novelty else None,
                num_drafts=chosen.num_drafts,
                refused=chosen.refused,
                unmet=chosen.unmet,
            )
