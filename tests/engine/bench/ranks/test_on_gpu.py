"""The measurements of ranks on a GPU, with NCCL and a single rank."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from torch._C._distributed_c10d import HashStore

from engine.bench.ranks.benchmark import RanksBenchmark
from engine.bench.ranks.sums import SIZES, check_ranks
from engine.bench.train_figures import Shape
from engine.config.corpus import CorpusConfig
from engine.parallel.group import TorchGroup
from engine.parallel.place import Place
from engine.parallel.ranks import Ranks
from tests.cli.program import write_tweets
from tests.engine.compute.gpu.cuda import on_cuda

pytestmark = pytest.mark.gpu


@pytest.fixture
def device() -> torch.device:
    return torch.device("cuda", 0)


@pytest.fixture
def ranks(device: torch.device) -> Iterator[Ranks]:
    """The only rank of its group."""
    only = Ranks(Place(rank=0, world_size=1), HashStore(), 1, partial(TorchGroup, device=device))
    yield only
    only.close()


def test_sums_of_every_size_are_measured(ranks: Ranks, device: torch.device) -> None:
    report = check_ranks(ranks, device, lambda _: None)
    assert report is not None
    assert report.backend == "nccl"
    assert [each.num_bytes for each in report.sums] == list(SIZES)
    assert report.ranks[0].device.startswith("cuda:0, ")


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_parts_of_a_step_are_those_of_the_device(
    ranks: Ranks, device: torch.device, tmp_path: Path, precision: str
) -> None:
    corpus = CorpusConfig(files=(str(write_tweets(tmp_path / "tweets.txt")),))
    runtime = replace(on_cuda(precision), device=device)
    report = RanksBenchmark(ranks, runtime, 3.0, lambda _share, _doing: None, corpus, [Shape(16, 32, 8)]).run()
    assert report is not None
    [figures] = report.train
    assert figures.chars_per_second > 0
    assert min(figures.compute_seconds, figures.sum_seconds, figures.wait_seconds, figures.host_seconds) > 0
