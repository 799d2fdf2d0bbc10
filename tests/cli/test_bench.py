"""`bench`: its table and its JSON."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest import mock

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.sampling import bench
from engine.sampling.bench import BenchReport, Figures, Shape
from tests.cli.program import Cli


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
