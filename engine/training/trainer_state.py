"""The state of a trainer as named tensors, as a checkpoint stores it."""

from __future__ import annotations

from torch import Tensor

from engine.compute.optimizer_step import Optimizer
from engine.model.gru import TextGenerator, weights_with_prefix
from engine.model.weight_average import WeightAverage

_OPTIMIZER_KEYS = ("step", "exp_avg", "exp_avg_sq")


def state_tensors(model: TextGenerator, average: WeightAverage | None, optimizer: Optimizer) -> dict[str, Tensor]:
    """Return weights (`model.`), averaged weights if any (`average.`), optimizer (`optimizer.`); not copies."""
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    if average is not None:
        tensors |= {f"average.{name}": tensor for name, tensor in average.model.state_dict().items()}
    for name, parameter in model.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"optimizer.{key}.{name}"] = value
    return tensors


def restore_state(
    tensors: dict[str, Tensor],
    step_count: int,
    model: TextGenerator,
    average: WeightAverage | None,
    optimizer: Optimizer,
) -> None:
    """Restore the `state_tensors` of step `step_count`; an average that they lack starts from the weights.

    Raises `KeyError` or `RuntimeError` if they do not fit the model.
    """
    model.load_state_dict(weights_with_prefix(tensors, "model."))
    if average is not None:
        average.model.load_state_dict(weights_with_prefix(tensors, "average.") or model.state_dict())
    optimizer.state.clear()
    for name, parameter in model.named_parameters():
        if step_count and f"optimizer.step.{name}" in tensors:
            optimizer.state[parameter] = {
                key: tensors[f"optimizer.{key}.{name}"].to(parameter.device, copy=True) for key in _OPTIMIZER_KEYS
            }


def are_finite(tensors: dict[str, Tensor]) -> bool:
    """Return whether all numbers of a state are finite, so that a checkpoint of it can be loaded; waits for the device.

    A squared gradient may be infinite: AdamW does not change its weight then.
    """
    for name, tensor in tensors.items():
        if not tensor.sum().isfinite() and not tensor.isfinite().all():
            is_square = name.startswith("optimizer.exp_avg_sq.")
            if not is_square or not (tensor >= 0).all():
                return False
    return True
