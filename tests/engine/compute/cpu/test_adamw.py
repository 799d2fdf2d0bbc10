"""`FusedAdamW` equals torch's AdamW bit for bit, and does not import torch's compiler."""

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
    """Return the weights and their optimizer state."""
    state = [optimizer.state[weight][name] for weight in weights for name in ("step", "exp_avg", "exp_avg_sq")]
    return [weight.detach() for weight in weights] + state


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_weights_and_state_equal_those_of_torchs_optimizer_in_skipped_steps_too(weight_decay: float) -> None:
    ours, theirs = parameters(), parameters()
    fused = FusedAdamW(ours, lr=0.01, weight_decay=weight_decay)
    reference = torch.optim.AdamW(theirs, lr=0.01, weight_decay=weight_decay, fused=True)
    generator = torch.Generator().manual_seed(2)

    for is_skipped in (True, False, False, True, False):
        for own, their in zip(ours, theirs, strict=True):
            own.grad = torch.randn(own.shape, generator=generator)
            their.grad = own.grad.clone()
        for optimizer in (fused, reference):
            optimizer.grad_scale, optimizer.found_inf = None, torch.tensor(float(is_skipped))  # type: ignore[union-attr] # torch sets them so too
            optimizer.param_groups[0]["lr"] *= 0.9
            optimizer.step()
        assert all(map(torch.equal, state_of(fused, ours), state_of(reference, theirs)))

    assert not any(map(torch.equal, ours, parameters()))


def test_torchs_optimizer_imports_its_compiler_and_ours_does_not() -> None:
    """When this fails for the second line, `FusedAdamW` is no longer needed."""
    code = """
import sys, torch
from engine.compute.cpu.adamw import FusedAdamW

sys.modules["torch._dynamo"] = None  # its import fails from now on, and takes no second

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
