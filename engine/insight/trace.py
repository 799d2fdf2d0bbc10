"""The trace of a text: what every part of the model computes at each character, or while fed with its own draws.

`trace_text` makes an event of it: predictions, summaries of the gates, and units pooled into bands that fit a screen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor

from engine.compute.stepper import CharStepper, HeldUnit
from engine.errors import ConfigError, DivergedError
from engine.insight.snapshot import ExplicitGru, Snapshot, layer_step
from engine.model.gru import TextGenerator
from engine.model.parameters import InferenceLayer
from engine.model.vocab import BOS, EOS, Vocab
from engine.protocol.events import CharRead
from engine.protocol.insight import MAX_TRACED_CHARS, Bands, CharGates, OwnDraw, TraceText
from engine.protocol.progress import CooperativeTask
from engine.sampling.logits import NEVER_SAMPLED, draw, next_char_weights, uniforms_of
from engine.sampling.queries import COMPLETION_CHARS, char_read
from engine.text import sanitize_in_place

STATE_BANDS, GATE_BANDS = 32, 24
"""Bands of embeddings and hidden states, and of gates."""
DIGITS, FINE_DIGITS, _LOSS_DIGITS = 3, 5, 8
NEARLY_CLOSED, NEARLY_OPEN = 0.1, 0.9
"""A gate below or above is saturated (Karpathy, Johnson and Li 2015, arXiv:1506.02078)."""


@dataclass(frozen=True)
class LayerTrace:
    """One layer along T + 1 inputs."""

    reset: Tensor  # (T + 1, H)
    update: Tensor  # (T + 1, H)
    candidate: Tensor  # (T + 1, H)
    hidden: Tensor  # (T + 2, H): before the first input, then after each one


@dataclass(frozen=True)
class Trace:
    """A whole model along a text of T characters."""

    inputs: tuple[int, ...]  # (T + 1,): BOS, characters
    targets: tuple[int, ...]  # (T + 1,): characters, EOS
    embedded: Tensor  # (T + 1, E)
    layers: list[LayerTrace]
    log_probs: Tensor  # (T + 1, V), nats

    @property
    def stepwise_loss(self) -> float:
        """Mean loss of the targets, summed step by step, nats."""
        losses = [-float(row[target]) for row, target in zip(self.log_probs, self.targets, strict=True)]
        return sum(losses) / len(losses)


def trace(gru: ExplicitGru, token_ids: list[int], held: HeldUnit | None = None) -> CooperativeTask[Trace]:
    """Trace the text of these `token_ids`, with one unit held if that is given.

    Raises `DivergedError` if the model's output is not finite.
    """
    inputs = [BOS, *token_ids]
    embedded = gru.embedding[inputs]  # (T + 1, E)
    layers: list[LayerTrace] = []
    rows = gru.ngram_rows(torch.tensor([inputs]))[:, 0]  # (3, T + 1)
    columns = gru.add_ngrams(gru.project(0, embedded), rows)  # (T + 1, 4H)
    for number, layer in enumerate(gru.layers):
        if number > 0:
            columns = gru.project(number, layers[-1].hidden[1:])  # (T + 1, 4H)
        layers.append((yield from _trace_layer(layer, columns, number, held)))
    log_probs = gru.logits(layers[-1].hidden[1:]).log_softmax(dim=-1)  # (T + 1, V)
    require_finite(log_probs)
    yield
    return Trace(tuple(inputs), (*token_ids, EOS), embedded, layers, log_probs)


def _trace_layer(
    layer: InferenceLayer, columns: Tensor, number: int, held: HeldUnit | None
) -> CooperativeTask[LayerTrace]:
    """Trace layer `number`, with the columns of its inputs (T + 1, 4H)."""
    yield
    num_inputs, size = len(columns), columns.shape[1] // 4
    reset, update, candidate = columns.new_empty(3, num_inputs, size)
    hidden = columns.new_zeros(num_inputs + 1, size)
    for place in range(num_inputs):
        here = slice(place, place + 1)
        step = layer_step(layer, columns[here], hidden[here])
        if held is not None:
            held.apply(number, step.hidden)
        reset[here], update[here], candidate[here] = step.reset, step.update, step.candidate
        hidden[place + 1] = step.hidden[0]
        yield
    return LayerTrace(reset, update, candidate, hidden)


@torch.no_grad()
def sequence_loss(model: TextGenerator, token_ids: list[int]) -> float:
    """Return the mean loss of the targets from the whole sequence at once, by the module's own `forward`, nats."""
    logits, _ = model(torch.tensor([[BOS, *token_ids]]))  # (1, T + 1, V)
    return float(F.cross_entropy(logits[0], torch.tensor([*token_ids, EOS])))


