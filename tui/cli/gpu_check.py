"""`tweetgen-tui doctor --gpu`: the checks of `engine.training.gpu_check`, each printed as it ends, or all as JSON."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import typer

from engine.config.corpus import CorpusConfig
from engine.config.run import Device, RuntimeConfig
from engine.corpus.training_data import DEFAULT_MIN_CHAR_COUNT, load_training_data
from engine.errors import DeviceError
from engine.text import sanitize_line
from tui.cli.output import print_json, report, show_progress

if TYPE_CHECKING:  # it imports torch
    from engine.compute.device import Runtime
    from engine.training.gpu_check.checks import CheckResult, Checks


def check_gpu(facts_of_machine: Callable[[], dict[str, dict[str, Any]]], *, as_json: bool) -> None:
    """Check the GPU of this machine; exit with 1 if a check fails. Raises `DeviceError` without a usable GPU."""
    from engine.training.gpu_check.checks import CheckResult, run_check

    runtime = _applied_runtime()
    facts = facts_of_machine()
    checks, results = _checks(runtime, facts["machine"]["driver"]), list[CheckResult]()
    with show_progress() if as_json else contextlib.nullcontext(lambda _share, _doing: None) as on_progress:
        for number, (name, check) in enumerate(checks.items()):
            on_progress(number / len(checks), f"checking {name}")
            results.append(run_check(name, check, runtime.device))
            if not as_json:
                _print_result(results[-1], max(map(len, checks)))
    if as_json:
        print_json({**facts, "checks": results})
    failed = [each.name for each in results if each.result == "FAIL"]
    if failed:
        report(f"{len(failed)} of {len(results)} checks failed: {', '.join(failed)}")
        if not as_json:
            report("For a bug report: tweetgen-tui doctor --gpu --json")
        raise typer.Exit(1)


def _applied_runtime() -> Runtime:
    """Return the runtime of the GPU; from now on the process uses deterministic kernels.

    Nothing may start CUDA before: its libraries read the size of their workspace as they start.
    """
    from engine.compute.device import Runtime, is_available

    device: Device = "mps" if is_available("mps") else "cuda"
    try:
        runtime = Runtime.resolve(RuntimeConfig(device=device, precision="float32", deterministic=True))
    except DeviceError as error:
        raise DeviceError(error.message, "tweetgen-tui doctor shows what this machine has.") from error
    runtime.apply()
    return runtime


def _checks(runtime: Runtime, driver: str) -> Checks:
    """Return the checks on the embedded tweets."""
    from engine.session.ranks.check import SharedTraining, check_two_ranks, device_type_for_two_ranks
    from engine.training.gpu_check.checks import checks_of
    from engine.training.gpu_check.gpu import CheckedGpu
    from engine.training.gpu_check.trial import GpuTrial

    data = load_training_data(CorpusConfig(min_char_count=DEFAULT_MIN_CHAR_COUNT), None, lambda _: None)
    tweets, vocab_size = data.train_tweets, len(data.vocab)
    shared = SharedTraining(tweets=tweets, vocab_size=vocab_size, device_type=device_type_for_two_ranks())
    trial = GpuTrial(CheckedGpu(runtime.device, driver), tweets, vocab_size)
    return checks_of(trial, partial(check_two_ranks, shared))


def _print_result(result: CheckResult, width: int) -> None:
    """Print a line, as soon as it is known."""
    line = f"{result.result}  {result.name:<{width}}  {sanitize_line(result.figure)}  ({result.seconds:.1f} s)"
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
