from __future__ import annotations

import pytest

from engine.bench.ranks.scaling import (
    AUTO,
    CLUSTERS,
    HOST_SECONDS,
    INFINIBAND,
    MODELS,
    NVLINK,
    ONE_GPU,
    PCIE,
    ROWS,
    Cluster,
    ModelEstimate,
)
from engine.config.run import ModelConfig
from tui.process.launch.count import MIN_ROWS

CALL_SECONDS = 8.4e-6
VOCAB_SIZE = 120


def test_a_ring_moves_each_byte_twice_but_for_one_part_of_n_and_hops_twice_around() -> None:
    ring = 2 * 7 / 8 * 26e6 / 450e9 + 14 * 3.4e-6
    assert Cluster(1, 8, NVLINK).sum_seconds(26_000_000) == pytest.approx(CALL_SECONDS + ring)
    assert Cluster(1, 2, PCIE).sum_seconds(25_000_000) == pytest.approx(CALL_SECONDS + 1e-3 + 2 * 5.7e-6)
    assert ONE_GPU.sum_seconds(26_000_000) == 0


def test_between_machines_the_slowest_link_counts_and_a_tree_saves_hops() -> None:
    cluster = Cluster(8, 8, NVLINK, INFINIBAND)
    tree = 14 * 3.4e-6 + 6 * 14e-6
    assert cluster.sum_seconds(4) == pytest.approx(CALL_SECONDS + tree, rel=1e-3)
    ring_of_large = 2 * 63 / 64 * 1e9 / 400e9 + 14 * 14e-6 + 112 * 3.4e-6
    assert cluster.sum_seconds(1_000_000_000) <= CALL_SECONDS + ring_of_large
    assert cluster.sum_seconds(10**12) == pytest.approx(2 * 63 / 64 * 1e12 / 400e9, rel=1e-3)


def test_a_step_is_never_shorter_than_what_the_host_does_meanwhile() -> None:
    assert ModelEstimate("tiny", 1, 0.0, 1e-9).step_seconds(ONE_GPU, 1) == HOST_SECONDS


def test_one_gpu_with_the_whole_batch_is_what_several_are_compared_with() -> None:
    cluster = CLUSTERS[0]
    one = AUTO.fixed_seconds + 512 * AUTO.row_seconds
    eight = AUTO.fixed_seconds + 64 * AUTO.row_seconds + cluster.sum_seconds(AUTO.num_bytes)
    assert AUTO.speedup(cluster, 64) == pytest.approx(one / eight)
    assert AUTO.chars_per_second(cluster, 64) == pytest.approx(512 * 100 / eight)


def test_the_limit_of_auto_is_where_twice_the_gpus_gain_a_fifth() -> None:
    assert AUTO.gain_over_half(CLUSTERS[0], MIN_ROWS) == pytest.approx(1.2, abs=0.01)
    assert AUTO.gain_over_half(CLUSTERS[0], MIN_ROWS // 2) < 1.1


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_more_rows_per_gpu_never_pay_less(model: ModelEstimate) -> None:
    for cluster in CLUSTERS:
        speedups = [model.speedup(cluster, rows) for rows in ROWS]
        assert speedups == sorted(speedups)
        assert max(speedups) < cluster.num_gpus
        least = model.least_rows(cluster)
        assert least is None or least in ROWS


def test_the_estimated_sizes_are_those_of_the_models() -> None:
    configs = (
        ModelConfig(),
        ModelConfig(embedding_size=1024, hidden_size=1024, tied_embeddings=True),
        ModelConfig(embedding_size=2048, hidden_size=2048, num_layers=2, tied_embeddings=True),
    )
    for model, config in zip(MODELS, configs, strict=True):
        assert model.num_parameters == pytest.approx(config.num_parameters(VOCAB_SIZE), rel=0.02)