def require_finite(numbers: Tensor) -> None:
    """Raise `DivergedError` unless all `numbers`, which the model computed, are finite."""
    if not numbers.isfinite().all():
        raise DivergedError("The model's output is not finite, so it can't be examined.", "Load a checkpoint.")


def check_text(text: str) -> None:
    """Raise `ConfigError` unless the text can be traced."""
    if not text:
        raise ConfigError("There is no text to look at.", "Give a text of at least one character.")
    if len(text) > MAX_TRACED_CHARS:
        raise ConfigError(
            f"The text has {len(text):,} characters; at most {MAX_TRACED_CHARS} can be traced.", "Shorten it."
        )


def check_index(name: str, value: int, last: int, hint: str) -> None:
    """Raise `ConfigError` unless `value` is from 0 to `last`."""
    if not 0 <= value <= last:
        raise ConfigError(f"The {name} must be from 0 to {last:,}, not {value:,}.", hint)


def check_layer_and_seed(model: Snapshot, layer: int, seed: int) -> None:
    """Raise `ConfigError` if the model has no such layer, or the seed is negative."""
    check_index("layer", layer, model.model.rnn.num_layers - 1, "The first layer is 0.")
    if seed < 0:
        raise ConfigError(f"The seed must be at least 0, not {seed:,}.", "Use 0 or more.")


def trace_text(model: Snapshot, command: TraceText) -> CooperativeTask[dict[str, Any]]:
    """Return the fields of `TextTraced`. Raises `ConfigError` on an invalid command."""
    text = command.text
    check_text(text)
    check_layer_and_seed(model, command.layer, command.seed)
    if command.own_from is not None:
        check_index("start of own draws", command.own_from, len(text), "It can't be behind the text.")
    token_ids = model.vocab.encode(text)
    traced = yield from trace(model.gru, token_ids)
    chars = yield from chars_read(model.vocab, text, traced)
    of_layer = yield from layer_fields(traced, command.layer)
    own = None if command.own_from is None else (yield from _draw_own(model, command, command.own_from))
    after = traced.log_probs[-1, [each for each in range(len(model.vocab)) if each not in NEVER_SAMPLED]]
    return {
        "text": sanitize_in_place(text),
        "layer": command.layer,
        "num_layers": len(traced.layers),
        "embedding_size": model.model.embed.embedding_dim,
        "hidden_size": model.gru.hidden_size,
        "vocab_size": len(model.vocab),
        "token_ids": traced.inputs,
        "chars": chars,
        "next_log_probs": tuple(rounded(after.sort(descending=True).values)),
        "stepwise_loss": round(traced.stepwise_loss, _LOSS_DIGITS),
        "sequence_loss": round(sequence_loss(model.model, token_ids), _LOSS_DIGITS),
        "own": own,
        **of_layer,
    }


def chars_read(vocab: Vocab, text: str, trace: Trace) -> CooperativeTask[tuple[CharRead, ...]]:
    """Return the prediction of each character of `text`, and of its `<EOS>`."""
    log_probs = trace.log_probs.numpy()
    read = []
    for char, target, row in zip([*text, ""], trace.targets, log_probs, strict=True):
        read.append(char_read(vocab, char, target, row))
        yield
    return tuple(read)


