"""`tweetgen-tui generate`: tweets on stdout, one per line."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config.sampling import MAX_DRAFTS
from engine.corpus.similarity.novelty import NoveltyIndex
from tests.cli.conftest import Launch
from tests.cli.program import Cli, assert_error_at_the_end, assert_two_line_error

USED = "checkpoint: first/best, step 40\n"


def test_n_tweets_are_n_lines_and_nothing_else(cli: Cli, trained: Path) -> None:
    ended = cli("generate", "-n", "5")
    assert (ended.code, ended.err) == (0, USED)
    assert len(ended.lines) == 5
    assert len(cli("generate").lines) == 1


def test_the_same_seed_gives_the_same_tweets_and_another_seed_others(cli: Cli, trained: Path) -> None:
    first, again, other = (cli("generate", "-n", "4", "--seed", seed) for seed in ("3", "3", "1000"))
    assert first == again != other


def test_each_tweet_has_the_next_seed(cli: Cli, trained: Path) -> None:
    four = cli("generate", "-n", "4", "--seed", "3")
    assert cli("generate", "-n", "1", "--seed", "5").lines == four.lines[2:3]


def test_json_has_exactly_the_fields_of_the_design(cli: Cli, trained: Path) -> None:
    tweets = cli("generate", "-n", "3", "--seed", "8", "--json").objects
    assert [set(tweet) for tweet in tweets] == [
        {"text", "temperature", "seed", "reached_eos", "bits_per_char", "novelty", "num_drafts", "refused", "unmet"}
    ] * 3
    assert [(tweet["num_drafts"], tweet["refused"], tweet["unmet"]) for tweet in tweets] == [(1, [], [])] * 3
    assert [tweet["seed"] for tweet in tweets] == [8, 9, 10]
    assert {tweet["novelty"] for tweet in tweets} <= {"new", "near-copy", "copy"}
    assert [tweet["text"] for tweet in tweets] == cli("generate", "-n", "3", "--seed", "8").lines


def test_json_without_the_training_tweets_reports_missing_novelty_figures(cli: Cli, tweets: Path) -> None:
    budget = ("--hidden-size", "8", "--embedding-size", "4", "--threads", "1", "--max-steps", "2")
    cli("train", "--data", tweets, *budget)
    tweets.unlink()
    ended = cli("generate", "--json")
    assert ended.code == 0
    assert ended.object["novelty"] is None
    assert "No novelty figures" in ended.err


def test_every_tweet_starts_with_the_prime(cli: Cli, trained: Path) -> None:
    assert all(line.startswith("mum got") for line in cli("generate", "-n", "5", "--prime", "mum got").lines)


def test_an_unknown_character_of_the_prime_is_named(cli: Cli, trained: Path) -> None:
    assert_error_at_the_end(cli("generate", "--prime", "mum ate 寿"), "寿", "U+5BFF")


def test_temperature_zero_always_gives_the_same_tweet(cli: Cli, trained: Path) -> None:
    assert len(set(cli("generate", "-n", "4", "--temperature", "0").lines)) == 1


@pytest.mark.parametrize("options", [("--top-k", "1"), ("--top-p", "0.001"), ("--min-p", "0.999")])
def test_the_strictest_filter_keeps_only_the_most_likely_character(
    cli: Cli, trained: Path, options: tuple[str, str]
) -> None:
    likeliest = cli("generate", "--temperature", "0").lines
    assert cli("generate", *options, "--temperature", "1", "--seed", "1").lines == likeliest


def test_no_tweet_is_longer_than_max_length(cli: Cli, trained: Path) -> None:
    tweets = cli("generate", "-n", "20", "--max-length", "9", "--seed", "1", "--json").objects
    assert max(len(tweet["text"]) for tweet in tweets) <= 9
    assert not all(tweet["reached_eos"] for tweet in tweets)


def test_without_a_checkpoint_the_error_names_the_command_that_makes_one(cli: Cli) -> None:
    assert_two_line_error(cli("generate", "-n", "5"), "no run yet", "tweetgen-tui train")


def test_a_checkpoint_is_found_by_name_or_by_path(cli: Cli, trained: Path, tmp_path: Path) -> None:
    for name in ("first", "first/best", "first/latest", "last"):
        assert cli("generate", "--checkpoint", name).code == 0, name
    path = tmp_path / "model.safetensors"
    (trained / "runs" / "first" / "checkpoints" / "best.safetensors").rename(path)
    assert cli("generate", "--checkpoint", path).code == 0


def test_a_misspelt_checkpoint_gets_a_suggestion(cli: Cli, trained: Path) -> None:
    assert_two_line_error(cli("generate", "--checkpoint", "frist"), "frist", "Did you mean first")


def test_a_closed_pipe_ends_it_quietly_with_the_code_of_sigpipe(launch: Launch, trained: Path) -> None:
    for arguments, err in ((("-n", "500"), USED), (("--help",), "")):
        generating = launch("generate", *arguments)
        generating.stop_reading()
        ended = generating.wait()
        assert (ended.code, ended.err) == (141, err)


# The filter of tweets -------------------------------------------------------------------------------------------------


def test_without_a_filter_nothing_is_reported(cli: Cli, trained: Path) -> None:
    assert cli("generate", "-n", "3", "--min-p", "0.1", "--temperature-last").err == USED


def test_filtered_tweets_pass_and_their_drafts_are_counted(cli: Cli, trained: Path) -> None:
    options = ("--max-length", "40", "--min-length", "9", "--avoid", "e,a", "--must-contain", "T", "--seed", "5")
    ended = cli("generate", "-n", "3", *options, "--json")

    tweets = ended.objects
    assert [tweet["unmet"] for tweet in tweets] == [[]] * 3
    for tweet in tweets:
        assert tweet["num_drafts"] == 1 + sum(count for _, count in tweet["refused"])
        assert 9 <= len(tweet["text"]) < 40
        assert "t" in tweet["text"].lower()
        assert not {"e", "a"} & set(tweet["text"].lower().split())
        assert tweet["reached_eos"]
    assert [tweet["seed"] for tweet in tweets] == [5, 6, 7]
    num_drafts = sum(tweet["num_drafts"] for tweet in tweets)
    assert ended.error_lines[-1].startswith(f"3 of {num_drafts} drafts: ")
    assert cli("generate", "-n", "3", *options).lines == [tweet["text"] for tweet in tweets]


def test_the_best_of_n_has_the_fewest_bits_per_character(cli: Cli, trained: Path) -> None:
    options = ("--seed", "2", "--max-length", "100", "--json")
    first, best = (cli("generate", *options, "--best-of", number).object for number in ("1", "6"))

    assert best["bits_per_char"] < first["bits_per_char"]
    assert best["num_drafts"] == 6 + sum(count for _, count in best["refused"])


def test_an_unreachable_filter_ends_with_the_nearest_tweet_and_a_line_on_stderr(cli: Cli, trained: Path) -> None:
    ended = cli("generate", "--must-contain", "zebra zebra", "--max-length", "20", "--seed", "1")

    assert ended.code == 0
    assert len(ended.lines) == 1
    assert ended.error_lines[1].startswith(f"none of {MAX_DRAFTS:,} drafts: ")
    assert ended.error_lines[2] == (
        "The filter refused all drafts of 1 of 1 tweet; the nearest are shown: 1 without the text"
    )


def test_only_new_refuses_what_the_novelty_index_calls_a_copy(
    cli: Cli, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NoveltyIndex, "copied_share", lambda _, text: (1.0, 0.5, 0.4)[len(text) % 3])

    tweets = cli("generate", "-n", "9", "--only-new", "--seed", "1", "--max-length", "60", "--json").objects

    assert [(tweet["novelty"], tweet["unmet"]) for tweet in tweets] == [("new", [])] * 9
    assert {"copy", "near-copy"} <= {reason for tweet in tweets for reason, _ in tweet["refused"]}


def test_only_new_without_the_training_tweets_is_an_error_with_a_hint(cli: Cli, tweets: Path) -> None:
    budget = ("--hidden-size", "8", "--embedding-size", "4", "--threads", "1", "--max-steps", "2")
    cli("train", "--data", tweets, *budget, "--only-new", "--best-of", "2")
    tweets.unlink()

    assert_error_at_the_end(cli("generate", "--only-new"), "--only-new compares with the training tweets", "Leave")
    ended = cli("generate", "--json", "--max-length", "10")
    assert ended.code == 0
    assert ended.object["num_drafts"] == 1  # the filter of the run is not that of `generate`


def test_a_file_of_avoided_words_that_is_missing_is_an_error_before_the_model_is_loaded(cli: Cli) -> None:
    assert_two_line_error(cli("generate", "--avoid", "@no-such-file"), "no-such-file", "No such file")
    assert_two_line_error(cli("train", "--avoid", "@no-such-file"), "no-such-file", "No such file")
