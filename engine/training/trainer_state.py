"""The state of a trainer as named tensors, as a checkpoint stores it: views of the flat buffers."""

from __future__ import annotations

from torch import Tensor

from engine.compute.optimizer import FusedAdamW, RowRmsprop
from engine.model.flat_parameters import FlatParameters
from engine.model.gru import TABLE_NAME, TextGenerator, weights_with_prefix
from engine.model.weight_average import WeightAverage


def weight_tensors(model: TextGenerator, average: WeightAverage | None) -> dict[str, Tensor]:
    """Return weights (`model.`) and averaged weights if any (`average.`); not copies."""
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    if average is not None:
        tensors |= {f"average.{name}": tensor for name, tensor in average.model.state_dict().items()}
    return tensors


def optimizer_tensors(flat: FlatParameters, adamw: FusedAdamW, of_table: RowRmsprop | None) -> dict[str, Tensor]:
    """Return step count and state of each parameter (`optimizer.`); not copies.

    The state is two moments, of the same shape, and for a table one mean square per row, (1 + R,).
    """
    tensors = {f"optimizer.step.{name}": adamw.step_count for name in flat.views(flat.weights)}
    for key, moment in (("exp_avg", adamw.exp_avg), ("exp_avg_sq", adamw.exp_avg_sq)):
        tensors |= {f"optimizer.{key}.{name}": view for name, view in flat.views(moment).items()}
    return tensors if of_table is None else tensors | {f"optimizer.row_square.{TABLE_NAME}": of_table.row_square}


def state_buffers(
    model: TextGenerator,
    flat: FlatParameters,
    average: WeightAverage | None,
    adamw: FusedAdamW,
    of_table: RowRmsprop | None,
) -> list[Tensor]:
    """Return all tensors of the state, flat and in the same order on all ranks; not copies."""
    averages = [] if average is None else [*average.model.buffers(), average.weights]
    row_squares = [] if of_table is None else [of_table.row_square]
    weights = [*model.buffers(), flat.weights]  # the contexts of a table are a buffer
    return [*weights, *averages, adamw.exp_avg, adamw.exp_avg_sq, *row_squares, adamw.step_count]


def restore_state(
    tensors: dict[str, Tensor],
    model: TextGenerator,
    average: WeightAverage | None,
    optimizer: dict[str, Tensor],
) -> None:
    """Restore a trainer's state; an average that it lacks starts from the weights, and an optimizer from zeros.

    `optimizer` is `optimizer_tensors`. Raises `KeyError` or `RuntimeError` if they do not fit the model.
    """
    model.load_state_dict(weights_with_prefix(tensors, "model."))
    if average is not None:
        average.model.load_state_dict(weights_with_prefix(tensors, "average.") or model.state_dict())
    has_optimizer = any(name.startswith("optimizer.") for name in tensors)
    for name, tensor in optimizer.items():
        if has_optimizer:
            tensor.copy_(tensors[name])
        else:
            tensor.zero_()
