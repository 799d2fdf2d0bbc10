"""Training: what a loss means, by models that use less of the tweet."""

import math
from collections import Counter


def uniform_loss(vocab_size: int) -> float:
    """Return the loss of guessing blindly: each character has the probability 1 / V."""
    return math.log(vocab_size)


def unigram_loss(train: list[list[int]], validation: list[list[int]], vocab_size: int) -> float:
    """Return the loss of predicting each id by its frequency; unseen ids share a little of it (Witten-Bell)."""
    counts = Counter(token_id for tweet in train for token_id in tweet)
    num_kinds, total = len(counts), counts.total()
    targets = [token_id for tweet in validation for token_id in tweet]
    chances = [(counts[token_id] + num_kinds / vocab_size) / (total + num_kinds) for token_id in targets]
    return -sum(map(math.log, chances)) / len(targets)


def bits(loss: float) -> float:
    """Return a loss in bits per character: nats / ln 2."""
    return loss / math.log(2)
