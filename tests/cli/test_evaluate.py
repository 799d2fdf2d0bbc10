"""`evaluate`: bits per character, baselines and quality."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.cli.program import Cli

QUALITY = "evaluate --quality --count 20 --temperature 0.5 --seed 3"


@pytest.mark.parametrize("line", ["evaluate", "evaluate --data TWEETS", "evaluate --baselines", QUALITY])
def test_the_report_of(cli: Cli, trained: Path, tweets: Path, snapshot: SnapshotAssertion, line: str) -> None:
    assert cli.transcript(line, f"{line} --json", TWEETS=tweets) == snapshot


def test_evaluating_standard_input_stores_nothing(cli: Cli, trained: Path, home: Path, tweets: Path) -> None:
    before = {path for path in home.rglob("*") if path.is_file()}
    figures = cli("evaluate", "--data", tweets, "--json").object
    cli.reads(tweets.read_bytes())
    assert cli("evaluate", "--data", "-", "--json").object == figures
    assert {path for path in home.rglob("*") if path.is_file()} == before


def test_figures_are_those_of_the_run_and_its_baselines_of_all_tweets(cli: Cli, trained: Path) -> None:
    figures = cli("evaluate", "--json").object
    assert figures["bits_per_char"] == pytest.approx(figures["nats_per_char"] / math.log(2))
    [run] = cli("runs", "list", "--json").objects
    assert figures["bits_per_char"] == pytest.approx(run["best_bits_per_char"], rel=1e-4)
    compared = cli("evaluate", "--baselines", "--json").object
    bits = [*compared.pop("baselines").values(), figures["bits_per_char"]]
    assert compared == figures
    rows = cli("evaluate", "--baselines").lines[7:]
    assert [row.removesuffix("best").split()[-1] for row in rows] == [f"{value:.4f}" for value in bits]
    assert [row.endswith("best") for row in rows] == [value == min(bits) for value in bits]


def test_quality_is_that_of_the_tweets_that_generate_prints_and_of_real_ones(cli: Cli, trained: Path) -> None:
    quality = cli(*QUALITY.split(), "--json").object["quality"]
    for part in (quality["written"], quality["held_out"]):
        assert all(0 <= part[name] <= 1 for name in part if name not in ("num_tweets", "mean_chars"))
    assert (quality["held_out"]["known_word_share"], quality["held_out"]["num_tweets"]) == (1, 12)
    assert 10 < quality["train_mean_chars"] < 30
    tweets = cli("generate", "-n", "20", "--temperature", "0.5", "--seed", "3", "--json").objects
    assert quality["written"]["mean_chars"] == pytest.approx(sum(len(tweet["text"]) for tweet in tweets) / 20)
    assert quality["written"]["ended_share"] == pytest.approx(sum(tweet["reached_eos"] for tweet in tweets) / 20)
