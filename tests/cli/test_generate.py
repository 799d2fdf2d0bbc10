"""`tweetgen-tui generate`: tweets on stdout, one per line."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config.sampling import MAX_DRAFTS
from engine.corpus.similarity.novelty import NoveltyIndex
from tests.cli.conftest import Launch
from tests.cli.program import SMALL_MODEL, Cli, assert_error_at_the_end

USED = "checkpoint: first/best, step 40\n"
FIELDS = {
    *("text", "temperature", "seed", "reached_eos", "bits_per_char", "novelty", "num_drafts", "refused", "unmet"),
}


def test_n_tweets_are_n_lines_with_consecutive_seeds_and_nothing_else(cli: Cli, trained: Path) -> None:
    ended = cli("generate", "-n", "5", "--seed", "3")
    assert (ended.code, ended.err, len(ended.lines)) == (0, USED, 5)
    assert cli("generate", "-n", "5", "--seed", "3") == ended
    assert cli("generate", "-n", "5", "--seed", "1000") != ended
    assert cli("generate", "--seed", "5").lines == ended.lines[2:3]
    tweets = cli("generate", "-n", "5", "--seed", "3", "--json").objects
    assert [tweet["text"] for tweet in tweets] == ended.lines
    assert [tweet["seed"] for tweet in tweets] == [3, 4, 5, 6, 7]
    assert all(tweet.keys() == FIELDS for tweet in tweets)
    assert [(tweet["num_drafts"], tweet["refused"], tweet["unmet"]) for tweet in tweets] == [(1, [], [])] * 5
    assert {tweet["novelty"] for tweet in tweets} <= {"new", "near-copy", "copy"}


def test_every_tweet_starts_with_the_prime_and_none_is_longer_than_max_length(cli: Cli, trained: Path) -> None:
    tweets = cli("generate", "-n", "20", "--prime", "mum got", "--max-length", "9", "--json").objects
    assert all(tweet["text"].startswith("mum got") and len(tweet["text"]) <= 9 for tweet in tweets)
    assert not all(tweet["reached_eos"] for tweet in tweets)


def test_temperature_zero_and_the_strictest_filters_always_draw_the_most_likely_character(
    cli: Cli, trained: Path
) -> None:
    likeliest = cli("generate", "--temperature", "0").lines
    assert cli("generate", "-n", "3", "--temperature", "0").lines == 3 * likeliest
    for options in (("--top-k", "1"), ("--top-p", "0.001"), ("--min-p", "0.999")):
        assert cli("generate", *options, "--temperature", "1", "--seed", "1").lines == likeliest


def test_a_checkpoint_is_found_by_name_or_by_path(cli: Cli, trained: Path, tmp_path: Path) -> None:
    for name in ("first", "first/best", "first/latest", "last"):
        assert cli("generate", "--checkpoint", name).code == 0, name
    path = tmp_path / "model.safetensors"
    (trained / "runs" / "first" / "checkpoints" / "best.safetensors").rename(path)
    assert cli("generate", "--checkpoint", path).code == 0


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
    for tweet in tweets:
        assert tweet["unmet"] == []
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
    assert (ended.code, len(ended.lines)) == (0, 1)
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


def test_without_the_training_tweets_novelty_is_missing_and_only_new_an_error(cli: Cli, tweets: Path) -> None:
    cli("train", "--data", tweets, *SMALL_MODEL, "--max-steps", "2", "--only-new", "--best-of", "2")
    tweets.unlink()
    assert_error_at_the_end(cli("generate", "--only-new"), "--only-new compares with the training tweets", "Leave")
    ended = cli("generate", "--json", "--max-length", "10")
    assert (ended.code, ended.object["novelty"]) == (0, None)
    assert "No novelty figures" in ended.err
    assert ended.object["num_drafts"] == 1  # the filter of the run is not that of `generate`
