"""Curves for tests of the plot."""

from __future__ import annotations

import numpy as np

from tests.fakes import eval_finished, run_started, steps_finished
from tui.run.folding import fold
from tui.run.view import RunView


def falling_losses(num_steps: int, spike_at: int | None = None) -> list[float]:
    steps = np.arange(num_steps)
    noise = np.random.default_rng(0).standard_normal(num_steps)
    losses = (1.7 + 2.9 * np.exp(-steps / 100)) * (1 + 0.04 * noise)
    if spike_at is not None:
        losses[spike_at - 1] = 9.87
    return list(losses.tolist())


def view_of(losses: list[float], *val_bits: float) -> RunView:
    reports = (steps_finished(first + 1, losses[first : first + 50]) for first in range(0, len(losses), 50))
    evaluations = (
        eval_finished(index * len(losses) // len(val_bits), bits, is_best=bits == min(val_bits[:index]))
        for index, bits in enumerate(val_bits, 1)
    )
    return fold(RunView(), [run_started(), *reports, *evaluations])


def is_braille(char: str) -> bool:
    return 0x2801 <= ord(char) <= 0x28FF
