"""`doctor`: machine, folders, surroundings, and GPUs that can or can't be used; `bench`: its table and its JSON."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
import torch
from syrupy.assertion import SnapshotAssertion

from engine.sampling import bench
from engine.sampling.bench import BenchReport, Figures, Shape
from tests.cli.program import Cli


def test_doctor_prints_machine_folders_and_surroundings(cli: Cli, trained: Path, snapshot: SnapshotAssertion) -> None:
    report = cli("doctor", "--json").object
    assert {"python", "tweetgen-tui", "torch", "textual"} <= set(report.pop("versions"))
    assert (report["folders"]["data"], report["folders"]["runs"]) == (str(trained), 1)
    types = {
        heading: {name: type(value).__name__ for name, value in facts.items()} for heading, facts in report.items()
    }
    assert json.dumps(types, indent=1) == snapshot
    ended = cli("doctor")
    assert (ended.code, ended.err) == (0, "")
    for words in ("versions", "torch", "machine", "cores", "folders", str(trained), "terminal", "encoding"):
        assert words in ended.out

    for name, value in {"TMUX": "x", "SSH_CONNECTION": "x", "LC_ALL": "C", "RANK": "0", "WORLD_SIZE": "2"}.items():
        cli.monkeypatch.setenv(name, value)
    (trained / "config.toml").write_text('[screen]\nglyphs = "block"\n', encoding="utf-8")
    report = cli("doctor", "--json").object
    terminal, environment = report["terminal"], report["distributed"]["environment"]
    assert (terminal["multiplexer"], terminal["ssh"]) == ("tmux", True)
    assert (terminal["glyphs"], terminal["glyphs_chosen"], terminal["utf8"]) == ("block", True, False)
    assert (environment["RANK"], environment["WORLD_SIZE"]) == ("0", "2")
    assert "RANK=0, WORLD_SIZE=2" in cli("doctor").out


OLD_DRIVER = RuntimeError("The NVIDIA driver on your system is too old (found version 12020).")
WORKING = {"get_device_name": "NVIDIA H100", "get_device_capability": (9, 0), "is_bf16_supported": True}
FACTS = ("device", "cuda", "gpu_problem", "gpu_bfloat16", "driver", "cuda_version", "cudnn_version")


@pytest.mark.parametrize("gpu", ["old driver", "busy", "works"])
def test_doctor_reports_a_gpu_that(cli: Cli, trained: Path, snapshot: SnapshotAssertion, gpu: str) -> None:
    """NVML counts GPUs before CUDA starts; where torch can't use one, all that is asked then raises."""
    nvml = SimpleNamespace(
        NVMLError=OSError, nvmlInit=int, nvmlShutdown=int, nvmlSystemGetDriverVersion=lambda: "580.65.06"
    )
    cli.monkeypatch.setitem(sys.modules, "pynvml", nvml)
    cli.monkeypatch.setattr(torch.version, "cuda", "13.0")
    raising = None if gpu == "works" else OLD_DRIVER
    cli.monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    cli.monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu != "old driver")
    for name, value in {"init": None, **WORKING}.items():
        cli.monkeypatch.setattr(torch.cuda, name, mock.Mock(return_value=value, side_effect=raising))
    cli.monkeypatch.setattr(torch.backends.cudnn, "version", mock.Mock(return_value=91500, side_effect=raising))
    machine = cli("doctor", "--json").object["machine"]
    assert "\n".join(f"{name}: {machine[name]}" for name in FACTS) == snapshot
    ended = cli("doctor")
    assert (ended.code, ended.err) == (0, "")
    assert machine["gpu_problem"] in ended.out


def figures(*rows: tuple[Any, ...]) -> list[Figures]:
    """Return what was measured: batch size, path, characters a second, their ratio to the tutorial, and CUDA graphs."""
    common: dict[str, Any] = {"embedding_size": 128, "hidden_size": 256, "num_threads": 2, "spread": 0.07}
    names = ("batch_size", "path", "chars_per_second", "ratio_to_tutorial", "num_graphs")
    return [Figures(**common, **dict(zip(names, row, strict=False))) for row in rows]


REPORT = BenchReport(
    machine={"processor": "A \x1b[31mCPU", "load_average": 0.5, "gpu": None},
    train=figures((64, "tutorial", 31_234.5, 1.0), (64, "ours, bfloat16", 98_765.4, 3.162)),
    sample=figures((1, "tutorial", 1_234.0, 1.0), (256, "ours", 59_232.0, 48.0)),
)
"""Figures of two shapes; a third one found no time."""

ON_A_GPU = replace(REPORT, train=figures((64, "tutorial", 31_234.5, 1.0), (64, "ours", 987_654.3, 31.62, 16)))


@pytest.mark.parametrize(
    ("report", "options"),
    [(REPORT, ()), (REPORT, ("--json", "--seconds", "90")), (ON_A_GPU, ())],
    ids=["table", "json", "on a GPU"],
)
def test_bench_prints(cli: Cli, snapshot: SnapshotAssertion, report: BenchReport, options: tuple[str, ...]) -> None:
    benchmark = mock.Mock(run=lambda: report, skipped_shapes=[Shape(128, 512, 128)])
    cli.monkeypatch.setattr(bench, "Benchmark", lambda *_: benchmark)
    ended = cli("bench", "--device", "cpu", *options)
    assert ended.code == 0
    assert f"{ended.out}\nstderr:\n{ended.err}" == snapshot
