"""`doctor --gpu`: a line per check, all numbers as JSON, and exit codes; the GPU is a fake."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import pytest
import torch
from syrupy.assertion import SnapshotAssertion

from engine.compute.device import Runtime
from engine.config.run import TrainingConfig
from engine.corpus import training_data
from engine.session.ranks import check
from engine.session.ranks.check import SharedTraining
from engine.training.gpu_check import gpu, trial
from engine.training.gpu_check.checks import Checks
from engine.training.gpu_check.trial import Finding, NotApplicableError
from tests.cli.program import Cli, assert_two_line_error, without_figures
from tests.engine.helpers import CPU
from tests.engine.training.gpu_check.fake_gpu import SIZES, FakeGpu, some_tweets
from tui.cli.commands import doctor

DETERMINISTIC = replace(CPU, is_deterministic=True)


@pytest.fixture
def on_fake_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the command find a device, on which all kernels are deterministic."""
    monkeypatch.setattr(Runtime, "resolve", lambda _: DETERMINISTIC)
    yield
    CPU.apply()


@dataclass(frozen=True, kw_only=True)
class SmallTraining(SharedTraining):
    """A training of few steps of a small model."""

    hidden_size: int = 8
    training: TrainingConfig = field(default_factory=lambda: TrainingConfig(batch_size=8))


@pytest.mark.usefixtures("on_fake_gpu")
def test_all_checks_pass_also_that_of_two_processes_where_the_device_computes_rightly(
    cli: Cli, snapshot: SnapshotAssertion
) -> None:
    tweets, vocab = some_tweets()
    fake = FakeGpu(cli.monkeypatch)
    cli.monkeypatch.setattr(gpu, "CheckedGpu", lambda device, driver: fake)
    cli.monkeypatch.setattr(trial, "Sizes", lambda: replace(SIZES, num_layers=2))
    cli.monkeypatch.setattr(check, "SharedTraining", SmallTraining)
    data = SimpleNamespace(train_tweets=tweets, vocab=vocab)
    cli.monkeypatch.setattr(training_data, "load_training_data", lambda *_: data)
    ended = cli("doctor", "--gpu")
    assert (ended.code, ended.err) == (0, "")
    assert "\n".join("  ".join(line.split("  ")[:2]) for line in ended.lines) == snapshot


def not_applicable() -> Finding:
    raise NotApplicableError("no run uses bfloat16 on this GPU")


def poisoned() -> Finding:
    raise RuntimeError("CUDA error: an \x1b[31millegal memory access\nCompile with TORCH_USE_CUDA_DSA")


SCRIPTED: Checks = {
    "versions": lambda: Finding("NVIDIA H100, capability 9.0", {"torch": "2.13.0"}, is_right=True),
    "float32": lambda: Finding("nan from the CPU's losses", {"losses": [4.75, math.nan]}, is_right=False),
    "bfloat16": not_applicable,
    "learning rate": poisoned,
}


@pytest.mark.usefixtures("on_fake_gpu")
def test_a_check_that_fails_is_named_and_the_exit_code_is_1(cli: Cli, snapshot: SnapshotAssertion) -> None:
    cli.monkeypatch.setattr(doctor, "_checks", lambda *_: SCRIPTED)
    ended = cli("doctor", "--gpu")
    assert ended.code == 1
    assert without_figures(f"{ended.out}\nstderr:\n{ended.err}") == snapshot


@pytest.mark.usefixtures("on_fake_gpu")
@pytest.mark.parametrize("names", [("versions", "bfloat16"), tuple(SCRIPTED)], ids=["right", "wrong"])
def test_json_has_the_facts_of_doctor_and_each_check_with_its_numbers(
    cli: Cli, snapshot: SnapshotAssertion, names: tuple[str, ...]
) -> None:
    cli.monkeypatch.setattr(doctor, "_checks", lambda *_: {name: SCRIPTED[name] for name in names})
    ended = cli("doctor", "--gpu", "--json")
    assert ended.code == ("float32" in names)
    [printed] = ended.objects
    checks = printed.pop("checks")
    assert printed.keys() == cli("doctor", "--json").object.keys()
    for each in checks:
        assert each.pop("seconds") >= 0
        *_, each["traceback"] = each["traceback"].splitlines() or [""]
    assert "\n".join(map(json.dumps, checks)) == snapshot


@pytest.mark.parametrize("problem", ["", "The NVIDIA driver on your system is too old (found version 12020)."])
def test_without_a_usable_gpu_the_problem_is_that_of_a_run_with_device_cuda_and_the_hint_its_own(
    cli: Cli, problem: str
) -> None:
    def fail() -> None:
        raise RuntimeError(problem)

    if problem:
        cli.monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
        cli.monkeypatch.setattr(torch.cuda, "init", fail)
    ended = cli("doctor", "--gpu")
    assert_two_line_error(ended, "no cuda device that torch can use", problem)
    assert ended.error_lines[0] == cli("train", "--device", "cuda", "--max-steps", "1").error_lines[-2]
    assert ended.error_lines[1] == "tweetgen-tui doctor shows what this machine has."
