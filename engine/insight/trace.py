"""The trace of a text: what every part of the model computes at each character."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor

from engine.compute.stepper import HeldUnit
from engine.errors import DivergedError
from engine.insight.explicit_gru import ExplicitGru, GruLayer
from engine.model.gru import TextGenerator
from engine.model.vocab import BOS, EOS
from engine.progress import Pieces


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


def trace(gru: ExplicitGru, token_ids: list[int], held: HeldUnit | None = None) -> Pieces[Trace]:
    """Trace the text of these `token_ids`, with one unit held if that is given.

    Raises `DivergedError` if the model's output is not finite.
    """
    inputs = [BOS, *token_ids]
    embedded = gru.embedding[inputs]  # (T + 1, E)
    layers: list[LayerTrace] = []
    rows = gru.ngram_rows(torch.tensor([inputs]))[:, 0]  # (3, T + 1)
    projected = gru.add_ngrams(gru.layers[0].project(embedded), rows)  # (T + 1, 3H)
    for number, layer in enumerate(gru.layers):
        if number > 0:
            projected = layer.project(layers[-1].hidden[1:])  # (T + 1, 3H)
        layers.append((yield from _trace_layer(layer, projected, number, held)))
    log_probs = gru.logits(layers[-1].hidden[1:]).log_softmax(dim=-1)  # (T + 1, V)
    require_finite(log_probs)
    yield
    return Trace(tuple(inputs), (*token_ids, EOS), embedded, layers, log_probs)


def _trace_layer(layer: GruLayer, projected: Tensor, number: int, held: HeldUnit | None) -> Pieces[LayerTrace]:
    """Trace layer `number`, with the `projected` inputs (T + 1, 3H)."""
    yield
    reset, update, candidate = projected.new_empty(3, len(projected), layer.size)
    hidden = projected.new_zeros(len(projected) + 1, layer.size)
    for place in range(len(projected)):
        here = slice(place, place + 1)
        step = layer.step(projected[here], hidden[here])
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
