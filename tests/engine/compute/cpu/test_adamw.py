"""The update is torch's own, bit for bit, and nothing of torch's compiler is imported for it."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from engine.compute.cpu.adamw import FusedAdamW

SHAPES = [(3, 5), (7,), (2, 2)]


def parameters() -> list[nn.Parameter]:
    """Return the same random parameters each time."""
    generator = torch.Generator().manual_seed(1)
    return [nn.Parameter(torch.randn(shape, generator=generator)) for shape in SHAPES]


def state_of(optimizer: FusedAdamW | torch.optim.AdamW, weights: list[nn.Parameter]) -> list[Tensor]:
    """Return the weights and all that the optimizer keeps of them."""
    kept = [optimizer.state[weight][name] for weight in weights for name in ("step", "exp_avg", "exp_avg_sq")]
    return [weight.detach() for weight in weights] + kept


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_weights_and_state_equal_those_of_torchs_optimizer_also_where_steps_are_refused(weight_decay: float) -> None:
    ours, theirs = parameters(), parameters()
    fused = FusedAdamW(ours, lr=0.01, weight_decay=weight_decay)
    reference = torch.optim.AdamW(theirs, lr=0.01, weight_decay=weight_decay, fused=True)
    generator = torch.Generator().manual_seed(2)

    for is_refused in (True, False, False, True, False):
        for own, their in zip(ours, theirs, strict=True):
            own.grad = torch.randn(own.shape, generator=generator)
            their.grad = own.grad.clone()
        for optimizer in (fused, reference):
            optimizer.grad_scale, optimizer.found_inf = None, torch.tensor(float(is_refused))  # type: ignore[union-attr] # torch sets them so too
            optimizer.param_groups[0]["lr"] *= 0.9
            optimizer.step()
        assert all(map(torch.equal, state_of(fused, ours), state_of(reference, theirs)))

    assert not any(map(torch.equal, ours, parameters()))


def test_torchs_compiler_is_imported_by_its_optimizer_and_not_by_ours() -> None:
    """Once the second is no longer refused, ours is not needed."""
    code = """
import sys, torch
from engine.compute.cpu.adamw import FusedAdamW

sys.modules["torch._dynamo"] = None  # importing it fails from now on, which takes no second

def takes_a_step(optimizer_type, **more):
    parameter = torch.nn.Parameter(torch.zeros(3))
    parameter.grad = torch.ones(3)
    try:
        optimizer_type([parameter], lr=0.1, weight_decay=0.0, **more).step()
    except ImportError as error:
        return f"{error.name} is refused"
    return bool(parameter.any())

print(takes_a_step(FusedAdamW), takes_a_step(torch.optim.AdamW, fused=True))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout == "True torch._dynamo is refused\n"
