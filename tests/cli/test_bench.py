"""`tweetgen-tui bench`: its table, its JSON and its usage errors; never its figures."""

from __future__ import annotations

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.sampling import bench
from engine.sampling.bench import BenchReport, Figures, Shape
from tests.cli.program import Cli


def figures(path: str, batch_size: int, chars_per_second: float, ratio: float) -> Figures:
    return Figures(
        embedding_size=128,
        hidden_size=256,
        batch_size=batch_size,
        path=path,
        num_threads=2,
        chars_per_second=chars_per_second,
        ratio_to_tutorial=ratio,
        spread=0.07,
    )


class MeasuredBenchmark:
    """Stands in for a benchmark of two shapes, one of which found no time."""

    def __init__(self, *_: object) -> None:
        self.skipped_shapes = [Shape(128, 512, 128)]

    def run(self) -> BenchReport:
        train = [figures("tutorial", 64, 31_234.5, 1.0), figures("ours, bfloat16", 64, 98_765.4, 3.162)]
        sample = [figures("tutorial", 1, 1_234.0, 1.0), figures("ours", 256, 59_232.0, 48.0)]
        machine: dict[str, str | int | float | None] = {"processor": "A \x1b[31mCPU", "load_average": 0.5, "gpu": None}
        return BenchReport(machine=machine, train=train, sample=sample)


@pytest.fixture(autouse=True)
def _measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "Benchmark", MeasuredBenchmark)


@pytest.mark.parametrize("options", [(), ("--json", "--seconds", "90")], ids=["table", "json"])
def test_bench_prints(cli: Cli, snapshot: SnapshotAssertion, options: tuple[str, ...]) -> None:
    ended = cli("bench", "--device", "cpu", *options)
    assert ended.code == 0
    assert f"{ended.out}\nstderr:\n{ended.err}" == snapshot


@pytest.mark.parametrize("arguments", [("--seconds", "0"), ("--seconds", "soon"), ("--device", "tpu")])
def test_an_invalid_option_is_a_usage_error(cli: Cli, arguments: tuple[str, ...]) -> None:
    ended = cli("bench", *arguments)
    assert (ended.code, ended.out) == (2, "")
