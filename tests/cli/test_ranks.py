"""`doctor --distributed`: output and errors; never figures."""

from __future__ import annotations

import pytest
import torch

from engine.bench.ranks.sums import RankFigures, RanksReport, SumFigures
from engine.compute import device
from tests.cli.conftest import Launch
from tests.cli.program import Cli, assert_two_line_error
from tui.cli.commands import doctor


def test_two_processes_are_started_measured_and_reported(launch: Launch) -> None:
    ended = launch("doctor", "--distributed", "--nproc-per-node", "2", "--device", "cpu", "--json").wait()
    assert ended.code == 0, ended.err
    assert ended.error_lines[0] == "starting 2 processes on cpu"
    report = ended.object
    assert (report["world_size"], report["backend"]) == (2, "gloo")
    assert [(rank["rank"], rank["device"]) for rank in report["ranks"]] == [(0, "cpu"), (1, "cpu")]
    assert all(0 <= rank["waiting_share"] <= 1 < 1e9 * rank["compute_seconds"] for rank in report["ranks"])
    assert [each["num_bytes"] for each in report["sums"]] == [8, 1_000_000, 26_000_000]
    assert all(each["bus_bandwidth"] == each["algorithm_bandwidth"] > 0 for each in report["sums"])
    assert set(report["slow_ranks"]) <= {0, 1}


def reported(slow_ranks: list[int]) -> RanksReport:
    """Return a report of two ranks on two machines."""
    ranks = [
        RankFigures(rank=0, device="cuda:0, NVIDIA H100", host="node-0", compute_seconds=0.02, waiting_share=0.31),
        RankFigures(
            rank=1, device="cuda:0, NVIDIA H100", host="\x1b[31mnode-1", compute_seconds=0.03, waiting_share=0.01
        ),
    ]
    sums = [SumFigures(num_bytes=1_000_000, seconds=0.0001, algorithm_bandwidth=1e10, bus_bandwidth=1e10)]
    return RanksReport(world_size=2, backend="nccl", sums=sums, ranks=ranks, slow_ranks=slow_ranks)


@pytest.mark.parametrize(
    ("slow_ranks", "verdict"),
    [
        ([], "No rank is slow: all take about as long for the same work."),
        ([1], "Rank 1 on node-1 is slow: up to 1.50 times as long for the same work; all others wait for it."),
    ],
)
def test_the_tables_show_each_rank_each_sum_and_who_is_slow(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, slow_ranks: list[int], verdict: str
) -> None:
    monkeypatch.setattr(doctor, "measure_on_ranks", lambda *_: reported(slow_ranks))
    lines = cli("doctor", "--distributed").lines
    assert lines[0] == "2 ranks on 2 machines, nccl"
    assert lines[3] == "0     cuda:0, NVIDIA H100  node-0  20.0 ms    31 %"
    assert lines[7] == "1.0 MB  0.10 ms  10.0 GB/s            10.0 GB/s"
    assert lines[9] == verdict


@pytest.mark.parametrize(
    "arguments",
    [
        ("doctor", "--device", "cpu"),
        ("doctor", "--nproc-per-node", "2"),
        ("doctor", "--distributed", "--nproc-per-node", "0"),
    ],
)
def test_an_invalid_number_of_processes_is_a_usage_error(cli: Cli, arguments: tuple[str, ...]) -> None:
    ended = cli(*arguments)
    assert (ended.code, ended.out) == (2, "")


def test_more_processes_than_cores_or_gpus_are_refused(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "available_cores", lambda: 2)
    ended = cli("doctor", "--distributed", "--nproc-per-node", "3", "--device", "cpu")
    assert_two_line_error(ended, "2 CPU cores", "--nproc-per-node to at most 2")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    ended = cli("doctor", "--distributed", "--nproc-per-node", "2", "--device", "cuda")
    assert_two_line_error(ended, "1 GPU", "smaller number or auto")
    ended = cli("doctor", "--distributed", "--nproc-per-node", "1")
    assert_two_line_error(ended, "One process", "2 or more")


def test_an_environment_that_torchrun_would_not_set_is_refused(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "0")
    assert_two_line_error(cli("doctor", "--distributed"), "WORLD_SIZE is not")
