"""`FusedAdamW` equals torch's AdamW."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from engine.compute import adamw as adamw_module
from engine.compute.adamw import FusedAdamW
from engine.model.flat_parameters import FlatParameters
from engine.model.gru import TextGenerator


def new_model() -> TextGenerator:
    torch.manual_seed(1)
    return TextGenerator(9, 5, 7, 2)


def state_of(optimizer: torch.optim.AdamW, model: TextGenerator) -> dict[str, Tensor]:
    named = model.named_parameters()
    return {f"{key}.{name}": value for name, each in named for key, value in optimizer.state[each].items()}


@pytest.mark.parametrize(("has_rate_on_device", "weight_decay"), [(False, 0.0), (True, 0.1)])
@pytest.mark.parametrize("ignores_found_inf", [False, True])
def test_weights_and_state_equal_those_of_torchs_optimizer_in_skipped_steps_too(
    monkeypatch: pytest.MonkeyPatch, *, weight_decay: float, has_rate_on_device: bool, ignores_found_inf: bool
) -> None:
    """Not to the last bit: torch's kernel rounds the last elements of a tensor otherwise than full vectors."""
    if ignores_found_inf:
        monkeypatch.setattr(adamw_module, "IGNORE_FOUND_INF", frozenset({"cpu"}))
    ours, theirs = new_model(), new_model()
    flat = FlatParameters(ours)
    fused = FusedAdamW(flat, weight_decay)
    reference = torch.optim.AdamW(theirs.parameters(), weight_decay=weight_decay, fused=True)
    reference.grad_scale = None  # type: ignore[attr-defined] # read beside found_inf
    generator = torch.Generator().manual_seed(2)

    for number, is_skipped in enumerate((True, False, False, True, False)):
        for own, their in zip(flat.views_of_grads, theirs.parameters(), strict=True):
            their.grad = own.copy_(torch.randn(own.shape, generator=generator)).clone()
        rate = 2.0 ** -(7 + number)  # exact in float32
        reference.param_groups[0]["lr"] = rate
        reference.found_inf = torch.tensor(float(is_skipped))  # type: ignore[attr-defined] # as GradScaler sets it
        reference.step()
        fused.step(torch.tensor(rate) if has_rate_on_device else rate, torch.tensor(is_skipped))
        for name, weight in theirs.named_parameters():
            torch.testing.assert_close(ours.get_parameter(name), weight, rtol=1e-6, atol=1e-8)

    found = {"exp_avg": flat.views(fused.exp_avg), "exp_avg_sq": flat.views(fused.exp_avg_sq)}
    for name, value in state_of(reference, theirs).items():
        key, _, parameter = name.partition(".")
        own = fused.step_count if key == "step" else found[key][parameter]
        torch.testing.assert_close(own, value, rtol=1e-6, atol=1e-9)
    assert fused.step_count == 3
