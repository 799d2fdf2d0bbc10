"""`tweetgen-tui evaluate`: bits per character."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest

from engine.baselines.ngrams import NAMES
from engine.checkpoints.metadata import read_info
from tests.cli.program import Cli, assert_error_at_the_end, assert_two_line_error

FIELDS = {"bits_per_char", "nats_per_char", "num_tweets", "num_chars", "num_unknown_chars"}
SHARES = {"known_word_share", "distinct_3", "copy_share", "near_copy_share", "ended_share"}
FEW = ("--quality", "--count", "20")


def test_json_has_exactly_the_fields_of_the_design(cli: Cli, trained: Path, tweets: Path) -> None:
    ended = cli("evaluate", "--data", tweets, "--json")
    assert ended.code == 0
    assert set(ended.object) == FIELDS
    assert ended.object["bits_per_char"] == pytest.approx(ended.object["nats_per_char"] / math.log(2))
    assert ended.object["num_tweets"] == 60
    assert ended.object["num_unknown_chars"] == 0
    assert ended.err == "checkpoint: first/best, step 40\n60 rows read, 60 tweets kept\n"


def test_an_unknown_character_costs_over_fifteen_bits_more_than_a_known_one(
    cli: Cli, trained: Path, tmp_path: Path
) -> None:
    known, unknown = tmp_path / "known.txt", tmp_path / "unknown.txt"
    known.write_text("mum made a cake\n", encoding="utf-8")
    unknown.write_text("mum made a c寿ke\n", encoding="utf-8")
    [cheap, dear] = (cli("evaluate", "--data", path, "--json").object for path in (known, unknown))
    assert (cheap["num_unknown_chars"], dear["num_unknown_chars"]) == (0, 1)
    assert (dear["bits_per_char"] - cheap["bits_per_char"]) * dear["num_chars"] > 15


def test_without_data_it_reads_the_validation_tweets_of_the_run(cli: Cli, trained: Path) -> None:
    ended = cli("evaluate", "--json")
    assert ended.object["num_tweets"] == 12
    assert "validation" in ended.err
    [run] = cli("runs", "list", "--json").objects
    assert ended.object["bits_per_char"] == pytest.approx(run["best_bits_per_char"], rel=1e-4)


def test_baselines_do_not_change_the_figures_of_the_model(cli: Cli, trained: Path) -> None:
    ended = cli("evaluate", "--baselines", "--json")
    alone = cli("evaluate", "--json").object
    assert ended.code == 0
    assert ended.object == alone | {"baselines": ended.object["baselines"]}
    assert list(ended.object["baselines"]) == list(NAMES)
    assert min(ended.object["baselines"].values()) > 0


def test_a_table_lists_baselines_and_model_and_marks_the_best(cli: Cli, trained: Path) -> None:
    figures = cli("evaluate", "--baselines", "--json").object
    bits = [*figures["baselines"].values(), figures["bits_per_char"]]
    [heading, *rows] = cli("evaluate", "--baselines").lines[6:]
    assert heading.split() == ["model", "bits/char"]
    assert [row.removesuffix("best").split()[-1] for row in rows] == [f"{value:.4f}" for value in bits]
    assert [row.endswith("best") for row in rows] == [value == min(bits) for value in bits]
    assert rows[2].startswith("Witten-Bell 2-gram")
    assert rows[-1].startswith("this model")


def test_baselines_are_counted_on_the_training_tweets_and_evaluated_on_data(
    cli: Cli, trained: Path, tmp_path: Path
) -> None:
    path = tmp_path / "unknown.txt"
    path.write_text("寿寿寿寿\n", encoding="utf-8")
    baselines = cli("evaluate", "--baselines", "--data", path, "--json").object["baselines"]
    assert all(bits > 4 / 5 * 20 for bits in baselines.values())


def test_quality_has_figures_of_sampled_and_of_real_tweets(cli: Cli, trained: Path) -> None:
    ended = cli("evaluate", *FEW, "--temperature", "0.5", "--seed", "3", "--json")
    assert set(ended.object) == FIELDS | {"quality"}
    quality = ended.object["quality"]
    assert set(quality) == {"temperature", "seed", "written", "held_out", "train_mean_chars"}
    assert (quality["temperature"], quality["seed"]) == (0.5, 3)
    for part, num_tweets in (("written", 20), ("held_out", 12)):
        assert set(quality[part]) == SHARES | {"num_tweets", "mean_chars"}
        assert quality[part]["num_tweets"] == num_tweets
        assert all(0 <= quality[part][share] <= 1 for share in SHARES)
    assert quality["held_out"]["known_word_share"] == 1
    assert 10 < quality["train_mean_chars"] < 30


def test_quality_is_that_of_the_tweets_that_generate_prints(cli: Cli, trained: Path) -> None:
    tweets = cli("generate", "-n", "20", "--seed", "4", "--json").objects
    written = cli("evaluate", *FEW, "--seed", "4", "--json").object["quality"]["written"]
    assert written["mean_chars"] == pytest.approx(sum(len(tweet["text"]) for tweet in tweets) / 20)
    assert written["ended_share"] == pytest.approx(sum(tweet["reached_eos"] for tweet in tweets) / 20)


@pytest.mark.parametrize("option", [("--count", "5"), ("--temperature", "1"), ("--seed", "0")])
def test_sampling_options_without_quality_are_refused(cli: Cli, trained: Path, option: tuple[str, str]) -> None:
    assert_two_line_error(cli("evaluate", *option), option[0], "--quality")


@pytest.mark.parametrize("option", ["--baselines", "--quality"])
def test_changed_training_tweets_are_refused_for_comparison(cli: Cli, tweets: Path, option: str) -> None:
    budget = ("--hidden-size", "8", "--embedding-size", "4", "--threads", "1", "--max-steps", "2")
    cli("train", "--data", tweets, *budget)
    with tweets.open("a", encoding="utf-8") as file:
        file.writelines(f"another tweet of number {number}\n" for number in range(40))
    assert cli("evaluate").code == 0
    assert_error_at_the_end(cli("evaluate", option), "has changed since the checkpoint was trained on it", option)


def test_an_imported_checkpoint_needs_named_files_for_comparison_and_has_no_novelty(
    cli: Cli, trained: Path, tmp_path: Path
) -> None:
    files = read_info(trained / "runs" / "first" / "checkpoints" / "best.safetensors")[0].corpus.files
    copy = shutil.copy(trained / "runs" / "first" / "checkpoints" / "best.safetensors", tmp_path / "copy.safetensors")
    options = ("--checkpoint", copy, "--baselines", "--json")

    assert_error_at_the_end(cli("evaluate", *options), "comes from elsewhere", f"--data {files[0]}")
    assert cli("evaluate", *options, "--data", files[0]).object["baselines"]
    ended = cli("generate", "--checkpoint", copy, "--json")
    assert ended.object["novelty"] is None
    assert ended.err == (
        f"checkpoint: {copy}, step 40\n"
        "No novelty figures: copy.safetensors is from elsewhere, so the files that it names are not read.\n"
    )
