"""What a model card reports about the training tweets: counts, and figures that need their texts. Quotes none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from engine.baselines import baseline_pieces
from engine.checkpoints.checkpoint import Checkpoint
from engine.corpus.arrays import EncodedTweets
from engine.export.figures import Copies, count_copies
from engine.model.gru import TextGenerator
from engine.progress import OnProgress, part_of, run_to_end
from engine.sampling.generation import load_training_corpus
from engine.training.evaluation import evaluate

_READ = 0.3
"""Share of the total time that has passed once the tweets are read."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Counts of the training tweets, and the model's figures on them."""

    num_train_tweets: int
    num_val_tweets: int
    num_train_chars: int
    alphabet_size: int
    bits_per_char: float
    """Of the exported weights, on all validation tweets."""
    uniform_bits: float
    """The same of a model to which all characters are equally likely."""
    unigram_bits: float
    """The same of a model that knows how frequent each character is."""
    copies: Copies


def measure(path: Path, checkpoint: Checkpoint, model: TextGenerator, on_progress: OnProgress) -> Measured:
    """Read the tweets that the checkpoint at `path` was trained on, evaluate `model`, and count copies in samples.

    Raises as `load_training_corpus`.
    """
    info, vocab = checkpoint.info, checkpoint.vocab
    corpus = load_training_corpus(path, info, part_of(on_progress, 0.0, _READ))
    on_progress(_READ, "evaluating")
    train, held_out = (EncodedTweets.from_flat(tweets, vocab) for tweets in (corpus.train, corpus.validation))
    baselines = run_to_end(baseline_pieces(train, held_out, len(vocab), highest_order=1))
    bits_per_char = evaluate(model, held_out).bits_per_char
    sampling = replace(info.sampling, prime="")  # a model folder stores no prime
    copies = count_copies(model, vocab, sampling, corpus.novelty, part_of(on_progress, _READ, 1.0))
    return Measured(
        num_train_tweets=len(corpus.train),
        num_val_tweets=len(corpus.validation),
        num_train_chars=sum(corpus.char_counts.values()),
        alphabet_size=len(corpus.char_counts),
        bits_per_char=bits_per_char,
        uniform_bits=baselines["uniform"],
        unigram_bits=baselines["unigram"],
        copies=copies,
    )
