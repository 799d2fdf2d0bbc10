"""How much each earlier input matters to one prediction: by occlusion, or by the gradient.

Occlusion (Zeiler and Fergus 2014, arXiv:1311.2901; of words by Li, Monroe and Jurafsky 2016, arXiv:1612.08220) replaces
one input's embedding by the mean embedding of the vocabulary's characters, each counted once, and runs the model again.
The special symbols are not part of that mean: `<PAD>` is never trained, and the others mark ends. A context that
contains the replaced input has no row in the n-gram input. The gradient (Simonyan, Vedaldi and Zisserman 2013,
arXiv:1312.6034) is that of the true character's bits, by the embeddings; the rows of the n-gram input stay the same.

P is the position of the target: the inputs 0 to P precede it.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from engine.insight.snapshot import ExplicitGru, Snapshot
from engine.insight.trace import FINE_DIGITS, LayerTrace, Trace, check_index, check_text, require_finite, rounded, trace
from engine.model.gru import NO_ROW
from engine.model.parameters import InferenceLayer
from engine.model.vocab import EOS, ORDERS, SPECIALS
from engine.protocol.insight import MeasureReach
from engine.protocol.progress import CooperativeTask
from engine.text import sanitize_in_place

_BATCH_ROWS = 64


def measure_reach(model: Snapshot, command: MeasureReach) -> CooperativeTask[dict[str, Any]]:
    """Return the fields of `ReachMeasured`. Raises `ConfigError` on an invalid command."""
    text, position = command.text, command.position
    check_text(text)
    check_index("position", position, len(text), "The text's length stands for <EOS>.")
    measure = occlusion if command.method == "occlusion" else gradient
    scores = yield from measure(model.gru, model.vocab.encode(text), position)
    return {
        "text": sanitize_in_place(text),
        "position": position,
        "method": command.method,
        "scores": tuple(rounded(scores, FINE_DIGITS)),
    }


def occlusion(gru: ExplicitGru, token_ids: list[int], position: int) -> CooperativeTask[Tensor]:
    """Return by how many bits the target's cost rises when each input is replaced, (P + 1,).

    Row i of a batch is the run with input i replaced. Up to there it is the true run, so it joins the batch at i.
    Raises `DivergedError` if the model's output is not finite.
    """
    true = yield from trace(gru, token_ids[:position])
    last = torch.empty_like(true.layers[-1].reset)  # (P + 1, H)
    for first in range(0, position + 1, _BATCH_ROWS):
        last[first : first + _BATCH_ROWS] = yield from _replaced_runs(gru, true, first)
    target = _target(token_ids, position)
    log_probs = gru.logits(last).log_softmax(dim=-1)  # (P + 1, V)
    bits = (true.log_probs[-1, target] - log_probs[:, target]) / math.log(2)
    require_finite(bits)
    return bits


def _replaced_runs(gru: ExplicitGru, true: Trace, first: int) -> CooperativeTask[Tensor]:
    """Return the last state of the last layer, (rows, H), with one of `_BATCH_ROWS` inputs from `first` on replaced."""
    num_inputs = len(true.inputs)
    columns = gru.project(0, true.embedded[first:])  # (inputs, 4H)
    mean_embedding = gru.embedding[len(SPECIALS) :].mean(dim=0, keepdim=True)  # (1, E)
    replaced = gru.project(0, mean_embedding)  # (1, 4H)
    true_rows = gru.ngram_rows(torch.tensor([true.inputs]))[:, 0]  # (3, P + 1)
    lengths = torch.tensor(ORDERS)[:, None]  # (3, 1)
    states = gru.initial_states(0)
    for place in range(first, num_inputs):
        inputs = columns[place - first].repeat(len(states[0]), 1)  # (rows, 4H)
        if place < first + _BATCH_ROWS:  # one more row, with this input replaced
            inputs = torch.cat([inputs, replaced])
            before = [layer.hidden[place, None] for layer in true.layers]
            states = [torch.cat([rows, row]) for rows, row in zip(states, before, strict=True)]
        distances = torch.arange(place - first, place - first - len(inputs), -1)  # (rows,): back to the replaced input
        ngram_rows = torch.where(distances < lengths, NO_ROW, true_rows[:, place, None])  # (3, rows)
        states = gru.step(gru.add_ngrams(inputs, ngram_rows), states)
        yield
    return states[-1]


def gradient(gru: ExplicitGru, token_ids: list[int], position: int) -> CooperativeTask[Tensor]:
    """Return the norm of the gradient of the target's bits with respect to each input's embedding, (P + 1,).

    Raises `DivergedError` if the model's output is not finite.
    """
    true = yield from trace(gru, token_ids[:position])
    upper = torch.zeros_like(true.layers[-1].reset)  # (P + 1, H): gradient by the outputs of a layer
    upper[-1] = gru.gradient_of_nats(true.log_probs[-1], _target(token_ids, position)) / math.log(2)
    for number in reversed(range(len(gru.layers))):
        upper = yield from _backwards(gru.layers[number], true.layers[number], upper)
    norms: Tensor = torch.linalg.vector_norm(upper, dim=1)
    require_finite(norms)
    return norms


def _target(token_ids: list[int], position: int) -> int:
    """Return the id of the target at `position`, the text's length for `<EOS>`."""
    return [*token_ids, EOS][position]


def _backwards(layer: InferenceLayer, traced: LayerTrace, upper: Tensor) -> CooperativeTask[Tensor]:
    """Return the gradient by a layer's inputs, (P + 1, E or H), from that by its outputs, `upper` (P + 1, H).

    With m = W_hn h + b_hn, the gradient dh' reaches n as dh' (1 - z), z as dh' (h - n), and h directly as dh' z.
    """
    before = traced.hidden[:-1]  # (P + 1, H)
    reset, update, candidate = traced.reset, traced.update, traced.candidate
    gates, new = 2 * before.shape[1], 3 * before.shape[1]
    from_state = torch.addmm(layer.bias[gates:new], before, layer.weight_hh_t[:, gates:])  # m
    to_new = (1 - update) * (1 - candidate.square())
    to_reset = to_new * from_state * reset * (1 - reset)
    to_update = (before - candidate) * update * (1 - update)
    factors = torch.stack([to_reset, to_update, to_new * reset], dim=1)  # (P + 1, 3, H): before r, z and m
    by_hidden = torch.empty_like(upper)  # (P + 1, H): dh' of each step
    later = torch.zeros_like(upper[:1])
    yield
    for place in reversed(range(len(upper))):
        by_hidden[place] = upper[place] + later[0]
        sums = (by_hidden[place] * factors[place]).reshape(1, -1)  # (1, 3H)
        later = torch.addmm(by_hidden[place, None] * update[place], sums, layer.weight_hh)
        yield
    sums = torch.cat([by_hidden * to_reset, by_hidden * to_update, by_hidden * to_new], dim=1)  # (P + 1, 3H)
    return torch.mm(sums, layer.weight_ih)
