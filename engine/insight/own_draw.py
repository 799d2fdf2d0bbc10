"""The model fed with its own draws in place of a text, as it is when it samples."""

from __future__ import annotations

import numpy as np

from engine.compute.stepper import CharStepper
from engine.config.sampling import SamplingConfig
from engine.errors import DivergedError
from engine.model.gru import TextGenerator
from engine.model.vocab import BOS, EOS
from engine.progress import Pieces
from engine.protocol.insight import MAX_TRACED_CHARS
from engine.sampling.logits import draw, next_char_weights
from engine.sampling.queries import COMPLETION_CHARS
from engine.sampling.sampler import uniforms_of


def longest_own_text(sampling: SamplingConfig, num_given: int) -> int:
    """Return the maximum length of a text that begins with `num_given` characters.

    It is the samples' own, up to `MAX_TRACED_CHARS`, but at least long enough for some draws.
    """
    return max(min(sampling.max_length, MAX_TRACED_CHARS), num_given + COMPLETION_CHARS)


def draw_on(
    model: TextGenerator, sampling: SamplingConfig, token_ids: list[int], seed: int, max_length: int
) -> Pieces[list[int]]:
    """Return `token_ids` and what the model draws after them, ended by `EOS` or at `max_length`.

    The draws are those of `TweetSampler` with this prime, which can't contain unknown characters, and `max_length`.
    """
    stepper = CharStepper(model, may_compile=False)
    log_probs = stepper.step(np.array([BOS]))  # (1, V)
    for token_id in token_ids:
        log_probs = stepper.step(np.array([token_id]))
        yield
    uniforms = uniforms_of(seed, max_length)
    temperature = np.full((1, 1), sampling.temperature, dtype=np.float32)
    drawn = list(token_ids)
    while len(drawn) < max_length:
        if not np.isfinite(log_probs).all():
            raise DivergedError("The model's output is not finite, so it can't sample.", "Load a checkpoint.")
        chosen = draw(next_char_weights(log_probs, sampling, temperature), uniforms[len(drawn), None])  # (1,)
        drawn.append(int(chosen[0]))
        if drawn[-1] == EOS:
            break
        log_probs = stepper.step(chosen)
        yield
    return drawn
