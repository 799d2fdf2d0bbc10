"""`tweetgen-tui bench`: its output and its usage errors; never its figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.bench import benchmark, first_words, sampling, training
from engine.bench.first_words import FirstWordsReport, Moment, WatchedRun
from engine.bench.train_figures import Shape
from engine.config.corpus import CorpusConfig
from engine.config.run import RuntimeConfig
from tests.cli.program import Cli
from tui.cli.commands import bench


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


@pytest.mark.parametrize(
    "arguments", [("--seconds", "0"), ("--seconds", "soon"), ("--device", "tpu"), ("--rounds", "0")]
)
def test_an_invalid_option_is_a_usage_error(cli: Cli, arguments: tuple[str, ...]) -> None:
    ended = cli("bench", *arguments)
    assert (ended.code, ended.out) == (2, "")


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What the rounds of --first-words were asked for; nothing is trained."""
    asked: list[object] = []

    def watch(options: list[str], seconds: float, _home: Path, _on_progress: object) -> WatchedRun:
        asked.append((options, seconds))
        return WatchedRun(first_step_seconds=2.0, checkpoints={})

    def report(rounds: list[WatchedRun], _: RuntimeConfig) -> FirstWordsReport:
        return FirstWordsReport(
            corpus="my\x1b.csv",
            hidden_size=256,
            num_layers=2,
            precision="float32",
            num_threads=2,
            num_rounds=len(rounds),
            num_tweets=200,
            first_step_seconds=2.0,
            seconds_to_half=12.34,
            seconds_to_four_fifths=None,
            moments=(Moment(seconds=5.0, known_word_share=0.42, least=0.4, most=0.5, step=1234),),
            real_share=0.97,
        )

    monkeypatch.setattr(bench, "watch_run", watch)
    monkeypatch.setattr(first_words, "first_words", report)
    return asked


def test_first_words_are_a_table_of_the_rounds(cli: Cli, watched: list[object]) -> None:
    ended = cli("bench", "--first-words", "--rounds", "2", "--seconds", "30", "--data", "my.csv", "--device", "cpu")
    assert (ended.code, ended.err) == (0, "training 2 times for 30 s from the command\n")
    assert watched == 2 * [(["--data", "my.csv", "--device", "cpu"], 30.0)]
    lines = [line.split() for line in ended.lines]
    assert ["5.0", "s", "1,234", "42", "%", "40", "%", "to", "50", "%"] in lines
    for words in ("hidden 256 in 2 layers, float32, 2 threads", "12.3 s", "not reached", "97 %", "2 rounds"):
        assert words in ended.out
    assert "\x1b" not in ended.out


def test_first_words_as_json_are_one_object(cli: Cli, watched: list[object]) -> None:
    report = cli("bench", "--first-words", "--json").object
    assert len(watched) == 3
    assert (report["seconds_to_half"], report["seconds_to_four_fifths"], report["num_rounds"]) == (12.34, None, 3)
    assert report["moments"] == [{"seconds": 5.0, "known_word_share": 0.42, "least": 0.4, "most": 0.5, "step": 1234}]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--data", "my.csv"), "--data has no effect without --first-words"),
        (("--rounds", "2"), "--rounds has no effect without --first-words"),
    ],
)
def test_options_that_have_no_effect_are_refused(cli: Cli, arguments: tuple[str, ...], words: str) -> None:
    ended = cli("bench", *arguments)
    assert (ended.code, ended.out) == (1, "")
    assert words in ended.err
