"""The checks of a GPU in their order; and `run_check`, which turns whatever happens in one into a result."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch

from engine.compute.memory import free_memory
from engine.training.gpu_check import computed, recorded
from engine.training.gpu_check.trial import Finding, GpuTrial, NotApplicableError

Checks = dict[str, Callable[[], Finding]]
"""By name, in their order."""


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """A check that has ended, with the fields that `doctor --gpu --json` prints."""

    name: str
    result: Literal["PASS", "FAIL", "SKIP"]
    figure: str
    numbers: dict[str, Any]
    seconds: float
    traceback: str = ""
    """Traceback of the error that ended the check."""


def checks_of(trial: GpuTrial, two_ranks: Callable[[], Finding]) -> Checks:
    """Return all checks; `two_ranks` compares two processes with one."""
    return {
        "versions": partial(computed.check_versions, trial),
        "float32": partial(computed.check_float32, trial),
        "bfloat16": partial(computed.check_bfloat16, trial),
        "learning rate": partial(recorded.check_learning_rate, trial),
        "dropout": partial(recorded.check_dropout, trial),
        "lengths": partial(recorded.check_lengths, trial),
        "evaluation": partial(computed.check_evaluation, trial),
        "resume": partial(computed.check_resume, trial),
        "no waiting": partial(recorded.check_waiting, trial),
        "memory": partial(recorded.check_memory, trial),
        "two ranks": two_ranks,
        "out of memory": partial(recorded.check_out_of_memory, trial),
        "failed recording": partial(recorded.check_failed_recording, trial),
    }


def run_check(name: str, check: Callable[[], Finding], device: torch.device) -> CheckResult:
    """Run a check, then free the memory that it used; an error is its failure, and the next check can run."""
    began, numbers, trace = time.perf_counter(), dict[str, Any](), ""
    result: Literal["PASS", "FAIL", "SKIP"] = "FAIL"
    try:
        finding = check()
    except NotApplicableError as error:
        result, figure = "SKIP", str(error)
    except Exception as error:  # noqa: BLE001 - whatever a GPU does wrong is what the check is to find
        first_line, *_ = str(error).splitlines() or [""]
        figure = f"{type(error).__name__}: {first_line}"
        trace = traceback.format_exc()
    else:
        result, figure, numbers = "PASS" if finding.is_right else "FAIL", finding.figure, finding.numbers
    with suppress(RuntimeError):  # of a device that has failed
        free_memory(device)
    seconds = round(time.perf_counter() - began, 2)
    return CheckResult(name=name, result=result, figure=figure, numbers=numbers, seconds=seconds, traceback=trace)
