"""`tweetgen-tui evaluate`: bits per character."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from tests.cli.program import Cli, assert_told_at_the_end, assert_told_in_two_lines

FIELDS = {"bits_per_char", "nats_per_char", "num_tweets", "num_chars", "num_unknown_chars"}


def test_json_has_exactly_the_fields_of_the_design(cli: Cli, trained: Path, tweets: Path) -> None:
    ended = cli("evaluate", "--data", tweets, "--json")
    assert ended.code == 0
    assert set(ended.object) == FIELDS
    assert ended.object["bits_per_char"] == pytest.approx(ended.object["nats_per_char"] / math.log(2))
    assert ended.object["num_tweets"] == 60
    assert ended.object["num_unknown_chars"] == 0
    assert ended.err == "60 rows read, 60 tweets kept; dropped: none\n"


def test_every_character_and_every_end_of_tweet_counts(cli: Cli, trained: Path, tweets: Path) -> None:
    counted = cli("evaluate", "--data", tweets, "--json").object["num_chars"]
    assert counted == sum(len(line) + 1 for line in tweets.read_text(encoding="utf-8").splitlines())


def test_an_unknown_character_costs_at_least_twenty_bits(cli: Cli, trained: Path, tmp_path: Path) -> None:
    known, unknown = tmp_path / "known.txt", tmp_path / "unknown.txt"
    known.write_text("mum made a cake\n", encoding="utf-8")
    unknown.write_text("mum made a c寿ke\n", encoding="utf-8")
    [cheap, dear] = (cli("evaluate", "--data", path, "--json").object for path in (known, unknown))
    assert (cheap["num_unknown_chars"], dear["num_unknown_chars"]) == (0, 1)
    assert (dear["bits_per_char"] - cheap["bits_per_char"]) * dear["num_chars"] > 15


def test_without_data_it_reads_the_held_out_tweets_of_the_run(cli: Cli, trained: Path) -> None:
    ended = cli("evaluate", "--json")
    assert ended.object["num_tweets"] == 12
    assert "held-out" in ended.err
    [run] = cli("runs", "list", "--json").objects
    assert ended.object["bits_per_char"] == pytest.approx(run["best_bits_per_char"], rel=1e-4)


def test_for_people_it_prints_names_and_values(cli: Cli, trained: Path) -> None:
    names = [line.rsplit(maxsplit=1)[0].strip() for line in cli("evaluate").lines]
    assert names == ["bits per char", "nats per char", "num tweets", "num chars", "num unknown chars"]


def test_without_a_checkpoint_it_says_how_to_make_one(cli: Cli, tweets: Path) -> None:
    assert_told_in_two_lines(cli("evaluate", "--data", tweets), "tweetgen-tui train")


def test_a_file_that_is_not_there_is_named(cli: Cli, trained: Path) -> None:
    assert_told_in_two_lines(cli("evaluate", "--data", "/nowhere/x.txt"), "/nowhere/x.txt", "No such file")


def test_a_file_without_a_usable_tweet_is_refused(cli: Cli, trained: Path, tmp_path: Path) -> None:
    path = tmp_path / "links.txt"
    path.write_text("http://example.org/1\n", encoding="utf-8")
    assert_told_at_the_end(cli("evaluate", "--data", path), "no usable tweet")


@pytest.mark.parametrize("option", [("--column", "x"), ("--format", "csv"), ("--max-length", "5")])
def test_how_to_read_without_what_to_read_is_refused(cli: Cli, trained: Path, option: tuple[str, str]) -> None:
    assert_told_in_two_lines(cli("evaluate", *option), option[0], "--data FILE")