def layer_fields(trace: Trace, number: int) -> CooperativeTask[dict[str, Any]]:
    """Return the fields of `TextTraced` about the embeddings, and the gates and states of layer `number`."""
    layer = trace.layers[number]
    fields: dict[str, Any] = {"gates": char_gates(layer)}
    yield
    fields["embedding_bands"] = bands(trace.embedded, STATE_BANDS)
    fields["hidden_bands"] = bands(layer.hidden, STATE_BANDS)
    units = by_mean(layer.update)
    for name in ("reset", "update", "candidate"):
        yield
        fields[f"{name}_bands"] = bands(getattr(layer, name)[:, units], GATE_BANDS)
    return fields


def char_gates(layer: LayerTrace) -> tuple[CharGates, ...]:
    """Return a summary of the gates at each input."""
    reset, update = layer.reset, layer.update
    gates = torch.cat([reset, update], dim=1)  # (T + 1, 2H)
    is_saturated = (gates < NEARLY_CLOSED) | (gates > NEARLY_OPEN)
    columns = {
        "reset_mean": reset.mean(dim=1),
        "update_mean": update.mean(dim=1),
        "saturated_share": is_saturated.float().mean(dim=1),
        "kept_share": (update > NEARLY_OPEN).float().mean(dim=1),
        "overwritten_share": (update < NEARLY_CLOSED).float().mean(dim=1),
        "hidden_change": layer.hidden.diff(dim=0).square().mean(dim=1).sqrt(),
    }
    rows = zip(*map(rounded, columns.values()), strict=True)
    return tuple(CharGates(**dict(zip(columns, row, strict=True))) for row in rows)


def bands(values: Tensor, max_bands: int) -> Bands:
    """Return the means of up to `max_bands` groups of neighbouring units, (T, units) to (T, bands).

    The groups' sizes differ by at most one unit.
    """
    groups = values.tensor_split(min(max_bands, values.shape[1]), dim=1)
    pooled = torch.stack([group.mean(dim=1) for group in groups], dim=1)  # (T, bands)
    return tuple(map(tuple, np.round(pooled.double().numpy(), DIGITS).tolist()))


def by_mean(values: Tensor) -> Tensor:
    """Return the units of `values` (T, units) in ascending order of their mean over the text."""
    return values.mean(dim=0).argsort(stable=True)


def rounded(values: Tensor, digits: int = DIGITS) -> list[float]:
    """Return a vector as floats with so many digits after the point."""
    numbers: list[float] = np.round(values.double().numpy(), digits).tolist()
    return numbers


def _draw_own(model: Snapshot, command: TraceText, first: int) -> CooperativeTask[OwnDraw]:
    """Return the trace of the model's own draws after `first` characters of the text."""
    drawn = yield from _draw_on(model, model.vocab.encode(command.text[:first]), command.seed)
    reached_eos = drawn[-1] == EOS
    if reached_eos:
        drawn.pop()
    text = command.text[:first] + model.vocab.decode(drawn[first:])
    traced = yield from trace(model.gru, drawn)
    return OwnDraw(
        first=first,
        text=sanitize_in_place(text),
        reached_eos=reached_eos,
        chars=(yield from chars_read(model.vocab, text, traced)),
        hidden_bands=bands(traced.layers[command.layer].hidden, STATE_BANDS),
    )


def _draw_on(model: Snapshot, token_ids: list[int], seed: int) -> CooperativeTask[list[int]]:
    """Return `token_ids` and what the model draws after them, ended by `EOS` or at the maximum length.

    The draws are those of `TweetSampler` with this prime, which can't contain unknown characters. The maximum is that
    of samples, up to `MAX_TRACED_CHARS`, but at least long enough for some draws.
    """
    sampling = model.sampling
    max_length = max(min(sampling.max_length, MAX_TRACED_CHARS), len(token_ids) + COMPLETION_CHARS)
    stepper = CharStepper(model.model, may_compile=False)
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
