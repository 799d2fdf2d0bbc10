from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.bench.ranks import sums
from engine.bench.ranks.sums import bus_factor, check_ranks, report_of
from tests.engine.parallel.threads import on_ranks

CPU = torch.device("cpu")


@pytest.mark.parametrize(("world_size", "factor"), [(2, 1.0), (4, 1.5), (8, 1.75)])
def test_the_bus_bandwidth_counts_each_byte_as_often_as_a_link_carries_it(world_size: int, factor: float) -> None:
    assert bus_factor(world_size) == factor


@pytest.mark.parametrize(
    ("seconds", "slow"),
    [([1.0, 1.25], []), ([1.0, 1.4], [1]), ([1.35, 1.0, 1.0, 1.4], [0, 3]), ([0.5, *[1.0] * 7], [])],
)
def test_a_rank_is_slow_if_it_takes_three_tenths_longer_than_the_fast_ones(
    seconds: list[float], slow: list[int]
) -> None:
    speeds = np.array([[each, 0.0] for each in seconds])
    report = report_of("gloo", [], speeds, [("cpu", "here")] * len(seconds))
    assert report.slow_ranks == slow


def test_all_ranks_are_measured_and_the_leader_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums, "ROUNDS", 3)
    monkeypatch.setattr(sums, "SIZES", (8, 4000))
    monkeypatch.setattr(sums, "SECONDS_PER_SIZE", 1e-6)
    doing: list[str] = []
    measured = on_ranks(lambda ranks: check_ranks(ranks, CPU, doing.append), world_size=3)
    leader, *others = [each.result() for each in measured]
    assert others == [None, None]
    assert leader is not None
    assert (leader.world_size, leader.backend) == (3, "gloo")
    assert [rank.rank for rank in leader.ranks] == [0, 1, 2]
    assert all(rank.compute_seconds > 0 and 0 <= rank.waiting_share <= 1 for rank in leader.ranks)
    assert {rank.device for rank in leader.ranks} == {"cpu"}
    for figures, num_bytes in zip(leader.sums, (8, 4000), strict=True):
        assert figures.num_bytes == num_bytes
        assert figures.algorithm_bandwidth == pytest.approx(num_bytes / figures.seconds, rel=0.01)
        assert figures.bus_bandwidth == pytest.approx(4 / 3 * figures.algorithm_bandwidth, rel=0.01)
    assert doing.count("sums of 4,000 bytes") == 3
