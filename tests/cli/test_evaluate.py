"""`tweetgen-tui evaluate`: bits per character, baselines and the quality of samples."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.checkpoints.metadata import read_info
from tests.cli.program import SMALL_MODEL, Cli, assert_error_at_the_end, transcript

QUALITY = "evaluate --quality --count 20 --temperature 0.5 --seed 3"


@pytest.mark.parametrize("line", ["evaluate", "evaluate --data TWEETS", "evaluate --baselines", QUALITY])
def test_the_report_of(cli: Cli, trained: Path, tweets: Path, snapshot: SnapshotAssertion, line: str) -> None:
    assert transcript(cli, line, f"{line} --json", TWEETS=tweets) == snapshot


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


def test_an_unknown_character_costs_over_fifteen_bits_more_than_a_known_one_also_in_baselines(
    cli: Cli, trained: Path, tmp_path: Path
) -> None:
    known, unknown = tmp_path / "known.txt", tmp_path / "unknown.txt"
    known.write_text("mum made a cake\n", encoding="utf-8")
    unknown.write_text("mum made a c寿ke\n", encoding="utf-8")
    [cheap, dear] = (cli("evaluate", "--baselines", "--data", path, "--json").object for path in (known, unknown))
    assert (cheap["num_unknown_chars"], dear["num_unknown_chars"]) == (0, 1)
    assert (dear["bits_per_char"] - cheap["bits_per_char"]) * dear["num_chars"] > 15
    for name, bits in cheap["baselines"].items():
        assert (dear["baselines"][name] - bits) * dear["num_chars"] > 15


def test_quality_is_that_of_the_tweets_that_generate_prints_and_of_real_ones(cli: Cli, trained: Path) -> None:
    quality = cli(*QUALITY.split(), "--json").object["quality"]
    for part in (quality["written"], quality["held_out"]):
        assert all(0 <= part[name] <= 1 for name in part if name not in ("num_tweets", "mean_chars"))
    assert (quality["held_out"]["known_word_share"], quality["held_out"]["num_tweets"]) == (1, 12)
    assert 10 < quality["train_mean_chars"] < 30
    tweets = cli("generate", "-n", "20", "--temperature", "0.5", "--seed", "3", "--json").objects
    assert quality["written"]["mean_chars"] == pytest.approx(sum(len(tweet["text"]) for tweet in tweets) / 20)
    assert quality["written"]["ended_share"] == pytest.approx(sum(tweet["reached_eos"] for tweet in tweets) / 20)


def test_changed_training_tweets_are_refused_for_comparison(cli: Cli, tweets: Path) -> None:
    cli("train", "--data", tweets, *SMALL_MODEL, "--max-steps", "2")
    with tweets.open("a", encoding="utf-8") as file:
        file.writelines(f"another tweet of number {number}\n" for number in range(40))
    assert cli("evaluate").code == 0
    for option in ("--baselines", "--quality"):
        assert_error_at_the_end(cli("evaluate", option), "has changed since the checkpoint was trained on it", option)


def test_an_imported_checkpoint_needs_named_files_for_comparison_and_has_no_novelty(
    cli: Cli, trained: Path, tmp_path: Path
) -> None:
    path = trained / "runs" / "first" / "checkpoints" / "best.safetensors"
    [file] = read_info(path)[0].corpus.files
    copy = shutil.copy(path, tmp_path / "copy.safetensors")
    options = ("--checkpoint", copy, "--baselines", "--json")
    assert_error_at_the_end(cli("evaluate", *options), "comes from elsewhere", f"--data {file}")
    assert cli("evaluate", *options, "--data", file).object["baselines"]
    ended = cli("generate", "--checkpoint", copy, "--json")
    assert ended.object["novelty"] is None
    assert ended.err == (
        f"checkpoint: {copy}, step 40\n"
        "No novelty figures: copy.safetensors is from elsewhere, so the files that it names are not read.\n"
    )
