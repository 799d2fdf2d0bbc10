"""`Trainer`: one optimizer step at a time. Knows nothing of when to sample, evaluate, save or stop.

The loss of a step stays on the device until `take_report` reads many at once, so that a GPU never waits for the
screen. That holds for the refusal of a non-finite step too: the fused optimizer is told by a number on the device
(`found_inf`, the door that `torch.amp.GradScaler` uses) to leave weights and state as they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - what everyone calls it
from torch import Tensor

from engine.config import TrainingConfig
from engine.corpus.encoded import Batch
from engine.fast.gru_step import GruStep
from engine.gru import TextGenerator
from engine.runtime import Runtime
from engine.vocab import PAD

FINAL_LEARNING_RATE_SHARE = 0.05
"""Where the cosine ends, as a share of the highest learning rate."""


def learning_rate_at(config: TrainingConfig, step: int, progress: float | None) -> float:
    """Return the learning rate of the step after `step`; `progress` is the share of the budget used, None without one.

    Linear warm-up, then constant, or a cosine (Loshchilov and Hutter 2017, arXiv:1608.03983, without restarts).
    """
    warmup = min(1.0, (step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
    if config.schedule == "constant" or progress is None:
        return config.learning_rate * warmup
    cosine = (1 + math.cos(math.pi * min(progress, 1.0))) / 2
    return config.learning_rate * warmup * (FINAL_LEARNING_RATE_SHARE + (1 - FINAL_LEARNING_RATE_SHARE) * cosine)


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """What became of the steps since the last report, in order. NaN stands for a step that was refused."""

    first_step: int
    train_losses: list[float]
    grad_norms: list[float]


class Trainer:
    """A model, its optimizer, and the count of steps. One thread at a time."""

    def __init__(self, model: TextGenerator, config: TrainingConfig, runtime: Runtime) -> None:
        """Take the model, which lies on the runtime's device already."""
        self.model = model
        self.step_count = 0
        self.learning_rate = config.learning_rate
        self._runtime = runtime
        self._loss_and_grads = GruStep(model).loss_and_grads if runtime.path == "fast" else self._by_autograd
        self._max_grad_norm = config.max_grad_norm or math.inf
        self._optimizer = torch.optim.AdamW(
            model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
        )
        self._losses: list[Tensor] = []
        self._grad_norms: list[Tensor] = []

    def step(self, batch: Batch, learning_rate: float) -> None:
        """Learn from one batch: forward, backward, clip, update. A non-finite loss or gradient changes nothing."""
        self.learning_rate = learning_rate
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate
        self.model.train()
        loss = self._loss_and_grads(batch)
        grad_norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self._max_grad_norm, foreach=True)
        self._update(is_refused=~(loss.isfinite() & grad_norm.isfinite()))
        self.step_count += 1
        self._losses.append(loss)
        self._grad_norms.append(grad_norm)

    def _by_autograd(self, batch: Batch) -> Tensor:
        """Return the mean cross-entropy, () in nats, of all targets that are not padding; set each parameter's `grad`.

        The readable twin of `GruStep.loss_and_grads`.
        """
        inputs, targets = self._to_device(batch.inputs), self._to_device(batch.targets)  # (B, T)
        with self._runtime.autocast():
            logits, _ = self.model(inputs)  # (B, T, V)
        loss = F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), ignore_index=PAD)
        self._optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        return loss.detach()

    def _to_device(self, array: Any) -> Tensor:  # noqa: ANN401 - torch's own stub takes anything
        """Return an array as a tensor on the device, without waiting for the copy where it can be avoided."""
        tensor = torch.from_numpy(array)
        if self._runtime.device.type == "cuda":
            tensor = tensor.pin_memory()
        return tensor.to(self._runtime.device, non_blocking=True)

    def _update(self, is_refused: Tensor) -> None:
        """Take the optimizer's step unless `is_refused`, a () bool on the device."""
        self._optimizer.grad_scale = None  # type: ignore[attr-defined] # read by the fused step beside found_inf
        self._optimizer.found_inf = is_refused.float()  # type: ignore[attr-defined] # GradScaler sets it the same way
        self._optimizer.step()

    def take_report(self) -> StepReport:
        """Return the losses and gradient norms of all steps since the last report; waits for the device once."""
        first_step = self.step_count - len(self._losses) + 1
        if not self._losses:
            return StepReport(first_step=first_step, train_losses=[], grad_norms=[])
        losses, norms = torch.stack([torch.stack(self._losses), torch.stack(self._grad_norms)]).tolist()
        self._losses, self._grad_norms = [], []
        is_finite = [math.isfinite(loss) and math.isfinite(norm) for loss, norm in zip(losses, norms, strict=True)]
        return StepReport(
            first_step=first_step,
            train_losses=[loss if finite else math.nan for loss, finite in zip(losses, is_finite, strict=True)],
            grad_norms=[norm if finite else math.nan for norm, finite in zip(norms, is_finite, strict=True)],
        )

    def state(self) -> dict[str, Tensor]:
        """Return all weights (`model.`) and the optimizer's state (`optimizer.`) as tensors; not copies."""
        tensors = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        for name, parameter in self.model.named_parameters():
            for key, value in self._optimizer.state.get(parameter, {}).items():
                tensors[f"optimizer.{key}.{name}"] = value
        return tensors

    def load_state(self, tensors: dict[str, Tensor], step_count: int) -> None:
        """Go on from a `state` of `step_count` steps. Raises `KeyError` or `RuntimeError` if it does not fit."""
        weights = {name.removeprefix("model."): t for name, t in tensors.items() if name.startswith("model.")}
        self.model.load_state_dict(weights)
        self._optimizer.state.clear()
        for name, parameter in self.model.named_parameters():
            if step_count and f"optimizer.step.{name}" in tensors:
                self._optimizer.state[parameter] = {
                    key: tensors[f"optimizer.{key}.{name}"].to(parameter.device, copy=True)
                    for key in ("step", "exp_avg", "exp_avg_sq")
                }
        self.step_count = step_count
        self._losses, self._grad_norms = [], []
