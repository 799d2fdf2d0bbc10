"""`tweetgen-tui bench`: its output and its usage errors; never its figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.bench import benchmark, sampling, training
from engine.bench.train_figures import Shape
from engine.config.corpus import CorpusConfig
from tests.cli.program import Cli


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch, tweets: Path) -> None:
    """Use tiny shapes and a small corpus."""
    whole = benchmark.Benchmark

    def small(*arguments: object) -> benchmark.Benchmark:
        device, _, on_progress = arguments
        config = CorpusConfig(files=(str(tweets),))
        return whole(device, 0.1, on_progress, config, [Shape(4, 6, 5)])  # type: ignore[arg-type] # as they were given

    monkeypatch.setattr(benchmark, "Benchmark", small)
    monkeypatch.setattr(sampling, "MANY", 77)
    monkeypatch.setattr(training, "available_cores", lambda: 1)


def test_json_is_one_object_with_the_documented_keys(cli: Cli, home: Path) -> None:
    ended = cli("bench", "--json", "--device", "cpu")
    assert (ended.code, ended.err) == (0, "measuring on cpu for about 60 s\n")
    report = ended.object
    assert set(report) == {"train", "sample", "read", "machine"}
    shape = {"embedding_size", "hidden_size"}
    figures = {"path", "chars_per_second", "ratio_to_tutorial", "spread"}
    assert all(set(row) == shape | figures | {"batch_size", "share_of_limit"} for row in report["train"])
    assert all(set(row) == shape | figures | {"num_tweets"} for row in report["sample"])
    assert all(set(row) == {"path", "tweets_per_second", "spread"} for row in report["read"])
    assert {"processor", "cores", "device", "load_average", "torch", "seconds"} <= set(report["machine"])
    assert {"peak_bytes_before", "peak_bytes_reading", "peak_bytes_training"} <= set(report["machine"])


def test_without_json_each_part_is_a_table(cli: Cli, home: Path) -> None:
    ended = cli("bench", "--device", "cpu")
    assert ended.code == 0
    for words in ("processor", "vs. tutorial", "of float32 limit", "4, 6, 5 ", "packed nn.GRU", "77 ", "cached"):
        assert words in ended.out


@pytest.mark.parametrize("arguments", [("--seconds", "0"), ("--seconds", "soon"), ("--device", "tpu"), ("--data", "x")])
def test_an_invalid_option_is_a_usage_error(cli: Cli, arguments: tuple[str, ...]) -> None:
    ended = cli("bench", *arguments)
    assert (ended.code, ended.out) == (2, "")
