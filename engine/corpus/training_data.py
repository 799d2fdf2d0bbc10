"""`TrainingData`: the corpus of a run, its vocabulary and its encoded tweets; the source of batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from engine.config.corpus import CorpusConfig, absolute_path
from engine.config.run import RunConfig, TrainingConfig
from engine.corpus.arrays import Batch, EncodedTweets, Ids
from engine.corpus.batches import ALL, POOL_BATCHES, BatchStream, Part, Weights, epoch_order
from engine.corpus.corpus import Corpus, load_corpus
from engine.errors import CorpusError
from engine.model.ngram_contexts import frequent_contexts
from engine.model.vocab import Vocab
from engine.protocol.progress import BatchCursor, Stage

DEFAULT_MIN_CHAR_COUNT = 2
_RARE_SHARE, _MAX_MIN_CHAR_COUNT = 3e-6, 10
"""A character with a smaller share and a smaller count becomes `<UNK>`: learning it costs more than it gains (measured:
docs/recipes.md)."""
_SOME_TWEETS = 512
MAX_UNKNOWN_SHARE = 0.05
"""Largest share of a corpus's characters that a vocabulary with `max_tweets` may lack: a foreign script gains nothing.
"""


@dataclass(frozen=True, kw_only=True)
class KnownVocab:
    """The vocabulary of a trained model, which a run extends by the tweets' own characters."""

    chars: tuple[str, ...]
    trained_digest: str = ""
    """The hash of the tweets that the model was trained on so far: on the same ones the vocabulary stays as it is."""
    max_tweets: int | None = None
    """It is used for fewer training tweets only, and of the same script; None: for all."""


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """The data of a run, immutable."""

    config: CorpusConfig
    corpus: Corpus
    vocab: Vocab
    train_tweets: EncodedTweets
    uses_known_vocab: bool = False
    """Whether the vocabulary starts with that of a trained model."""
    foreign_share: float = 0.0
    """Share of the characters that a known vocabulary lacks, where that is why it is not used; else 0."""
    part: Part = ALL
    """The part of each batch that this process trains on."""
    _contexts: dict[tuple[int, int], Ids] = field(default_factory=dict, repr=False, compare=False)

    def frequent_contexts(self, order: int, hidden_size: int) -> Ids:
        """Return the codes of the contexts of an n-gram input, (R,), which are counted once."""
        key = order, hidden_size
        if key not in self._contexts:
            tweets = self.train_tweets
            self._contexts[key] = frequent_contexts(
                tweets.token_ids, tweets.offsets, len(self.vocab), order, hidden_size
            )
        return self._contexts[key]

    @property
    def weights(self) -> Weights | None:
        """Mean repetitions of each training tweet per epoch, (tweets,); None if each comes once."""
        if not self.config.weight or self.config.overfit is not None:
            return None
        return np.repeat(np.array(self.config.weight, dtype=np.float64), self.corpus.num_train_by_file)

    def resume_position(self, corpus_digest: str, position: BatchCursor) -> BatchCursor:
        """Return `position` if `corpus_digest` is that of these tweets, else the start."""
        return position if corpus_digest == self.corpus.digest else BatchCursor()

    def batches(
        self, training: TrainingConfig, position: BatchCursor, training_there: TrainingConfig | None = None
    ) -> BatchStream:
        """Return the stream of training batches, from `position` on.

        If `position` counts batches of other sizes, those of `training_there`, the stream continues at the same share
        of the epoch. The order depends on the batch size, so some tweets come twice in that epoch and others not at
        all.
        """
        there = training_there or training
        stream = self._stream(there, training.seed, position)
        if (there.batch_size, there.first_batch_size) == (training.batch_size, training.first_batch_size):
            return stream
        epochs = stream.epochs
        stream = self._stream(training, training.seed, BatchCursor(epoch=int(epochs)))
        stream.seek(epochs - int(epochs))
        return stream

    def _stream(self, sizes: TrainingConfig, seed: int, position: BatchCursor) -> BatchStream:
        return BatchStream(
            self.train_tweets,
            sizes.batch_size,
            seed,
            position,
            self.weights,
            self.part,
            first_batch_size=sizes.first_batch_size,
        )

    def some_batches(self, batch_size: int) -> list[Batch]:
        """Return a few typical batches, at least one, from an even sample of the tweets; always the same."""
        spread = np.linspace(0, len(self.train_tweets) - 1, min(POOL_BATCHES * batch_size, len(self.train_tweets)))
        tweets = spread.astype(np.int64)
        order = epoch_order(self.train_tweets.lengths[tweets], batch_size, seed=0, epoch=0)
        return [self.train_tweets.batch(tweets[own]) for own in order[: max(1, _SOME_TWEETS // batch_size)]]

    def some_validation_tweets(self, count: int) -> EncodedTweets:
        """Return at most `count` validation tweets, evenly spaced, so that every file is represented."""
        tweets = self.corpus.validation
        if len(tweets) > count:
            tweets = tweets.select(np.linspace(0, len(tweets) - 1, count).round().astype(np.int64))
        return EncodedTweets.from_flat(tweets, self.vocab)


def corpus_config_of(config: RunConfig, resumed: CorpusConfig | None) -> CorpusConfig:
    """Return the corpus settings of a run, by default those of the resumed run, with absolute paths."""
    if config.corpus is None and resumed is not None:
        return resumed
    corpus = config.corpus or CorpusConfig()
    keeps_every_char = corpus.overfit is not None or config.preset == "tutorial"
    least = corpus.min_char_count if keeps_every_char else max(corpus.min_char_count, DEFAULT_MIN_CHAR_COUNT)
    return replace(corpus, files=tuple(map(absolute_path, corpus.files)), min_char_count=least)


def load_training_data(
    config: CorpusConfig, known: KnownVocab | None, on_stage: Callable[[Stage], None]
) -> TrainingData:
    """Load and encode the tweets, with a new vocabulary or a `known` one, extended. Raises `TweetgenError`."""

    def on_progress(share: float | None, doing: str) -> None:
        on_stage(Stage("reading the tweets", share, doing))

    on_stage(Stage("reading the tweets"))
    corpus = load_corpus(config, on_progress)
    _check_weights(config, corpus)
    foreign_share = 0.0
    if known is not None and known.max_tweets is not None:
        is_small = len(corpus.train) < known.max_tweets
        foreign_share = _foreign_share(known, corpus) if is_small else 0.0
        known = known if is_small and not foreign_share else None
    vocab = _vocab_of(config, corpus, known)
    train_tweets = EncodedTweets.from_flat(corpus.train, vocab)
    return TrainingData(
        config=config,
        corpus=corpus,
        vocab=vocab,
        train_tweets=train_tweets,
        uses_known_vocab=known is not None,
        foreign_share=foreign_share,
    )


def _foreign_share(known: KnownVocab, corpus: Corpus) -> float:
    """Return the share of the characters that a known vocabulary lacks if that is too large to use it; else 0."""
    chars = frozenset(known.chars)
    unknown = sum(count for char, count in corpus.char_counts.items() if char not in chars)
    return unknown / corpus.num_train_chars if unknown > MAX_UNKNOWN_SHARE * corpus.num_train_chars else 0.0


def _vocab_of(config: CorpusConfig, corpus: Corpus, known: KnownVocab | None) -> Vocab:
    """Return the vocabulary of the tweets, after the characters of a known one."""
    if known is not None and known.trained_digest == corpus.digest:
        return Vocab(known.chars)
    own = Vocab.from_counts(corpus.char_counts, min_char_count_for(config, corpus.num_train_chars))
    return own if known is None else Vocab(known.chars).extended_by(own)


def min_char_count_for(config: CorpusConfig, num_train_chars: int) -> int:
    """Return the least count of a character in the vocabulary; 1 if `config` asks for every character."""
    if config.min_char_count < DEFAULT_MIN_CHAR_COUNT:
        return config.min_char_count
    return max(config.min_char_count, min(round(num_train_chars * _RARE_SHARE), _MAX_MIN_CHAR_COUNT))


def _check_weights(config: CorpusConfig, corpus: Corpus) -> None:
    """Raise `CorpusError` if an epoch could be empty: no file with training tweets has a weight of 1 or more."""
    if not config.weight or config.overfit is not None:
        return
    weights = zip(config.weight, corpus.num_train_by_file, strict=True)
    if not any(weight >= 1 and num_tweets for weight, num_tweets in weights):
        raise CorpusError(
            "--weight is below 1 for every file that has training tweets.",
            "Name the file with the largest weight first: of duplicates, the first is kept.",
        )
