"""From a `Trace` to the fields of `TextTraced`: predictions, gate summaries, bands."""

from __future__ import annotations

from typing import Any

import torch

from engine.insight.pooling import GATE_BANDS, STATE_BANDS, bands, by_mean, rounded
from engine.insight.trace import LayerTrace, Trace
from engine.model.vocab import Vocab
from engine.progress import Pieces
from engine.protocol.events import CharRead
from engine.protocol.insight import CharGates
from engine.sampling.queries import char_read

NEARLY_CLOSED, NEARLY_OPEN = 0.1, 0.9
"""A gate below or above is saturated (Karpathy, Johnson and Li 2015, arXiv:1506.02078)."""


def chars_read(vocab: Vocab, text: str, trace: Trace) -> Pieces[tuple[CharRead, ...]]:
    """Return the prediction of each character of `text`, and of its `<EOS>`."""
    log_probs = trace.log_probs.numpy()
    read = []
    for char, target, row in zip([*text, ""], trace.targets, log_probs, strict=True):
        read.append(char_read(vocab, char, target, row))
        yield
    return tuple(read)


def char_gates(layer: LayerTrace) -> tuple[CharGates, ...]:
    """Return a summary of the gates at each input."""
    reset, update = layer.reset, layer.update
    gates = torch.cat([reset, update], dim=1)  # (T + 1, 2H)
    is_saturated = (gates < NEARLY_CLOSED) | (gates > NEARLY_OPEN)
    columns = (
        reset.mean(dim=1),
        update.mean(dim=1),
        is_saturated.float().mean(dim=1),
        (update > NEARLY_OPEN).float().mean(dim=1),
        (update < NEARLY_CLOSED).float().mean(dim=1),
        layer.hidden.diff(dim=0).square().mean(dim=1).sqrt(),
    )
    return tuple(
        CharGates(
            reset_mean=reset_mean,
            update_mean=update_mean,
            saturated_share=saturated_share,
            kept_share=kept_share,
            overwritten_share=overwritten_share,
            hidden_change=hidden_change,
        )
        for reset_mean, update_mean, saturated_share, kept_share, overwritten_share, hidden_change in zip(
            *map(rounded, columns), strict=True
        )
    )


def layer_fields(trace: Trace, number: int) -> Pieces[dict[str, Any]]:
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
