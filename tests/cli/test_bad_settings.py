"""Settings that can't be used, alone or together."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.program import Cli, assert_told_at_the_end, assert_told_in_two_lines

OUT_OF_RANGE = [
    ("--hidden-size", "99999"),
    ("--dropout", "nan"),
    ("--learning-rate", "0"),
    ("--max-seconds", "0"),
    ("--threads", "-1"),
    ("--top-p", "0"),
    ("--overfit", "-1"),
    ("--autosave-seconds", "0"),
]


@pytest.mark.parametrize(("option", "value"), OUT_OF_RANGE)
def test_a_setting_out_of_range_is_named_with_its_range(cli: Cli, tweets: Path, option: str, value: str) -> None:
    ended = cli("train", "--data", tweets, option, value)
    assert_told_in_two_lines(ended, option.removeprefix("--").replace("-", "_"), f"Set {option}")


def test_generate_has_the_same_ranges(cli: Cli, trained: Path) -> None:
    assert_told_in_two_lines(cli("generate", "--top-p", "0"), "Set --top-p")
    assert_told_in_two_lines(cli("generate", "--temperature", "0.01"), "it is 0, or a number from 0.05 to 5")


def test_the_screen_has_the_same_ranges_and_wants_a_terminal(cli: Cli, tweets: Path) -> None:
    assert_told_in_two_lines(cli("--data", tweets, "--temperature", "9"), "Set --temperature")
    assert_told_in_two_lines(cli("--data", tweets), "needs a terminal", "tweetgen-tui train")


def test_a_prime_as_long_as_a_tweet_is_refused(cli: Cli, trained: Path) -> None:
    assert_told_in_two_lines(cli("generate", "--prime", "mum got", "--max-length", "7"), "prime", "max_length")


def test_a_prime_with_unknown_characters_is_refused_when_the_vocabulary_is_known(cli: Cli, tweets: Path) -> None:
    assert_told_at_the_end(cli("train", "--data", tweets, "--prime", "寿"), "寿")


@pytest.mark.parametrize("name", ["../up", ""])
def test_a_run_name_that_is_no_file_name_is_refused(cli: Cli, tweets: Path, home: Path, name: str) -> None:
    assert_told_in_two_lines(cli("train", "--data", tweets, "--run-name", name), "A run can't be called")
    assert not list((home / "runs").iterdir())


def test_no_run_can_be_called_last(cli: Cli, tweets: Path) -> None:
    ended = cli("train", "--data", tweets, "--run-name", "last", "--max-steps", "1")
    assert_told_at_the_end(ended, "can't be called last")


def test_a_run_name_that_is_taken_says_how_to_go_on_with_it(cli: Cli, trained: Path, tweets: Path) -> None:
    before = sorted(trained.rglob("*"))
    assert_told_in_two_lines(cli("train", "--data", tweets, "--run-name", "first"), "already a run", "--resume first")
    assert sorted(trained.rglob("*")) == before


def test_resume_of_an_unknown_run_points_to_the_list(cli: Cli, trained: Path) -> None:
    assert_told_in_two_lines(cli("train", "--resume", "nothing"), "nothing", "runs list")


def test_resume_last_without_any_run_says_how_to_start_one(cli: Cli) -> None:
    assert_told_in_two_lines(cli("train", "--resume", "last"), "no run yet", "tweetgen-tui train")


def test_a_resumed_run_keeps_the_shape_of_its_model(cli: Cli, trained: Path) -> None:
    ended = cli("train", "--resume", "first", "--hidden-size", "32", "--max-steps", "50")
    assert_told_at_the_end(ended, "hidden_size can't be changed")


def test_a_resumed_run_needs_steps_beyond_those_taken(cli: Cli, trained: Path) -> None:
    ended = cli("train", "--resume", "first", "--max-steps", "40")
    assert_told_at_the_end(ended, "trained for 40 steps", "larger --max-steps")


@pytest.mark.parametrize("other", [("--checkpoint", "first"), ("--run-name", "x")])
def test_resume_goes_with_neither_checkpoint_nor_run_name(cli: Cli, trained: Path, other: tuple[str, str]) -> None:
    assert_told_in_two_lines(cli("train", "--resume", "first", *other), "--resume goes on with a run as it is")


def test_a_resumed_run_is_never_moved_to_other_tweets_by_an_option_on_reading(cli: Cli, trained: Path) -> None:
    ended = cli("train", "--resume", "first", "--max-length", "99", "--max-steps", "50")
    assert_told_in_two_lines(ended, "--max-length", "--data FILE")


@pytest.mark.parametrize("option", [("--column", "text"), ("--format", "jsonl")])
def test_how_to_read_without_what_to_read_is_refused(cli: Cli, option: tuple[str, str]) -> None:
    assert_told_in_two_lines(cli("train", *option), option[0], "--data FILE")


def test_a_checkpoint_does_not_fit_tweets_in_other_characters(cli: Cli, trained: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.txt"
    path.write_text("".join(f"寿司{chr(0x4E00 + number)}を食べた\n" for number in range(60)), encoding="utf-8")
    ended = cli("train", "--checkpoint", "first", "--data", path, "--max-steps", "50")
    assert_told_at_the_end(ended, "vocabulary", "other.txt")


def test_a_device_that_is_not_there_is_refused(cli: Cli, tweets: Path) -> None:
    import torch

    if torch.backends.mps.is_available():
        pytest.skip("this machine has it")
    assert_told_at_the_end(cli("train", "--data", tweets, "--device", "mps"), "no mps device")
